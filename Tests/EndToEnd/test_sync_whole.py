"""The parts of /sync that test_sync.py leaves out."""

import pytest

from homeserver import Homeserver, MatrixFailure, joined, room_of_two


def bodies(section):
    return [e["content"].get("body", e["type"]) for e in section["timeline"]["events"]]


def state_of(events):
    return {(e["type"], e["state_key"]): e["event_id"] for e in events if "state_key" in e}


@pytest.mark.parametrize("query,name", [({"use_state_after": "true"}, "state_after"),
                                        ({"org.matrix.msc4222.use_state_after": "true"}, "org.matrix.msc4222.state_after")])
async def test_state_after(server, people, query, name):
    alice, bob, room = await room_of_two(people)
    answer = await bob.sync(**query)
    section = joined(answer, room)
    assert "state" not in section and ("m.room.create", "") in state_of(section[name]["events"])
    topic = await alice.state(room, "m.room.topic", {"topic": "new"})
    section = joined(await bob.sync(answer["next_batch"], **query), room)
    assert state_of(section[name]["events"]) == {("m.room.topic", ""): topic}
    assert "state" not in section
    await alice.send(room, "no state")
    since = (await bob.sync())["next_batch"]
    await alice.send(room, "again")
    assert joined(await bob.sync(since, **query), room)[name] == {"events": []}


async def test_a_left_room_ends_at_the_leave_and_include_leave_shows_it(server, people):
    alice, bob, room = await room_of_two(people)
    since = (await bob.sync())["next_batch"]
    await alice.send(room, "before")
    await bob.leave(room)
    await alice.send(room, "after")
    # Each event tells who the reader was after it.
    told = (await bob.sync(since))["rooms"]["leave"][room]["timeline"]["events"]
    assert [(e["type"], e["unsigned"]["membership"]) for e in told] == [("m.room.message", "join"), ("m.room.member", "leave")]
    assert room not in (await bob.sync()).get("rooms", {}).get("leave", {})
    section = (await bob.sync(filter={"room": {"include_leave": True}}))["rooms"]["leave"][room]
    assert "before" in bodies(section) and "after" not in bodies(section)
    assert section["timeline"]["events"][-1]["state_key"] == bob.user
    await bob.post(f"{bob.room(room)}/forget")
    assert room not in (await bob.sync(filter={"room": {"include_leave": True}})).get("rooms", {}).get("leave", {})


@pytest.mark.parametrize("kind", ["sync", "sliding"])
async def test_what_somebody_reads_who_was_removed_leaves_no_gap_for_the_others(server, people, kind):
    alice, bob, room = await room_of_two(people)
    carol = await people("carol")
    await alice.post(f"{alice.room(room)}/kick", {"user_id": bob.user})
    for number in range(5):
        await alice.send(room, f"after {number}")
    # Nothing is in memory: what carol's joining tells is the end of the room, and bob reads the room up to where he was removed.
    await server.restart()
    await carol.sync()
    await carol.join(room)
    if kind == "sync":
        assert room in (await bob.sync())["rooms"]["leave"]
    else:
        window = {"ranges": [[0, 9]], "required_state": [], "timeline_limit": 10}
        answer = await bob.post("/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?timeout=0", {"lists": {"all": window}})
        assert room in answer["rooms"]
    said = bodies(joined(await carol.sync(filter={"room": {"timeline": {"limit": 20}}}), room))
    assert [text for text in said if text.startswith("after")] == [f"after {number}" for number in range(5)]


async def test_coming_back_brings_the_whole_room(server, people):
    alice, bob, room = await room_of_two(people, name="Den")
    since = (await bob.sync())["next_batch"]
    await bob.leave(room)
    await alice.send(room, "while away")
    await bob.join(room)
    section = joined(await bob.sync(since), room)
    assert section["timeline"]["limited"] is True
    known = state_of(section["state"]["events"] + section["timeline"]["events"])
    assert {("m.room.create", ""), ("m.room.name", ""), ("m.room.member", alice.user)} <= set(known)


