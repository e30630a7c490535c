"""The devices of another server's users: fetched once, followed, fetched again when something was missed, forgotten with the last room."""

import asyncio
import time

from aiohttp import web

from across import becomes, in_room, until
from test_federation_hostile import town, visit  # noqa: F401
from visitor import now

QUERY = "/_matrix/client/v3/keys/query"


def device_keys(user, device, key):
    return {"user_id": user, "device_id": device, "algorithms": ["m.megolm.v1.aes-sha2"], "keys": {f"ed25519:{device}": key},
            "signatures": {user: {f"ed25519:{device}": "c2ln"}}}


class Devices:
    """What the visitor's server says of the visitor's devices."""

    def __init__(self, visitor):
        self.visitor, self.user, self.stream, self.devices, self.asked, self.broken = visitor, visitor.user, 1, {"PHONE": "one"}, 0, False
        visitor.partner.instead["user"] = self.answer

    async def answer(self, request):
        self.asked += 1
        if self.broken:
            return web.json_response({"errcode": "M_UNKNOWN", "error": "out of order"}, status=400)
        if "/devices/" not in request.path:
            return web.json_response({"device_keys": {self.user: {
                name: device_keys(self.user, name, key) for name, key in self.devices.items()}}})
        return web.json_response({"user_id": self.user, "stream_id": self.stream, "devices": [
            {"device_id": name, "keys": device_keys(self.user, name, key), "device_display_name": f"The {name}"}
            for name, key in self.devices.items()]})

    def update(self, device, key, previous, stream=None):
        """Changes a device -> the EDU that tells it."""
        self.stream = stream or self.stream + 1
        if key:
            self.devices[device] = key
        else:
            del self.devices[device]
        content = {"user_id": self.user, "device_id": device, "stream_id": self.stream, "prev_id": previous}
        content.update({"keys": device_keys(self.user, device, key)} if key else {"deleted": True})
        return {"edu_type": "m.device_list_update", "content": content}

    async def seen_by(self, client):
        answer = await client.post(QUERY, {"device_keys": {self.user: []}})
        assert not answer["failures"], answer
        return {name: keys["keys"][f"ed25519:{name}"] for name, keys in answer["device_keys"][self.user].items()}


async def changed(client, since, user):
    """Waits until a sync names the user among those with other devices -> the token after it."""
    for _ in range(40):
        answer = await client.sync(since, timeout=5000)
        since = answer["next_batch"]
        if user in answer.get("device_lists", {}).get("changed", []):
            return since
    raise AssertionError(f"nothing was told of the devices of {user}")


async def test_a_list_is_fetched_once_and_followed(visit):  # noqa: F811
    alice, visitor = await visit()
    devices = Devices(visitor)
    since = (await alice.sync())["next_batch"]
    assert await devices.seen_by(alice) == {"PHONE": "one"}
    since = await changed(alice, since, visitor.user)
    await visitor.send(edus=[devices.update("LAPTOP", "two", [1]), devices.update("PHONE", None, [2])])
    since = await changed(alice, since, visitor.user)
    assert await devices.seen_by(alice) == {"LAPTOP": "two"}
    assert devices.asked == 1
    # One that is missing: the server asks again by itself, and only then tells its users.
    devices.update("LOST", "three", [3])
    await visitor.send(edus=[devices.update("LAPTOP", "four", [4])])
    since = await changed(alice, since, visitor.user)
    assert await devices.seen_by(alice) == {"LAPTOP": "four", "LOST": "three"}
    assert devices.asked == 2


async def test_a_list_that_cannot_be_fetched_is_fetched_later_also_after_a_restart(visit, martlet):  # noqa: F811
    alice, visitor = await visit()
    devices = Devices(visitor)
    assert await devices.seen_by(alice) == {"PHONE": "one"}
    since = (await alice.sync())["next_batch"]
    devices.broken = True
    await visitor.send(edus=[devices.update("LAPTOP", "two", [77])])

    async def asked():
        return devices.asked == 2
    await until("the question for the list", asked)
    answer = await alice.post(QUERY, {"device_keys": {visitor.user: []}})
    assert list(answer["failures"]) == [visitor.partner.name]
    await martlet.kill()
    await martlet.start()
    devices.broken = False
    # Half a minute after the failure it is asked again, though nobody asks for it.
    await changed(alice, since, visitor.user)
    assert await devices.seen_by(alice) == {"PHONE": "one", "LAPTOP": "two"}


async def test_who_left_and_came_back_is_asked_for_anew(visit):  # noqa: F811
    alice, visitor = await visit()
    devices = Devices(visitor)
    assert await devices.seen_by(alice) == {"PHONE": "one"}
    since = (await alice.sync())["next_batch"]
    leave = visitor.event("m.room.member", {"membership": "leave"}, visitor.user)
    await visitor.send(leave)
    await becomes(alice, visitor.room, visitor.user, "leave")
    answer = await alice.sync(since)
    assert visitor.user in answer["device_lists"]["left"]
    # Nothing is told of it: no room is shared.
    devices.devices = {"OTHER": "new"}
    await visitor.join()
    await becomes(alice, visitor.room, visitor.user, "join")
    await changed(alice, answer["next_batch"], visitor.user)
    assert await devices.seen_by(alice) == {"OTHER": "new"}


