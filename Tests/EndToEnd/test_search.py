"""Finding what was said, and what the server says it can do."""

import asyncio
from urllib.parse import quote

import pytest

from homeserver import MatrixFailure

V3 = "/_matrix/client/v3"
UNSTABLE = "/_matrix/client/unstable"


async def search(client, term, next_batch=None, **criteria):
    path = V3 + "/search" + (f"?next_batch={quote(next_batch, safe='')}" if next_batch else "")
    body = {"search_categories": {"room_events": {"search_term": term, "order_by": "recent", **criteria}}}
    return (await client.post(path, body))["search_categories"]["room_events"]


def bodies(found):
    return [result["result"]["content"].get("body") for result in found["results"]]


async def refused(awaitable):
    with pytest.raises(MatrixFailure) as failure:
        await awaitable
    return failure.value.status, failure.value.errcode


async def test_what_was_said_is_found_at_once_and_after_a_restart(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="private_chat")
    event = await alice.send(room, "The Martians are running")
    await alice.send(room, "nothing here")
    found = await search(alice, "martian run")
    assert bodies(found) == ["The Martians are running"] and found["count"] == 1
    assert found["results"][0]["result"]["event_id"] == event and found["results"][0]["rank"] > 0
    assert sorted(found["highlights"]) == ["martians", "running"]
    assert "next_batch" not in found and "groups" not in found and "state" not in found
    assert (await search(bob, "martian"))["results"] == []
    await server.restart()
    assert bodies(await search(alice, "martian")) == ["The Martians are running"]
    await alice.put(f"{alice.room(room)}/redact/{quote(event, safe='')}/r1", {})
    assert (await search(alice, "martian"))["results"] == []


async def test_context_profiles_state_and_groups(people):
    alice, bob = await people("alice", "bob")
    await bob.put(f"{V3}/profile/{quote(bob.user, safe='')}/displayname", {"displayname": "Bob"})
    room = await alice.create_room(preset="public_chat", name="A room of needles")
    await bob.join(room)
    for number in range(3):
        await bob.send(room, f"before {number}")
    await alice.send(room, "a needle")
    await bob.send(room, "after")
    found = await search(
        alice, "needle", order_by="rank", keys=["content.body"], include_state=True,
        event_context={"before_limit": 1, "after_limit": 5, "include_profile": True},
        groupings={"group_by": [{"key": "room_id"}, {"key": "sender"}]})
    assert bodies(found) == ["a needle"]
    context = found["results"][0]["context"]
    assert [e["content"]["body"] for e in context["events_before"]] == ["before 2"]
    assert [e["content"]["body"] for e in context["events_after"]] == ["after"]
    assert context["profile_info"][bob.user] == {"displayname": "Bob"}
    older = await alice.get(f"{alice.room(room)}/messages?dir=b&limit=2&from={context['start']}")
    assert [e["content"]["body"] for e in older["chunk"]] == ["before 1", "before 0"]
    assert {e["type"] for e in found["state"][room]} >= {"m.room.create", "m.room.name"}
    assert found["groups"]["room_id"][room]["results"] == found["groups"]["sender"][alice.user]["results"]
    names = await search(alice, "needles")
    assert {result["result"]["type"] for result in names["results"]} == {"m.room.name", "m.room.message"}


async def test_paging(people):
    alice = await people("alice")
    rooms = [await alice.create_room(), await alice.create_room()]
    for number in range(12):
        await alice.send(rooms[number % 2], f"word {number}")
    criteria = {"filter": {"limit": 5}, "groupings": {"group_by": [{"key": "room_id"}]}}
    seen, batch = [], None
    while True:
        page = await search(alice, "word", batch, **criteria)
        assert len(page["results"]) <= 5 and page["count"] == 12
        seen += bodies(page)
        batch = page.get("next_batch")
        if not batch:
            break
    assert seen == [f"word {number}" for number in reversed(range(12))]
    first = await search(alice, "word", **criteria)
    batch = first["groups"]["room_id"][rooms[0]]["next_batch"]
    rest = await search(alice, "word", batch, **{**criteria, "filter": {"limit": 50}})
    assert bodies(rest) == ["word 6", "word 4", "word 2", "word 0"]


