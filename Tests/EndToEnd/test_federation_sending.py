"""What Martlet tells other servers of its own accord: events, what people do, devices and messages to them, also after somebody was away."""

import asyncio
import secrets
from urllib.parse import quote

import pytest_asyncio

from participant import FEDERATION, Participant, event_id
from partner import Authority
from homeserver import Homeserver
from test_federation_keys import get

V3 = "/_matrix/client/v3"
SOON = {"destination_min_retry_interval": "1s", "destination_max_retry_interval": "1s", "max_long_retries": 0, "client_timeout": "20s"}


@pytest_asyncio.fixture
async def town(database, tmp_path):
    """town.server(**overrides) -> a running Martlet; town.join(server, room, "@user") -> a server whose user has joined the room."""

    class Town:
        def __init__(self):
            self.authority = Authority(tmp_path / "authority")
            self.ends = []

        async def server(self, **overrides):
            settings = {"federation_custom_ca_list": [str(self.authority.path)], "ip_range_blacklist": [], "trusted_key_servers": [],
                        "rc_federation": {"sleep_limit": 100000, "reject_limit": 100000}, "federation": SOON, **overrides}
            server = Homeserver(tmp_path / f"server{len(self.ends)}", database, **settings)
            self.ends.append(server.destroy)
            return await server.start()

        async def participant(self):
            participant = await Participant(self.authority).start()
            self.ends.append(participant.stop)
            return participant

        async def member(self, server, room, localpart="@bob"):
            participant = await self.participant()
            participant.user = f"{localpart}:{participant.name}"
            await participant.join(server, room, participant.user)
            return participant

    made = Town()
    try:
        yield made
    finally:
        for end in reversed(made.ends):
            await end()


async def public_room(alice, **more):
    return await alice.create_room(preset="public_chat", **more)


async def test_events_arrive_in_order_signed_and_as_others_compute_them(town):
    server = await town.server()
    alice = await server.register("alice")
    room = await public_room(alice)
    other = await town.member(server, room)
    sent = [await alice.send(room, f"m{n}") for n in range(70)]
    await other.wait_for(lambda: len(other.bodies()) == 70)
    messages = [pdu for pdu in other.pdus(room) if pdu["type"] == "m.room.message"]
    assert [pdu["content"]["body"] for pdu in messages] == [f"m{n}" for n in range(70)]
    assert [event_id(pdu) for pdu in messages] == sent
    assert all("unsigned" not in pdu and "event_id" not in pdu for pdu in other.pdus())
    assert all(len(body["pdus"]) <= 50 and body["origin"] == server.name for _, _, body in other.transactions)
    assert len({transaction for transaction, _, _ in other.transactions}) == len(other.transactions)
    _, keys = await get(server, "/_matrix/key/v2/server")
    other.check_authorizations(server.name, keys["verify_keys"])
    await alice.close()


async def test_a_join_by_this_server_is_passed_on_and_a_removal_reaches_whom_it_concerns(town):
    server = await town.server()
    alice = await server.register("alice")
    room = await public_room(alice)
    first = await town.member(server, room)
    second = await town.member(server, room, "@eve")
    await first.wait_for(lambda: any(pdu.get("state_key") == second.user for pdu in first.pdus(room)))
    assert not any(pdu.get("state_key") == second.user for pdu in second.pdus(room))
    await alice.post(f"{alice.room(room)}/kick", {"user_id": second.user})
    await alice.send(room, "among ourselves")
    await first.wait_for(lambda: "among ourselves" in first.bodies())
    await second.wait_for(lambda: second.pdus(room))
    memberships = [(pdu["state_key"], pdu["content"]["membership"]) for pdu in second.pdus(room) if pdu["type"] == "m.room.member"]
    assert memberships == [(second.user, "leave")] and second.bodies() == []
    await alice.close()


