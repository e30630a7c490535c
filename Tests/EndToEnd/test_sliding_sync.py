"""Simplified sliding sync (MSC4186)."""

import asyncio
import random

import pytest

from homeserver import MatrixFailure

PATH = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
EVERYTHING = [["*", "*"]]


async def slide(client, pos=None, timeout=0, **body):
    query = f"?timeout={timeout}" + (f"&pos={pos}" if pos else "")
    return await client.post(PATH + query, body)


def window(*ranges, required=(("m.room.name", ""),), limit=10, **filters):
    room = {"ranges": [list(r) for r in ranges], "required_state": [list(p) for p in required], "timeline_limit": limit}
    return {"all": {**room, "filters": filters} if filters else room}


def bodies(room):
    return [e["content"].get("body", e["type"]) for e in room.get("timeline", [])]


def state_of(room):
    return {(e["type"], e["state_key"]): e["event_id"] for e in room.get("required_state", [])}


def shown(answer, name="all"):
    return answer["lists"][name]["ops"][0]["room_ids"]


async def rooms_of_two(people, count, **options):
    alice, bob = await people("alice", "bob")
    rooms = []
    for number in range(count):
        room = await alice.create_room(preset="public_chat", name=f"Room {number}", **options)
        await bob.join(room)
        rooms.append(room)
    return alice, bob, rooms


async def test_versions_announce_it(server, people):
    alice = await people("alice")
    assert (await alice.get("/_matrix/client/versions"))["unstable_features"]["org.matrix.simplified_msc3575"] is True


async def test_windows_sorted_by_recency(server, people):
    alice, bob, rooms = await rooms_of_two(people, 4)
    await alice.send(rooms[1], "up")
    answer = await slide(bob, lists=window((0, 1)))
    assert answer["lists"]["all"] == {"count": 4, "ops": [
        {"op": "SYNC", "range": [0, 1], "room_ids": [rooms[1], rooms[3]]}]}
    room = answer["rooms"][rooms[1]]
    assert room["initial"] and room["name"] == "Room 1" and room["joined_count"] == 2 and room["invited_count"] == 0
    assert bodies(room)[-1] == "up" and room["num_live"] == 0 and room["prev_batch"]
    assert room["notification_count"] == 1 and "heroes" not in room
    assert set(answer["rooms"]) == {rooms[1], rooms[3]}
    sent = await alice.send(rooms[0], "and this")
    later = await slide(bob, answer["pos"], lists=window((0, 1)))
    assert shown(later) == [rooms[0], rooms[1]] and set(later["rooms"]) == {rooms[0]}
    assert later["rooms"][rooms[0]]["timeline"][-1]["event_id"] == sent and later["rooms"][rooms[0]]["num_live"] == 1
    nothing = await slide(bob, later["pos"], lists=window((0, 1)))
    assert nothing["rooms"] == {} and nothing["lists"]["all"]["count"] == 4


async def test_growing_ranges_agree_with_an_initial_sync(server, people):
    alice, bob, rooms = await rooms_of_two(people, 12)
    generator = random.Random(7)
    known, timelines, pos = {}, {}, None

    def take(answer):
        for room, section in answer["rooms"].items():
            if section.get("initial"):
                known[room], timelines[room] = {}, []
            known.setdefault(room, {}).update(state_of(section))
            timelines.setdefault(room, [])
            timelines[room] += [e["event_id"] for e in section.get("timeline", []) if e["event_id"] not in timelines[room]]
        return answer["pos"]

    for last in (0, 2, 5, 8, 11, 50):
        pos = take(await slide(bob, pos, lists=window((0, last), required=EVERYTHING, limit=20)))
        for _ in range(3):
            room = generator.choice(rooms)
            if generator.random() < 0.5:
                await alice.send(room, "text")
            else:
                await alice.state(room, "m.room.topic", {"topic": str(generator.random())})
    pos = take(await slide(bob, pos, lists=window((0, 50), required=EVERYTHING, limit=20)))
    whole = await bob.sync(filter={"room": {"timeline": {"limit": 20}}}, use_state_after="true")
    joined = whole["rooms"]["join"]
    assert set(known) == set(joined) == set(rooms)
    for room, section in joined.items():
        assert known[room] == state_of({"required_state": section["state_after"]["events"]}), room
        expected = [e["event_id"] for e in section["timeline"]["events"]]
        assert timelines[room][-len(expected):] == expected, room