async def test_a_ban_shows_as_leave_and_a_ban_before_an_initial_sync_too(server, people):
    alice, bob, room = await room_of_two(people)
    since = (await bob.sync())["next_batch"]
    await alice.post(f"{alice.room(room)}/ban", {"user_id": bob.user})
    for answer in (await bob.sync(since), await bob.sync()):
        event = answer["rooms"]["leave"][room]["timeline"]["events"][-1]
        assert event["content"]["membership"] == "ban" and event["state_key"] == bob.user


async def test_a_knock_has_stripped_state(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="private_chat", name="Den", initial_state=[
        {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}])
    since = (await bob.sync())["next_batch"]
    await bob.post("/_matrix/client/v3/knock/" + room.replace("!", "%21").replace(":", "%3A"))
    events = (await bob.sync(since))["rooms"]["knock"][room]["knock_state"]["events"]
    assert ("m.room.name", "") in {(e["type"], e["state_key"]) for e in events}


async def test_ignored_users(server, people):
    alice, bob, room = await room_of_two(people)
    since = (await bob.sync())["next_batch"]
    await bob.put(f"/_matrix/client/v3/user/{bob.user}/account_data/m.ignored_user_list", {"ignored_users": {alice.user: {}}})
    await alice.send(room, "unheard")
    await alice.state(room, "m.room.topic", {"topic": "state is told"})
    hidden = await alice.create_room(invite=[bob.user])
    answer = await bob.sync(since)
    assert bodies(joined(answer, room)) == ["m.room.topic"]
    assert hidden not in answer["rooms"].get("invite", {})
    assert hidden not in (await bob.sync()).get("rooms", {}).get("invite", {})


async def test_filters_of_every_part(server, people):
    alice, bob, room = await room_of_two(people)
    other = await alice.create_room(preset="public_chat")
    await bob.join(other)
    await alice.send(room, "text")
    await alice.send(room, {"msgtype": "m.file", "body": "file", "url": "mxc://a/b"})
    await bob.send(room, "mine")

    async def section(**room_filter):
        answer = await bob.sync(filter={"room": room_filter})
        return answer["rooms"].get("join", {})

    assert set(await section(rooms=[room])) == {room}
    assert set(await section(not_rooms=[room])) == {other}
    assert bodies((await section(timeline={"types": ["m.room.message"]}))[room]) == ["text", "file", "mine"]
    assert bodies((await section(timeline={"types": ["m.room.*"], "not_types": ["m.room.m*"], "limit": 100}))[room])[0] == "m.room.create"
    assert bodies((await section(timeline={"senders": [bob.user], "types": ["m.room.message"]}))[room]) == ["mine"]
    assert bodies((await section(timeline={"not_senders": [bob.user], "types": ["m.room.message"]}))[room]) == ["text", "file"]
    assert bodies((await section(timeline={"contains_url": True}))[room]) == ["file"]
    only = (await section(state={"types": ["m.room.create"]}, timeline={"limit": 1}))[room]
    assert [e["type"] for e in only["state"]["events"]] == ["m.room.create"]
    await bob.put(f"/_matrix/client/v3/user/{bob.user}/rooms/{room}/account_data/com.a", {})
    await bob.put(f"/_matrix/client/v3/user/{bob.user}/rooms/{room}/account_data/com.b", {})
    assert [e["type"] for e in (await section(account_data={"not_types": ["com.a"]}))[room]["account_data"]["events"]] == ["com.b"]
    fields = (await bob.sync(filter={"event_fields": ["content.body", "event_id"], "room": {"timeline": {"limit": 1}}}, checked=False))
    event = joined(fields, room)["timeline"]["events"][0]
    assert set(event) == {"content", "event_id"} and set(event["content"]) == {"body"}
    federation = await bob.sync(filter={"event_format": "federation", "room": {"timeline": {"limit": 1}}})
    assert {"hashes", "signatures", "auth_events"} <= set(joined(federation, room)["timeline"]["events"][0])