async def test_messages_to_devices_arrive_once(visit, martlet):  # noqa: F811
    alice, visitor = await visit()

    def message(id, content, sender=None, to=None):
        return {"edu_type": "m.direct_to_device", "content": {
            "sender": sender or visitor.user, "type": "m.test", "message_id": id, "messages": {alice.user: {to or alice.device: content}}}}

    await visitor.send(edus=[message("1", {"n": 1}), message("1", {"n": 1}), message("2", {"n": 2}, to="*"),
                             message("3", {"n": 3}, sender=alice.user), message("4", {"n": 4}, to="NOWHERE"), message("5", "none")])
    await martlet.restart()
    await visitor.send(edus=[message("1", {"n": 1}), message("2", {"n": 2}), message("6", {"n": 6})])
    events = (await alice.sync())["to_device"]["events"]
    assert [e["content"]["n"] for e in events] == [1, 2, 6]
    assert {e["sender"] for e in events} == {visitor.user}


async def test_what_one_server_tells_of_others_is_dropped_and_the_rest_of_its_transaction_is_not(visit):  # noqa: F811
    alice, visitor = await visit()
    partner = visitor.partner
    stranger = f"@stranger:{partner.name}"
    message = await alice.send(visitor.room, "hello")
    since = (await alice.sync())["next_batch"]

    def typing(user, room=visitor.room):
        return {"edu_type": "m.typing", "content": {"user_id": user, "room_id": room, "typing": True}}

    def receipt(user):
        return {"edu_type": "m.receipt", "content": {visitor.room: {"m.read": {user: {"event_ids": [message], "data": {"ts": now()}}}}}}

    def presence(user):
        return {"edu_type": "m.presence", "content": {"push": [{"user_id": user, "presence": "online", "last_active_ago": 1}]}}

    nested = {}
    for _ in range(90):
        nested = {"x": nested}
    await visitor.send(edus=[
        *(make(user) for make in (typing, receipt, presence) for user in (alice.user, stranger, "@a:other.example", "nonsense")),
        typing(visitor.user, "!nowhere:x"), {"edu_type": "m.typing"}, {"edu_type": 5, "content": {}}, {"content": {}}, "text", None,
        {"edu_type": "m.device_list_update", "content": {"user_id": alice.user, "device_id": "X", "stream_id": 1}},
        {"edu_type": "m.signing_key_update", "content": {"user_id": alice.user, "master_key": {}}},
        {"edu_type": "m.presence", "content": {"push": [5, {}]}}, {"edu_type": "m.receipt", "content": nested},
        {"edu_type": "m.direct_to_device", "content": {"sender": visitor.user, "messages": nested}},
        typing(visitor.user), receipt(visitor.user), presence(visitor.user)])
    answer = await alice.sync(since)
    events = {e["type"]: e["content"] for e in answer["rooms"]["join"][visitor.room]["ephemeral"]["events"]}
    assert events["m.typing"]["user_ids"] == [visitor.user]
    assert events["m.receipt"] == {message: {"m.read": {visitor.user: events["m.receipt"][message]["m.read"][visitor.user]}}}

    async def there():
        seen = (await alice.sync())["presence"]["events"]
        return {e["sender"] for e in seen if e["content"]["presence"] == "online"} - {alice.user} == {visitor.user}
    await until("the presence", there)


async def test_a_server_that_a_room_shuts_out_tells_nothing_of_it(visit):  # noqa: F811
    alice, visitor = await visit()
    await alice.state(visitor.room, "m.room.server_acl", {"allow": ["*"], "deny": ["127.0.0.4"], "allow_ip_literals": True})
    since = (await alice.sync())["next_batch"]
    await visitor.send(edus=[{"edu_type": "m.typing", "content": {"user_id": visitor.user, "room_id": visitor.room, "typing": True}}])
    await asyncio.sleep(0.5)
    assert "rooms" not in await alice.sync(since)


async def test_many_changes_make_few_questions(visit):  # noqa: F811
    alice, visitor = await visit()
    devices = Devices(visitor)
    assert await devices.seen_by(alice) == {"PHONE": "one"}
    begun = time.monotonic()
    # Each follows upon something that was never told.
    await asyncio.gather(*(
        visitor.send(edus=[devices.update(f"D{n}-{m}", "x", [100_000 + n * 100 + m], 1000 + n * 100 + m) for m in range(50)])
        for n in range(4)))
    assert time.monotonic() - begun < 20

    async def right():
        return await devices.seen_by(alice) == devices.devices
    await until("all devices", right)
    assert devices.asked < 60, devices.asked
    await alice.get(in_room(visitor.room, "joined_members"))