@pytest.mark.parametrize("how", ["restart", "kill"])
async def test_a_restart_between_two_requests(server, people, how):
    alice, bob, rooms = await rooms_of_two(people, 3)
    lists = window((0, 9), required=EVERYTHING)
    first = await slide(bob, lists=lists)
    await alice.send(rooms[0], "one")
    second = await slide(bob, first["pos"], lists=lists)
    assert bodies(second["rooms"][rooms[0]]) == ["one"]
    if how == "restart":
        await server.restart()
    else:
        await server.kill()
        await server.start()
    await alice.send(rooms[1], "two")
    third = await slide(bob, second["pos"], lists=lists)
    assert bodies(third["rooms"][rooms[1]])[-1] == "two"
    assert "initial" not in third["rooms"][rooms[1]]
    if how == "restart":
        assert set(third["rooms"]) == {rooms[1]} and bodies(third["rooms"][rooms[1]]) == ["two"]
    fourth = await slide(bob, third["pos"], lists=lists)
    assert fourth["rooms"] == {}


async def test_the_same_position_gives_the_same_answer_and_an_old_one_is_unknown(server, people):
    alice, bob, (room,) = await rooms_of_two(people, 1)
    first = await slide(bob, lists=window((0, 9)))
    await alice.send(room, "one")
    lost = await slide(bob, first["pos"], lists=window((0, 9)))
    await alice.send(room, "two")
    again = await slide(bob, first["pos"], lists=window((0, 9)))
    assert bodies(lost["rooms"][room]) == ["one"] and bodies(again["rooms"][room]) == ["one", "two"]
    assert (await slide(bob, again["pos"], lists=window((0, 9))))["rooms"] == {}
    for pos in (first["pos"], lost["pos"], "99-1/s1"):
        with pytest.raises(MatrixFailure) as refused:
            await slide(bob, pos, lists=window((0, 9)))
        assert (refused.value.status, refused.value.errcode) == (400, "M_UNKNOWN_POS")
    with pytest.raises(MatrixFailure) as refused:
        await slide(bob, "nonsense", lists=window((0, 9)))
    assert refused.value.status == 400


async def test_long_polling(server, people):
    alice, bob, (room,) = await rooms_of_two(people, 1)
    first = await slide(bob, lists=window((0, 9)))
    waiting = asyncio.create_task(slide(bob, first["pos"], timeout=15000, lists=window((0, 9))))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await alice.send(room, "now")
    answer = await asyncio.wait_for(waiting, 5)
    assert bodies(answer["rooms"][room]) == ["now"]
    empty = await slide(bob, answer["pos"], timeout=100, lists=window((0, 9)))
    assert empty["rooms"] == {}


