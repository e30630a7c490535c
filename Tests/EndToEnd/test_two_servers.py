"""What one Martlet makes of rooms of another: upgrades, bans, guests, and what is left when it has left."""

import asyncio
import time
from urllib.parse import quote

import pytest
import pytest_asyncio

from homeserver import Client, Homeserver, MatrixFailure
from partner import Authority
from synapse import federated

V3 = "/_matrix/client/v3"


@pytest_asyncio.fixture
async def pair(database, tmp_path):
    """-> two servers that find each other."""
    authority = Authority(tmp_path / "authority")
    servers = [federated(Homeserver, tmp_path / name, database, authority, address, allow_guest_access=True,
                         server_notices={"system_mxid_localpart": "notices"})
               for name, address in (("one", "127.0.0.2"), ("other", "127.0.0.3"))]
    try:
        for server in servers:
            await server.start()
        yield servers
    finally:
        for server in servers:
            await server.destroy()
            server.cable.end()


@pytest_asyncio.fixture
async def couple(pair):
    """-> alice of the first server and bob of the other."""
    clients = [await server.register(name) for server, name in zip(pair, ("alice", "bob"))]
    yield clients
    for client in clients:
        await client.close()


async def until(condition, within=20):
    deadline = time.monotonic() + within
    while not await condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def refused(call, status=403):
    with pytest.raises(MatrixFailure) as failure:
        await call
    assert failure.value.status == status, failure.value
    return failure.value


async def invited(client, room):
    async def is_there():
        return room in (await client.sync())["rooms"].get("invite", {})
    await until(is_there)


async def room_of_alias(client, alias):
    return (await client.get(f"{V3}/directory/room/{quote(alias, safe='')}"))["room_id"]


async def listed(client):
    return {room["room_id"] for room in (await client.get(f"{V3}/publicRooms"))["chunk"]}


async def test_a_room_that_another_server_replaces_takes_along_what_this_one_keeps_of_it(couple, pair):
    alice, bob = couple
    old = await alice.create_room(preset="public_chat", room_version="10", power_level_content_override={
        "users": {alice.user: 100, bob.user: 100}})
    await bob.join(old, via=[pair[0].name])
    alias = f"#den:{pair[1].name}"
    await bob.put(f"{V3}/directory/room/{quote(alias, safe='')}", {"room_id": old})
    await bob.put(f"{V3}/directory/list/room/{quote(old, safe='')}", {"visibility": "public"})
    await bob.put(f"{V3}/user/{quote(bob.user, safe='')}/rooms/{quote(old, safe='')}/tags/m.favourite", {"order": 0.5})
    assert await listed(bob) == {old}

    # Who only says that it takes another room's place gets nothing of it.
    pretender = await alice.create_room(preset="public_chat", room_version="10", creation_content={"predecessor": {"room_id": old}})
    await bob.join(pretender, via=[pair[0].name])
    assert await room_of_alias(bob, alias) == old and await listed(bob) == {old}

    new = (await alice.post(f"{alice.room(old)}/upgrade", {"new_version": "11"}))["replacement_room"]

    async def is_told():
        return (await bob.raw("GET", f"{bob.room(old)}/state/m.room.tombstone"))[0] == 200
    await until(is_told)
    await bob.join(new, via=[pair[0].name])
    tags = await bob.get(f"{V3}/user/{quote(bob.user, safe='')}/rooms/{quote(new, safe='')}/tags")
    assert tags == {"tags": {"m.favourite": {"order": 0.5}}}

    async def moved():
        return await room_of_alias(bob, alias) == new and await listed(bob) == {new}
    await until(moved)


async def test_who_is_banned_reads_nothing_of_the_room_any_more(couple, pair):
    alice, bob = couple
    room = await alice.create_room(preset="public_chat")
    await bob.join(room, via=[pair[0].name])
    own = f"{bob.room(room)}/state/m.room.member/{quote(bob.user, safe='')}"
    assert (await bob.get(own))["membership"] == "join"
    await alice.post(f"{alice.room(room)}/ban", {"user_id": bob.user})

    async def is_out():
        return (await bob.raw("GET", own))[0] == 403
    await until(is_out)
    await refused(bob.get(f"{bob.room(room)}/messages?dir=b"))
    await refused(bob.join(room, via=[pair[0].name]))


@pytest.mark.parametrize("access", ["can_join", "forbidden"])
async def test_guests_come_only_into_rooms_of_others_that_let_guests_in(couple, pair, access):
    alice, _ = couple
    room = await alice.create_room(preset="private_chat", initial_state=[
        {"type": "m.room.guest_access", "state_key": "", "content": {"guest_access": access}}])
    anonymous = Client(pair[1])
    made = await anonymous.post(f"{V3}/register?kind=guest", {})
    await anonymous.close()
    guest = Client(pair[1], made["access_token"], made["user_id"], made["device_id"])
    await alice.invite(room, guest.user)
    await invited(guest, room)
    if access == "can_join":
        await guest.join(room)
    else:
        assert (await refused(guest.join(room))).errcode == "M_GUEST_ACCESS_FORBIDDEN"
    await guest.close()


async def test_who_is_in_a_room_that_the_server_has_left_is_found_no_more(couple, pair):
    alice, bob = couple
    room = await alice.create_room(preset="public_chat")

    async def found():
        answer = await bob.post(f"{V3}/user_directory/search", {"search_term": "alice"})
        return [user["user_id"] for user in answer["results"]] == [alice.user]

    for _ in range(2):
        await bob.join(room, via=[pair[0].name])
        # Who else is there comes a moment later.
        for _ in range(100):
            if await found():
                break
            await asyncio.sleep(0.1)
        assert await found()
        await bob.leave(room)
        assert not await found()


async def test_who_sends_the_notices_of_a_server_is_invited_from_nowhere(couple, pair):
    alice, bob = couple
    room = await alice.create_room(preset="private_chat")
    for server in pair:
        failure = await refused(alice.invite(room, f"@notices:{server.name}"))
        assert failure.body["error"].endswith("Cannot invite this user")
    await alice.invite(room, bob.user)


async def test_an_invite_over_servers_says_who_invites(couple, pair):
    alice, bob = couple
    room = await alice.create_room(preset="private_chat")
    await alice.invite(room, bob.user)
    await invited(bob, room)
    state = (await bob.sync())["rooms"]["invite"][room]["invite_state"]["events"]
    members = {event["state_key"]: event["content"]["membership"] for event in state if event["type"] == "m.room.member"}
    assert members == {alice.user: "join", bob.user: "invite"}