async def test_what_people_do(town):
    server = await town.server()
    alice = await server.register("alice")
    room = await public_room(alice)
    other = await town.member(server, room)
    said = await alice.send(room, "hello")
    await alice.put(f"{alice.room(room)}/typing/{quote(alice.user)}", {"typing": True, "timeout": 30000})
    await other.wait_for(lambda: other.edus("m.typing"))
    await alice.put(f"{alice.room(room)}/typing/{quote(alice.user)}", {"typing": False})
    await other.wait_for(lambda: len(other.edus("m.typing")) == 2)
    assert other.edus("m.typing") == [{"room_id": room, "user_id": alice.user, "typing": typing} for typing in (True, False)]
    await alice.post(f"{alice.room(room)}/receipt/m.read.private/{quote(said, safe='')}", {})
    await alice.post(f"{alice.room(room)}/receipt/m.read/{quote(said, safe='')}", {"thread_id": "main"})
    await other.wait_for(lambda: other.edus("m.receipt"))
    receipt, = other.edus("m.receipt")
    assert list(receipt) == [room] and list(receipt[room]) == ["m.read"]
    mark = receipt[room]["m.read"][alice.user]
    assert mark["event_ids"] == [said] and mark["data"]["thread_id"] == "main" and mark["data"]["ts"] > 0
    await alice.put(f"{V3}/presence/{quote(alice.user)}/status", {"presence": "unavailable", "status_msg": "reading"})
    await other.wait_for(lambda: any(p.get("status_msg") == "reading" for edu in other.edus("m.presence") for p in edu["push"]))
    assert {p["user_id"] for edu in other.edus("m.presence") for p in edu["push"]} == {alice.user}
    await alice.close()


async def test_no_presence_where_the_operator_wants_none(town):
    server = await town.server(presence={"enabled": False})
    alice = await server.register("alice")
    room = await public_room(alice)
    other = await town.member(server, room)
    await alice.put(f"{V3}/presence/{quote(alice.user)}/status", {"presence": "online"}, checked=False)
    await alice.sync()
    await alice.send(room, "hello")
    await other.wait_for(other.bodies)
    await asyncio.sleep(1.5)
    assert other.edus("m.presence") == []
    await alice.close()


def device_keys(client, name="key"):
    return {"device_keys": {
        "user_id": client.user, "device_id": client.device, "algorithms": ["m.megolm.v1.aes-sha2"],
        "keys": {f"ed25519:{client.device}": name}, "signatures": {client.user: {f"ed25519:{client.device}": "signature"}}}}