async def test_subscriptions_required_state_and_expansion(server, people):
    alice, bob, rooms = await rooms_of_two(people, 2, topic="Old")
    for text in "abc":
        await alice.send(rooms[0], text)
    lists = window((0, 9), limit=1)
    first = await slide(bob, lists=lists)
    assert bodies(first["rooms"][rooms[0]]) == ["c"] and set(state_of(first["rooms"][rooms[0]])) == {("m.room.name", "")}
    subscription = {rooms[0]: {"required_state": [["m.room.topic", ""], ["m.room.member", "$ME"]], "timeline_limit": 3}}
    second = await slide(bob, first["pos"], lists=lists, room_subscriptions=subscription)
    room = second["rooms"][rooms[0]]
    assert set(second["rooms"]) == {rooms[0]} and room["unstable_expanded_timeline"] and bodies(room) == ["a", "b", "c"]
    assert set(state_of(room)) == {("m.room.topic", ""), ("m.room.member", bob.user)}
    # Unsubscribing and subscribing again brings nothing that the client has.
    third = await slide(bob, second["pos"], lists=lists)
    fourth = await slide(bob, third["pos"], lists=lists, room_subscriptions=subscription)
    assert third["rooms"] == fourth["rooms"] == {}
    topic = await alice.state(rooms[0], "m.room.topic", {"topic": "New"})
    fifth = await slide(bob, fourth["pos"], lists=lists, room_subscriptions=subscription)
    assert state_of(fifth["rooms"][rooms[0]]) == {("m.room.topic", ""): topic}
    # A room that one has nothing to do with is left out.
    secret = await alice.create_room(preset="private_chat")
    answer = await slide(bob, fifth["pos"], room_subscriptions={secret: {"required_state": [], "timeline_limit": 1}})
    assert secret not in answer["rooms"]


async def test_invites_knocks_kicks_and_leaving(server, people):
    alice, bob = await people("alice", "bob")
    invited = await alice.create_room(preset="private_chat", name="Den", invite=[bob.user])
    room = await alice.create_room(preset="public_chat", name="Hall")
    await bob.join(room)
    first = await slide(bob, lists=window((0, 9)))
    section = first["rooms"][invited]
    assert section["initial"] and "timeline" not in section and "limited" not in section and section["name"] == "Den"
    assert {"m.room.create", "m.room.member"} <= {e["type"] for e in section["invite_state"]}
    only = await slide(bob, lists=window((0, 9), is_invite=True))
    assert shown(only) == [invited]
    first = await slide(bob, lists=window((0, 9)))
    await alice.post(f"{alice.room(room)}/kick", {"user_id": bob.user})
    second = await slide(bob, first["pos"], lists=window((0, 9)))
    assert second["rooms"][room]["timeline"][-1]["content"]["membership"] == "leave"
    # What others have removed the user from stays in the list until it is forgotten.
    assert (await slide(bob, lists=window((0, 9))))["lists"]["all"]["count"] == 2
    await bob.post(f"{bob.room(room)}/forget")
    assert shown(await slide(bob, lists=window((0, 9)))) == [invited]
    await bob.join(invited)
    first = await slide(bob, lists=window((0, 9)))
    await bob.leave(invited)
    left = await slide(bob, first["pos"], lists=window((0, 9)))
    assert left["rooms"][invited]["timeline"][-1]["state_key"] == bob.user
    assert left["rooms"][invited]["timeline"][-1]["unsigned"]["membership"] == "leave"
    gone = await slide(bob, left["pos"], lists=window((0, 9)))
    assert gone["lists"]["all"] == {"count": 0, "ops": [{"op": "SYNC", "range": [0, 9], "room_ids": []}]}