async def test_what_cannot_be_searched_for(people):
    alice = await people("alice")
    path = V3 + "/search"
    for body in ({}, {"search_categories": {}}, {"search_categories": {"room_events": {}}},
                 {"search_categories": {"room_events": {"search_term": 5}}}, {"search_categories": []}):
        assert (await refused(alice.post(path, body)))[0] == 400, body
    for criteria in ({"order_by": "size"}, {"keys": "content.body"}, {"filter": []}, {"filter": {"limit": -1}},
                     {"groupings": {"group_by": [{"key": "type"}]}}, {"groupings": {"group_by": [5]}},
                     {"event_context": {"before_limit": -1}}, {"event_context": 5}, {"include_state": "yes"}):
        assert (await refused(search(alice, "word", **criteria)))[0] == 400, criteria
    for term in ("x" * 2000, "x " * 200):
        assert await refused(search(alice, term)) == (400, "M_INVALID_PARAM")
    for batch in ("s5", "YWxs", "%00", "A" * 1500):
        assert (await refused(search(alice, "word", batch)))[0] == 400
    room = await alice.create_room()
    await alice.send(room, "word")
    # None of these is an operator of any database.
    for term in ('"', '" OR 1', "a* NEAR(b c)", "words : x", "{a} b", "x:*", "a & | !", "\\", "'; DROP TABLE events; --", "-", "\u0000"):
        assert (await search(alice, term))["results"] == [], term
    wide = await search(alice, "word", filter={"limit": 10**9}, event_context={"before_limit": 10**12, "after_limit": 10**12})
    assert bodies(wide) == ["word"]


async def test_many_search_at_once(people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    for number in range(20):
        await alice.send(room, f"word {number}")
    answers = await asyncio.gather(*(search(client, "word", filter={"limit": 3}) for client in (alice, bob) for _ in range(20)))
    assert all(bodies(found) == ["word 19", "word 18", "word 17"] for found in answers)


async def test_features_that_the_operator_decides_about(configured):
    server = await configured(
        enable_search=False, max_event_delay_duration="1h", encryption_enabled_by_default_for_room_type="invite",
        experimental_features={"msc3720_enabled": True},
        matrix_rtc={"transports": [{"type": "livekit", "livekit_service_url": "https://rtc.example.com/jwt"}]})
    alice = await server.register("alice")
    assert await refused(search(alice, "word")) == (400, "M_UNKNOWN")
    transports = await alice.get(UNSTABLE + "/org.matrix.msc4143/rtc/transports")
    assert transports == {"rtc_transports": [{"type": "livekit", "livekit_service_url": "https://rtc.example.com/jwt"}]}
    statuses = UNSTABLE + "/org.matrix.msc3720/account_status"
    answer = await alice.post(statuses, {"user_ids": [alice.user, "@nobody:test.example", "@far:away.example"]})
    assert answer == {
        "account_statuses": {alice.user: {"exists": True, "deactivated": False}, "@nobody:test.example": {"exists": False}},
        "failures": ["@far:away.example"]}
    assert await refused(alice.post(statuses, {"user_ids": ["alice"]})) == (400, "M_INVALID_PARAM")
    assert await refused(alice.post(statuses, {})) == (400, "M_MISSING_PARAM")
    features = (await alice.get("/_matrix/client/versions"))["unstable_features"]
    assert features["org.matrix.msc4140"] and features["org.matrix.msc4143"]
    assert (features["io.element.e2ee_forced.public"], features["io.element.e2ee_forced.private"]) == (False, True)
    await alice.close()


async def test_features_that_are_off_unless_said_otherwise(people):
    alice = await people("alice")
    answer = await alice.get("/_matrix/client/versions")
    assert answer["versions"][-1] == "v1.16"
    features = answer["unstable_features"]
    assert features["org.matrix.msc3440.stable"] and features["uk.tcpip.msc4133.stable"] and features["org.matrix.msc4222"]
    for name in ("org.matrix.msc4140", "org.matrix.msc4143"):
        assert not features.get(name)
    for call in (alice.get(UNSTABLE + "/org.matrix.msc4143/rtc/transports"),
                 alice.post(UNSTABLE + "/org.matrix.msc3720/account_status", {"user_ids": []})):
        assert await refused(call) == (404, "M_UNRECOGNIZED")