async def test_changes_of_devices_are_a_chain_that_begins_with_the_list(town):
    server = await town.server(allow_device_name_lookup_over_federation=True)
    alice = await server.register("alice")
    room = await public_room(alice)
    other = await town.member(server, room)
    status, devices = await other.ask(server, "GET", f"{FEDERATION}/v1/user/devices/{quote(alice.user, safe='')}")
    assert status == 200
    await alice.post(f"{V3}/keys/upload", device_keys(alice))
    await alice.put(f"{V3}/devices/{alice.device}", {"display_name": "a name"})
    await other.wait_for(lambda: len(other.edus("m.device_list_update")) == 2)
    first, second = other.edus("m.device_list_update")
    assert (first["user_id"], first["device_id"]) == (alice.user, alice.device)
    assert first["prev_id"] == [devices["stream_id"]] and second["prev_id"] == [first["stream_id"]]
    assert first["keys"]["keys"] == {f"ed25519:{alice.device}": "key"} and second["device_display_name"] == "a name"
    status, devices = await other.ask(server, "GET", f"{FEDERATION}/v1/user/devices/{quote(alice.user, safe='')}")
    assert devices["stream_id"] == second["stream_id"]
    # Another device comes and goes.
    login = await alice.post(f"{V3}/login", {
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"}, "password": alice.password})
    # What is told is what holds when it is sent: had the device gone by then, both changes would say so.
    await other.wait_for(lambda: len(other.edus("m.device_list_update")) == 3)
    await alice.call("POST", f"{V3}/logout", {}, headers={"Authorization": f"Bearer {login['access_token']}"})
    await other.wait_for(lambda: len(other.edus("m.device_list_update")) == 4)
    came, went = other.edus("m.device_list_update")[2:]
    assert came["device_id"] == went["device_id"] == login["device_id"]
    assert "deleted" not in came and went["deleted"] is True
    assert came["prev_id"] == [second["stream_id"]] and went["prev_id"] == [came["stream_id"]]
    await alice.close()


async def test_who_joins_makes_the_devices_known(town):
    server = await town.server()
    alice, carol, dave = [await server.register(name) for name in ("alice", "carol", "dave")]
    room = await public_room(alice)
    other = await town.member(server, room)
    # Who has no keys has nothing to make known.
    await dave.join(room)
    await carol.post(f"{V3}/keys/upload", device_keys(carol))
    await carol.join(room)
    await other.wait_for(lambda: any(edu["user_id"] == carol.user for edu in other.edus("m.device_list_update")))
    assert not any(edu["user_id"] == dave.user for edu in other.edus("m.device_list_update"))
    for client in (alice, carol, dave):
        await client.close()


async def test_messages_to_devices_arrive_once_also_after_a_crash(town):
    server = await town.server()
    alice = await server.register("alice")
    room = await public_room(alice)
    other = await town.member(server, room)

    async def message(number):
        path = f"{V3}/sendToDevice/m.test/{secrets.token_hex(8)}"
        for _ in range(2):
            await alice.put(path, {"messages": {other.user: {"PHONE": {"number": number}, "*": {"number": number}}}})

    await message(0)
    await other.wait_for(lambda: len(other.edus("m.direct_to_device")) == 1)
    other.fails = 500
    for number in range(1, 4):
        await message(number)
    await other.wait_for(lambda: other.refused)
    await server.kill()
    other.fails = None
    await server.start()
    await other.wait_for(lambda: len({edu["message_id"] for edu in other.edus("m.direct_to_device")}) == 4)
    await message(4)
    await other.wait_for(lambda: len({edu["message_id"] for edu in other.edus("m.direct_to_device")}) == 5)
    # A server knows by its id what it has got already.
    seen = {}
    for edu in other.edus("m.direct_to_device"):
        seen.setdefault(edu["message_id"], edu)
    numbers = [edu["messages"][other.user]["PHONE"]["number"] for edu in seen.values()]
    assert numbers == [0, 1, 2, 3, 4]
    assert all(edu["sender"] == alice.user and edu["type"] == "m.test" for edu in seen.values())
    await alice.close()


async def test_who_was_away_is_caught_up_with_the_newest_of_each_room(town):
    server = await town.server()
    alice = await server.register("alice")
    rooms = [await public_room(alice) for _ in range(3)]
    other = await town.member(server, rooms[0])
    for room in rooms[1:]:
        await other.join(server, room, other.user)
    await alice.send(rooms[0], "before")
    await other.wait_for(lambda: other.bodies() == ["before"])
    other.fails = 503
    for number in range(5):
        for index in (2, 0, 1):
            await alice.send(rooms[index], f"{index}: {number}")
    await other.wait_for(lambda: other.refused)
    await server.kill()
    await server.start()
    await alice.send(rooms[1], "last")
    await other.wait_for(lambda: other.refused > 1)
    other.fails = None
    await other.wait_for(lambda: other.bodies()[-1] == "last")
    assert other.bodies() == ["before", "2: 4", "0: 4", "last"]
    for _, _, body in other.transactions:
        assert len({pdu["room_id"] for pdu in body["pdus"]}) <= 1
    await alice.send(rooms[0], "live")
    await other.wait_for(lambda: other.bodies()[-1] == "live")
    await alice.close()


async def test_who_sends_something_is_sent_what_waits(town):
    server = await town.server(federation={**SOON, "destination_min_retry_interval": "1h", "destination_max_retry_interval": "2h"})
    alice = await server.register("alice")
    room = await public_room(alice)
    other = await town.member(server, room)
    other.fails = 500
    await alice.send(room, "missed")
    await other.wait_for(lambda: other.refused)
    other.fails = None
    await alice.send(room, "missed too")
    await asyncio.sleep(1)
    assert other.bodies() == []
    await other.send(server)
    await other.wait_for(lambda: other.bodies() == ["missed too"])
    await alice.close()


async def test_others_are_not_held_up_by_one_who_does_not_answer_and_a_stop_is_quick(town):
    server = await town.server()
    alice = await server.register("alice")
    room = await public_room(alice)
    slow = await town.member(server, room)
    quick = await town.member(server, room, "@eve")
    slow.stalls = asyncio.Event()
    for number in range(20):
        await alice.send(room, f"m{number}")
    await quick.wait_for(lambda: len(quick.bodies()) == 20)
    assert slow.bodies() == []
    code, seconds = await server.stop()
    assert code == 0 and seconds < 5
    slow.stalls.set()
    slow.stalls = None
    await server.start()
    await slow.wait_for(lambda: slow.bodies() and slow.bodies()[-1] == "m19")
    await alice.close()


async def test_rooms_of_our_own_are_told_to_nobody(town):
    server = await town.server()
    alice = await server.register("alice")
    room = await public_room(alice)
    other = await town.member(server, room)
    await alice.send(await alice.create_room(preset="private_chat"), "private")
    await alice.send(await public_room(alice, creation_content={"m.federate": False}), "not for others")
    await alice.send(room, "for all")
    await other.wait_for(lambda: other.bodies() == ["for all"])
    assert {pdu["room_id"] for pdu in other.pdus() if "room_id" in pdu} == {room}
    await alice.close()
