"""Reading the past of rooms: pages, single events, surroundings, times, the first version's stream and snapshots."""

import asyncio
import json
import time
from urllib.parse import quote

import pytest

from homeserver import MatrixFailure

V1, V3, OLD = "/_matrix/client/v1", "/_matrix/client/v3", "/_matrix/client/api/v1"


async def refused(awaitable, status, errcode):
    with pytest.raises(MatrixFailure) as failure:
        await awaitable
    assert (failure.value.status, failure.value.errcode) == (status, errcode), failure.value


def bodies(events):
    return [e["content"].get("body") for e in events if e["type"] == "m.room.message"]


def q(text):
    return quote(text, safe="")


async def test_pages_in_both_directions_with_filters(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    for i in range(12):
        await (alice if i % 3 else bob).send(room, str(i))
    whole = await alice.messages(room, limit=5)
    assert bodies(whole) == [str(i) for i in reversed(range(12))]
    assert all(e["room_id"] == room and e["unsigned"]["membership"] in ("join", "leave") for e in whole)

    nothing = await alice.get(f"{alice.room(room)}/messages?dir=b&limit=0")
    assert nothing["chunk"] == [] and nothing["end"] == nothing["start"]
    first = await alice.get(f"{alice.room(room)}/messages?dir=f&limit=3")
    assert first["chunk"][0]["type"] == "m.room.create" and first["start"] and first["end"]
    seen, start = [], None
    while True:
        page = await alice.get(f"{alice.room(room)}/messages?dir=f&limit=4" + (f"&from={start}" if start else ""))
        if not page["chunk"]:
            assert "end" not in page
            break
        seen += page["chunk"]
        start = page["end"]
    assert [e["event_id"] for e in seen] == [e["event_id"] for e in reversed(whole)]

    only_bob = q(json.dumps({"senders": [bob.user], "types": ["m.room.message"], "lazy_load_members": True}))
    page = await alice.get(f"{alice.room(room)}/messages?dir=b&limit=2&filter={only_bob}")
    assert bodies(page["chunk"]) == ["9", "6"] and [m["state_key"] for m in page["state"]] == [bob.user]
    rest = await alice.get(f"{alice.room(room)}/messages?dir=b&filter={only_bob}&from={page['end']}")
    assert bodies(rest["chunk"]) == ["3", "0"]
    bounded = await alice.get(f"{alice.room(room)}/messages?dir=b&limit=100&to={page['end']}&filter={only_bob}")
    assert bodies(bounded["chunk"]) == ["9", "6"]

    for query in ("dir=x", "", "dir=b&limit=-1", "dir=b&limit=x", "dir=b&from=nonsense", "dir=b&filter=nojson", "dir=b&filter=[]"):
        with pytest.raises(MatrixFailure) as failure:
            await alice.get(f"{alice.room(room)}/messages?{query}")
        assert failure.value.status == 400
    assert (await alice.get(f"{alice.room(room)}/messages?dir=b&limit=99999999999"))["chunk"]
    assert (await alice.get(f"{OLD}/rooms/{q(room)}/messages?dir=b"))["chunk"]


async def test_an_initial_sync_of_a_small_room_can_be_paged_from(server, people):
    alice = await people("alice")
    room = await alice.create_room(preset="public_chat")
    await alice.send(room, "hello")
    section = (await alice.sync())["rooms"]["join"][room]
    assert not section["timeline"]["limited"]
    page = await alice.get(f"{alice.room(room)}/messages?dir=b&from={section['timeline']['prev_batch']}")
    assert page["chunk"][0]["content"].get("body") == "hello"
    last = await alice.get(f"{alice.room(room)}/messages?dir=b&from={page['end']}")
    assert last["chunk"] == [] and "end" not in last


async def test_single_events_and_their_surroundings(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="private_chat")
    ids = [await alice.send(room, str(i)) for i in range(7)]
    for path in (f"{V3}/rooms/{q(room)}/event", f"/_matrix/client/r0/rooms/{q(room)}/event", f"{V3}/events", f"{OLD}/events"):
        assert (await alice.get(f"{path}/{q(ids[3])}"))["content"]["body"] == "3"
    around = await alice.get(f"{alice.room(room)}/context/{q(ids[3])}?limit=4")
    assert around["event"]["event_id"] == ids[3]
    assert bodies(around["events_before"]) == ["2", "1"] and bodies(around["events_after"]) == ["4", "5"]
    assert any(e["type"] == "m.room.create" for e in around["state"])
    before = await alice.get(f"{alice.room(room)}/messages?dir=b&limit=1&from={around['start']}")
    after = await alice.get(f"{alice.room(room)}/messages?dir=f&limit=1&from={around['end']}")
    assert bodies(before["chunk"]) == ["0"] and bodies(after["chunk"]) == ["6"]
    lazy = q(json.dumps({"lazy_load_members": True, "types": ["m.room.message", "m.room.member"]}))
    few = await alice.get(f"{alice.room(room)}/context/{q(ids[3])}?limit=0&filter={lazy}")
    assert few["events_before"] == few["events_after"] == []
    assert [(e["type"], e["state_key"]) for e in few["state"]] == [("m.room.member", alice.user)]

    await refused(bob.get(f"{bob.room(room)}/event/{q(ids[0])}"), 404, "M_NOT_FOUND")
    await refused(bob.get(f"{bob.room(room)}/context/{q(ids[0])}"), 403, "M_FORBIDDEN")
    await refused(alice.get(f"{alice.room(room)}/event/%24unknown"), 404, "M_NOT_FOUND")
    await refused(alice.get(f"{alice.room(room)}/context/%24unknown"), 404, "M_NOT_FOUND")


async def test_time_to_event(server, people):
    alice = await people("alice")
    room = await alice.create_room(preset="public_chat")
    await alice.send(room, "early")
    await asyncio.sleep(0.05)
    middle = int(time.time() * 1000)
    await asyncio.sleep(0.05)
    late = await alice.send(room, "late")
    for base in (f"{V1}/rooms", "/_matrix/client/unstable/org.matrix.msc3030/rooms"):
        assert (await alice.get(f"{base}/{q(room)}/timestamp_to_event?ts={middle}&dir=f"))["event_id"] == late
    found = await alice.get(f"{V1}/rooms/{q(room)}/timestamp_to_event?ts={middle}&dir=b")
    assert found["origin_server_ts"] <= middle
    await refused(alice.get(f"{V1}/rooms/{q(room)}/timestamp_to_event?ts={middle + 10**9}&dir=f"), 404, "M_NOT_FOUND")
    await refused(alice.get(f"{V1}/rooms/{q(room)}/timestamp_to_event"), 400, "M_MISSING_PARAM")


async def test_who_left_reads_up_to_there_and_who_forgot_nothing(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat", topic="old")
    await bob.join(room)
    await alice.send(room, "before")
    await bob.leave(room)
    await alice.send(room, "after")
    await alice.state(room, "m.room.topic", {"topic": "new"})
    assert "after" not in bodies(await bob.messages(room)) and "before" in bodies(await bob.messages(room))
    assert (await bob.get(f"{bob.room(room)}/state/m.room.topic"))["topic"] == "old"
    members = (await bob.get(f"{bob.room(room)}/members"))["chunk"]
    assert {m["state_key"]: m["content"]["membership"] for m in members} == {alice.user: "join", bob.user: "leave"}
    await bob.post(f"{bob.room(room)}/forget")
    for path in ("messages?dir=b", "state", "members", "initialSync"):
        await refused(bob.get(f"{bob.room(room)}/{path}"), 403, "M_FORBIDDEN")


async def test_who_left_what_all_the_world_may_read_is_no_worse_off_than_a_stranger(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(
        preset="public_chat",
        initial_state=[{"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}}])
    await bob.join(room)
    await bob.leave(room)
    event = await alice.send(room, "after")
    assert (await bob.get(f"{bob.room(room)}/event/{q(event)}"))["content"]["body"] == "after"
    assert (await bob.get(f"{bob.room(room)}/context/{q(event)}?limit=2"))["event"]["event_id"] == event
    assert bodies(await bob.messages(room)) == ["after"]
    snapshot = await bob.get(f"{bob.room(room)}/initialSync")
    assert snapshot["membership"] == "leave" and snapshot["messages"]["chunk"][-1]["state_key"] == bob.user


async def test_ignored_users_are_silent(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    noise = await bob.send(room, "noise")
    await alice.put(f"{V3}/user/{q(alice.user)}/account_data/m.ignored_user_list", {"ignored_users": {bob.user: {}}})
    assert bodies(await alice.messages(room)) == []
    await refused(alice.get(f"{alice.room(room)}/event/{q(noise)}"), 404, "M_NOT_FOUND")
    await alice.put(f"{V3}/user/{q(alice.user)}/account_data/m.ignored_user_list", {"ignored_users": {}})
    assert bodies(await alice.messages(room)) == ["noise"]
    await refused(alice.put(f"{V3}/user/{q(alice.user)}/account_data/m.ignored_user_list", {"ignored_users": {alice.user: {}}}),
                  400, "M_INVALID_PARAM")


async def test_the_first_versions_stream_and_snapshots(server, people):
    alice, bob, carol = await people("alice", "bob", "carol")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    await alice.send(room, "hello")
    everything = await bob.get(f"{V3}/initialSync?limit=1")
    shown = next(r for r in everything["rooms"] if r["room_id"] == room)
    assert shown["membership"] == "join" and shown["visibility"] == "private" and bodies(shown["messages"]["chunk"]) == ["hello"]
    member = next(e for e in shown["state"] if e.get("state_key") == bob.user)
    assert member["user_id"] == bob.user
    one = await bob.get(f"{bob.room(room)}/initialSync?limit=0")
    assert one["messages"]["chunk"] == [] and one["presence"] is not None and one["membership"] == "join"

    start = (await bob.get("/_matrix/client/r0/events?timeout=0"))["end"]
    waiting = asyncio.create_task(bob.get(f"{V3}/events?timeout=20000&from={start}"))
    await asyncio.sleep(0.1)
    await alice.send(room, "news")
    assert bodies((await waiting)["chunk"]) == ["news"]

    await refused(carol.get(f"{V3}/events?timeout=0&room_id={q(room)}"), 403, "M_FORBIDDEN")
    await refused(carol.get(f"{carol.room(room)}/initialSync"), 403, "M_FORBIDDEN")
    await alice.state(room, "m.room.history_visibility", {"history_visibility": "world_readable"})
    await alice.send(room, "open")
    preview = await carol.get(f"{carol.room(room)}/initialSync")
    assert [e["type"] for e in preview["messages"]["chunk"]] == ["m.room.history_visibility", "m.room.message"]
    assert "membership" not in preview
    await alice.send(room, "more")
    heard = await carol.get(f"{V3}/events?timeout=0&room_id={q(room)}&from={preview['messages']['end']}")
    assert bodies(heard["chunk"]) == ["more"]
    for query in ("limit=x", "limit=-2", "timeout=x", "from=x"):
        with pytest.raises(MatrixFailure) as failure:
            await bob.get(f"{V3}/events?{query}")
        assert failure.value.status == 400


async def test_erased_users_are_read_only_by_those_who_were_there(server, people):
    alice, bob, carol = await people("alice", "bob", "carol")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    await alice.send(room, "body1")
    await carol.join(room)
    body = {"auth": {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}, "password": alice.password}, "erase": True}
    status, _, answer = await alice.raw("POST", f"{V3}/account/deactivate", body)
    if status == 401:
        body["auth"]["session"] = json.loads(answer)["session"]
        await alice.post(f"{V3}/account/deactivate", body)
    for when in ("at once", "after a restart"):
        assert bodies(await bob.messages(room)) == ["body1"], when
        assert [e["content"] for e in await carol.messages(room) if e["type"] == "m.room.message"] == [{}], when
        for reader, content in ((bob, "body1"), (carol, None)):
            timeline = (await reader.sync())["rooms"]["join"][room]["timeline"]["events"]
            assert bodies(timeline) == [content], when
        await server.restart()