async def test_a_change_of_a_name_in_a_filtered_timeline_brings_nothing(server, people):
    alice, bob, room = await room_of_two(people)
    quiet = {"presence": {"types": []}, "room": {"timeline": {"types": ["com.a"]}, "state": {"types": ["com.b"]}}}
    since = (await bob.sync(filter=quiet))["next_batch"]
    await alice.state(room, "m.room.member", {"membership": "join", "displayname": "Al"}, alice.user)
    await alice.send(room, "hello")
    answer = await bob.sync(since, filter={**quiet, "room": {**quiet["room"], "ephemeral": {"types": []}}})
    section = answer.get("rooms", {}).get("join", {}).get(room, {})
    assert not section.get("summary") and not section.get("state", {}).get("events")


async def test_current_state_shows_in_a_timeline_whose_history_is_hidden(server, people):
    alice, bob, carol = await people("alice", "bob", "carol")
    room = await alice.create_room(preset="private_chat", invite=[bob.user, carol.user])
    await bob.join(room)
    await alice.state(room, "m.room.history_visibility", {"history_visibility": "joined"})
    since = (await bob.sync())["next_batch"]
    await bob.leave(room)
    await carol.join(room)
    await alice.send(room, "hidden")
    await alice.invite(room, bob.user)
    await bob.join(room)
    section = joined(await bob.sync(since), room)
    events = section["timeline"]["events"]
    assert [e for e in events if e.get("state_key") == carol.user and e["content"]["membership"] == "join"]
    assert "hidden" not in bodies(section)


async def test_full_state(server, people):
    alice, bob, room = await room_of_two(people)
    since = (await bob.sync())["next_batch"]
    section = joined(await bob.sync(since, full_state="true"), room)
    assert section["timeline"]["events"] == [] and ("m.room.create", "") in state_of(section["state"]["events"])


async def test_excluded_rooms(database, tmp_path):
    server = Homeserver(tmp_path / "server", database)
    try:
        await server.start()
        alice, bob = await server.register("alice"), await server.register("bob")
        hidden, shown = await alice.create_room(preset="public_chat"), await alice.create_room(preset="public_chat")
        await bob.join(shown)
        await server.stop()
        server.write_config(exclude_rooms_from_sync=[hidden])
        await server.start()
        assert set((await alice.sync())["rooms"]["join"]) == {shown}
        since = (await bob.sync())["next_batch"]
        await bob.join(hidden)
        await alice.send(hidden, "psst")
        assert (await bob.sync(since)).get("rooms", {}).get("join", {}) == {}
        await alice.close()
        await bob.close()
    finally:
        await server.destroy()


@pytest.mark.parametrize("query", [{"since": "t12-34"}, {"since": "s"}, {"since": "s1_2_3"}, {"since": "s99999999999999999999"},
                                   {"since": "-1"}, {"timeout": "-1"}, {"timeout": "soon"}, {"full_state": "maybe"},
                                   {"filter": "{"}, {"filter": '{"room":[]}'}, {"filter": "12345"}, {"from": "s1"}])
async def test_bad_questions(server, people, query):
    alice = await people("alice")
    with pytest.raises(MatrixFailure) as refused:
        await alice.get("/_matrix/client/v3/sync?" + "&".join(
            f"{k}={v.replace('{', '%7B').replace('}', '%7D').replace(chr(34), '%22')}" for k, v in query.items()))
    assert refused.value.status == 400


async def test_filters_by_what_relates_to_events(server, people):
    alice, bob, room = await room_of_two(people)
    root = await alice.send(room, "root")
    await alice.send(room, "plain")
    await bob.send(room, {"msgtype": "m.text", "body": "reply", "m.relates_to": {"rel_type": "m.thread", "event_id": root}})

    async def shown(**timeline):
        return bodies(joined(await alice.sync(filter={"room": {"timeline": timeline}}), room))

    assert await shown(related_by_rel_types=["m.thread"]) == ["root"]
    assert await shown(related_by_senders=[bob.user]) == ["root"]
    assert await shown(related_by_senders=[alice.user]) == []
    assert await shown(related_by_rel_types=["m.reference"], related_by_senders=[bob.user]) == []