async def test_filters(server, people):
    alice, bob = await people("alice", "bob")
    plain = await alice.create_room(preset="public_chat")
    space = await alice.create_room(preset="public_chat", creation_content={"type": "m.space"})
    secret = await alice.create_room(preset="public_chat", initial_state=[
        {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}])
    await alice.put(f"/_matrix/client/v3/user/{alice.user}/account_data/m.direct", {bob.user: [secret]})
    await alice.put(f"/_matrix/client/v3/user/{alice.user}/rooms/{plain}/tags/m.favourite", {"order": 0.5})
    for filters, expected in [
        ({"is_encrypted": True}, {secret}), ({"is_encrypted": False}, {plain, space}), ({"is_dm": True}, {secret}),
        ({"is_dm": False}, {plain, space}), ({"room_types": ["m.space"]}, {space}), ({"room_types": [None]}, {plain, secret}),
        ({"not_room_types": ["m.space"]}, {plain, secret}), ({"tags": ["m.favourite"]}, {plain}),
        ({"not_tags": ["m.favourite"]}, {space, secret}), ({"is_invite": True}, set()),
    ]:
        answer = await slide(alice, lists=window((0, 9), **filters))
        assert set(shown(answer)) == expected, filters
    answer = await slide(alice, lists=window((0, 9), is_encrypted=False))
    await alice.state(plain, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    answer = await slide(alice, answer["pos"], lists=window((0, 9), is_encrypted=False))
    assert shown(answer) == [space]
    assert (await slide(alice, lists=window((0, 9), is_dm=True)))["rooms"][secret]["is_dm"] is True


async def test_the_rooms_of_a_space(server, people):
    alice, bob = await people("alice", "bob")
    space = await alice.create_room(preset="public_chat", creation_content={"type": "m.space"})
    inside, outside, strange = [await alice.create_room(name=name) for name in ("inside", "outside", "strange")]
    foreign = await bob.create_room(preset="public_chat", creation_content={"type": "m.space"})
    await bob.state(foreign, "m.space.child", {"via": ["test.example"]}, strange)

    async def child(room, content):
        await alice.state(space, "m.space.child", content, room)

    wanted = window((0, 9), spaces=[space, foreign, "!nowhere:test.example"])
    await child(inside, {"via": ["test.example"]})
    answer = await slide(alice, lists=wanted)
    assert shown(answer) == [inside] and answer["lists"]["all"]["count"] == 1
    # What comes into the space is told at once, also to who waits; what has no servers is no child any more.
    waiting = asyncio.create_task(slide(alice, answer["pos"], timeout=20000, lists=wanted))
    await asyncio.sleep(0.2)
    await child(outside, {"via": ["test.example"]})
    answer = await waiting
    assert set(shown(answer)) == {inside, outside} and answer["rooms"][outside]["initial"]
    await child(inside, {})
    answer = await slide(alice, answer["pos"], lists=wanted)
    assert shown(answer) == [outside]
    # A space counts while one is in it.
    await alice.join(foreign)
    answer = await slide(alice, answer["pos"], lists=wanted)
    assert set(shown(answer)) == {outside, strange}
    await alice.leave(foreign)
    answer = await slide(alice, answer["pos"], lists=wanted)
    assert shown(answer) == [outside]


async def test_extensions(server, people):
    alice, bob, (room,) = await rooms_of_two(people, 1)
    event = await bob.send(room, "read me")
    wanted = {name: {"enabled": True} for name in ("to_device", "e2ee", "account_data", "receipts", "typing",
                                                   "io.element.msc4308.thread_subscriptions")}
    first = await slide(bob, lists=window((0, 9)), extensions=wanted)
    extensions = first["extensions"]
    assert extensions["to_device"]["events"] == [] and int(extensions["to_device"]["next_batch"]) >= 0
    assert extensions["e2ee"]["device_one_time_keys_count"] == {"signed_curve25519": 0}
    assert "device_lists" not in extensions["e2ee"]
    assert "m.push_rules" in [d["type"] for d in extensions["account_data"]["global"]]
    since = extensions["to_device"]["next_batch"]

    await alice.put("/_matrix/client/v3/sendToDevice/m.test/1", {"messages": {bob.user: {bob.device: {"n": 1}}}})
    await alice.post(f"{alice.room(room)}/receipt/m.read/{event}")
    await alice.put(f"{alice.room(room)}/typing/{alice.user}", {"typing": True, "timeout": 20000})
    await bob.put(f"/_matrix/client/v3/user/{bob.user}/rooms/{room}/account_data/org.example", {"a": 1})
    asked = {**wanted, "to_device": {"enabled": True, "since": since}}
    second = await slide(bob, first["pos"], lists=window((0, 9)), extensions=asked)
    extensions = second["extensions"]
    assert [e["content"] for e in extensions["to_device"]["events"]] == [{"n": 1}]
    assert alice.user in extensions["receipts"]["rooms"][room]["content"][event]["m.read"]
    assert extensions["typing"]["rooms"][room] == {"type": "m.typing", "content": {"user_ids": [alice.user]}}
    assert extensions["account_data"]["rooms"][room] == [{"type": "org.example", "content": {"a": 1}}]
    assert extensions["e2ee"]["device_lists"] == {"changed": [], "left": []}
    assert "io.element.msc4308.thread_subscriptions" not in extensions, "the operator does not want it"
    # Confirmed, the message is gone; unconfirmed, it would come again.
    again = await slide(bob, first["pos"], lists=window((0, 9)), extensions=asked)
    assert len(again["extensions"]["to_device"]["events"]) == 1
    asked["to_device"]["since"] = again["extensions"]["to_device"]["next_batch"]
    third = await slide(bob, again["pos"], lists=window((0, 9)), extensions=asked)
    assert third["extensions"]["to_device"]["events"] == [] and third["extensions"]["receipts"]["rooms"] == {}
    # A list that an extension is not about.
    scoped = {"receipts": {"enabled": True, "lists": [], "rooms": []}}
    fresh = await slide(bob, lists=window((0, 9)), extensions=scoped)
    assert fresh["extensions"]["receipts"]["rooms"] == {}
    only = await slide(bob, extensions={"e2ee": {"enabled": True}}, conn_id="encryption")
    assert only["rooms"] == {} and "lists" not in only
    assert (await slide(bob, only["pos"], extensions={"e2ee": {"enabled": True}}, conn_id="encryption"))["rooms"] == {}


async def test_account_data_of_a_room_that_one_is_invited_to(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(invite=[bob.user])
    wanted = {"account_data": {"enabled": True}}
    first = await slide(bob, lists=window((0, 9)), extensions=wanted)
    assert room in first["rooms"]
    await bob.put(f"/_matrix/client/v3/user/{bob.user}/rooms/{room}/account_data/org.example", {"a": 1})
    second = await slide(bob, first["pos"], lists=window((0, 9)), extensions=wanted)
    assert second["extensions"]["account_data"]["rooms"] == {room: [{"type": "org.example", "content": {"a": 1}}]}


async def test_connections_do_not_know_of_each_other(server, people):
    alice, bob, (room,) = await rooms_of_two(people, 1)
    first = await slide(bob, lists=window((0, 9)), conn_id="a")
    other = await slide(bob, lists=window((0, 9)), conn_id="b")
    await alice.send(room, "both")
    for answer, name in ((first, "a"), (other, "b")):
        later = await slide(bob, answer["pos"], lists=window((0, 9)), conn_id=name)
        assert bodies(later["rooms"][room]) == ["both"]
    with pytest.raises(MatrixFailure) as refused:
        await slide(bob, first["pos"], lists=window((0, 9)), conn_id="c")
    assert refused.value.errcode == "M_UNKNOWN_POS"


@pytest.mark.parametrize("body", [
    {"lists": {"a": {}}}, {"lists": {"a": {"required_state": [], "timeline_limit": 1001}}},
    {"lists": {"a": {"required_state": [["x"]], "timeline_limit": 1}}},
    {"lists": {"a": {"required_state": [], "timeline_limit": 1, "ranges": [[0, -1]]}}},
    {"lists": {f"l{n}": {"required_state": [], "timeline_limit": 1} for n in range(101)}},
    {"extensions": {"to_device": {"enabled": True, "since": "x"}}}, {"conn_id": 7}, {"room_subscriptions": []},
])
async def test_malformed_requests_are_refused(server, people, body):
    alice = await people("alice")
    with pytest.raises(MatrixFailure) as refused:
        await slide(alice, **body)
    assert refused.value.status == 400


async def test_a_range_of_a_billion(server, people):
    alice, bob, (room,) = await rooms_of_two(people, 1)
    answer = await slide(bob, lists=window((0, 10**9), (10**9, 2 * 10**9), (5, 1)))
    assert [op["room_ids"] for op in answer["lists"]["all"]["ops"]] == [[room], [], []]
