"""End-to-end encryption between people of two servers, with a real client library on both sides."""

import asyncio
import itertools
import json

import pytest_asyncio
from nio import JoinResponse, RoomCreateResponse

from across import becomes, until
from crypto import Identity, Key
from test_chat import Person

numbers = itertools.count(1)


@pytest_asyncio.fixture
async def two(sides, tmp_path):
    here, there = sides
    people = [Person(here, tmp_path, f"nia{next(numbers)}"), Person(there, tmp_path, f"noa{next(numbers)}")]
    for one in people:
        await one.register()
    yield people
    for one in people:
        await one.nio.close()


async def encrypted_room(alice, bob):
    encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    made = await alice.nio.room_create(name="Den", invite=[bob.id], initial_state=[encryption])
    assert isinstance(made, RoomCreateResponse), made
    await bob.until(lambda: made.room_id in bob.invites, "the invite")
    assert isinstance(await bob.nio.join(made.room_id), JoinResponse)
    await alice.until(lambda: made.room_id in alice.nio.rooms and bob.id in alice.nio.rooms[made.room_id].users
                      and bob.id not in alice.nio.rooms[made.room_id].invited_users, "bob in the room")
    await bob.until(lambda: made.room_id in bob.nio.rooms and bob.nio.rooms[made.room_id].encrypted, "that the room is encrypted")
    return made.room_id


async def test_two_people_chat_end_to_end_encrypted(two):
    alice, bob = two
    room = await encrypted_room(alice, bob)
    await alice.say(room, "hello bob, in secret")
    await bob.until(lambda: (alice.id, "hello bob, in secret") in bob.texts, "alice's message")
    await bob.say(room, "hello alice, likewise")
    await alice.until(lambda: (bob.id, "hello alice, likewise") in alice.texts, "bob's answer")
    assert not bob.undecrypted and not alice.undecrypted


async def test_a_new_device_reads_what_is_said_after_it_came(two):
    alice, bob = two
    room = await encrypted_room(alice, bob)
    await alice.say(room, "to the first device")
    await bob.until(lambda: (alice.id, "to the first device") in bob.texts, "the first message")
    await bob.nio.close()
    bob.texts.clear()
    bob.folder = bob.folder / "second"
    bob.folder.mkdir()
    await bob.login()
    await bob.sync()
    new = bob.nio.device_id
    await alice.until(lambda: any(d.id == new for d in alice.nio.device_store.active_user_devices(bob.id)), "bob's new device")
    await alice.say(room, "to the second device")
    await bob.until(lambda: (alice.id, "to the second device") in bob.texts, "the second message")


# Without a library: what it goes by.


@pytest_asyncio.fixture
async def neighbours(sides, person):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room, via=[here.name])
    await becomes(alice, room, bob.user, "join")
    return alice, bob


async def upload(client):
    device = Key(client.user, client.device)
    one_time = {}
    for number in range(3):
        key = Key(client.user, client.device)
        signed = device.sign({"key": key.public})
        one_time[f"signed_curve25519:A{number}"] = signed
    await client.post("/_matrix/client/v3/keys/upload", {"device_keys": device.device_keys(), "one_time_keys": one_time})
    return device


async def query(client, user):
    return await client.post("/_matrix/client/v3/keys/query", {"device_keys": {user: []}, "timeout": 10000})


async def test_keys_are_asked_of_the_other_server(neighbours):
    alice, bob = neighbours
    await upload(bob)

    async def keys():
        return bob.device in (await query(alice, bob.user))["device_keys"].get(bob.user, {})
    await until("bob's device", keys)
    taken = set()
    for _ in range(3):
        claimed = await alice.post("/_matrix/client/v3/keys/claim", {"one_time_keys": {bob.user: {bob.device: "signed_curve25519"}}})
        taken |= set(claimed["one_time_keys"][bob.user][bob.device])
    assert len(taken) == 3
    claimed = await alice.post("/_matrix/client/v3/keys/claim", {"one_time_keys": {bob.user: {bob.device: "signed_curve25519"}}})
    assert not claimed["one_time_keys"].get(bob.user)


async def test_changes_of_devices_are_told(neighbours):
    alice, bob = neighbours
    since = (await alice.sync())["next_batch"]
    await upload(bob)

    async def told():
        nonlocal since
        answer = await alice.sync(since=since)
        since = answer["next_batch"]
        return bob.user in answer.get("device_lists", {}).get("changed", [])
    await until("that bob's devices changed", told)
    assert bob.device in (await query(alice, bob.user))["device_keys"][bob.user]

    # A device that is logged out is gone for the others too.
    await bob.post("/_matrix/client/v3/logout")
    await until("that bob's device went", told)

    async def gone():
        return bob.device not in (await query(alice, bob.user))["device_keys"].get(bob.user, {})
    await until("no device of bob's", gone)


async def test_cross_signing_keys_are_told(neighbours):
    alice, bob = neighbours
    await upload(bob)
    since = (await alice.sync())["next_batch"]
    identity = Identity(bob.user)
    path = "/_matrix/client/v3/keys/device_signing/upload"
    status, _, body = await bob.raw("POST", path, identity.body())
    if status == 401:
        session = json.loads(body)["session"]
        auth = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": bob.user}, "password": bob.password,
                "session": session}
        await bob.post(path, {**identity.body(), "auth": auth})

    async def told():
        nonlocal since
        answer = await alice.sync(since=since)
        since = answer["next_batch"]
        return bob.user in answer.get("device_lists", {}).get("changed", [])
    await until("that bob's keys changed", told)

    async def there():
        found = await query(alice, bob.user)
        return (found["master_keys"][bob.user]["keys"] == identity.master_key()["keys"]
                and bob.user in found["self_signing_keys"] and bob.user not in found.get("user_signing_keys", {}))
    await until("bob's cross-signing keys", there)


async def test_messages_to_devices_arrive_once_and_in_order(neighbours):
    alice, bob = neighbours
    for number in range(20):
        await alice.put(f"/_matrix/client/v3/sendToDevice/test.note/{number}", {"messages": {bob.user: {bob.device: {"number": number}}}})
    # The same again, as after a lost answer.
    await alice.put("/_matrix/client/v3/sendToDevice/test.note/19", {"messages": {bob.user: {bob.device: {"number": 19}}}})
    received, since = [], None

    async def all_there():
        nonlocal since
        answer = await bob.sync(since=since)
        since = answer["next_batch"]
        received.extend(answer.get("to_device", {}).get("events", []))
        return len(received) >= 20
    await until("twenty messages", all_there)
    await asyncio.sleep(0.5)
    await all_there()
    assert [e["content"]["number"] for e in received] == list(range(20))
    assert {(e["sender"], e["type"]) for e in received} == {(alice.user, "test.note")}
