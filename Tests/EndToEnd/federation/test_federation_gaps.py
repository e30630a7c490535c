"""A server tells of something and falls silent before it has said what that stands on: nothing is lost by it."""

import asyncio

import pytest
from aiohttp import web

from across import arrives, in_room, message_ids, until
from test_federation_hostile import town, unseen, visit  # noqa: F401
from visitor import Visitor

QUESTIONS = ("get_missing_events", "state_ids", "state", "event_auth", "event", "backfill")


def fall_silent(partner):
    async def broken(request):
        return web.json_response({"errcode": "M_UNKNOWN", "error": "out of order"}, status=502)

    partner.instead.update({name: broken for name in QUESTIONS})


def backfilled(visitor, most=100):
    """What answers a server that asks for the past."""
    async def backfill(request):
        wanted = request.query.getall("v")
        found = [visitor.events[id] for id in wanted if id in visitor.events] + visitor.partner.between(visitor, [], wanted, most)[::-1]
        return web.json_response({"origin": visitor.partner.name, "origin_server_ts": 0, "pdus": found[:most]})
    return backfill


async def joined_by(partner, visitor):
    """-> a visitor of another server in the same room."""
    partner.session = visitor.partner.session
    return await Visitor(partner, visitor.server, visitor.room, visitor.version).join()


async def test_the_last_word_comes_in_when_its_server_is_back(visit):  # noqa: F811
    alice, visitor = await visit()
    unheard = [visitor.event(content={"msgtype": "m.text", "body": f"unheard {number}"}) for number in range(3)]
    last = visitor.event(content={"msgtype": "m.text", "body": "the last word"})
    fall_silent(visitor.partner)
    await visitor.send(last)
    await unseen(alice, visitor.room, visitor.id(last))
    visitor.partner.instead.clear()
    # Nobody says anything more.
    await arrives(alice, visitor.room, visitor.id(last), within=60)
    assert await message_ids(alice, visitor.room) == [visitor.id(event) for event in [last, *unheard[::-1]]]


@pytest.mark.parametrize("martlet", ["sqlite", "postgres"], indirect=True)
async def test_what_was_acknowledged_survives_a_crash(visit, martlet):  # noqa: F811
    """Who is told that an event has arrived does not send it again, though it cannot be brought in yet."""
    alice, visitor = await visit()
    unheard = [visitor.event(content={"msgtype": "m.text", "body": f"unheard {number}"}) for number in range(3)]
    last = visitor.event(content={"msgtype": "m.text", "body": "the last word"})
    fall_silent(visitor.partner)
    assert await visitor.send(last) == {visitor.id(last): {}}
    await martlet.kill()
    await martlet.start()
    await unseen(alice, visitor.room, visitor.id(last))
    visitor.partner.instead.clear()
    # Nobody says anything more.
    await arrives(alice, visitor.room, visitor.id(last), within=60)
    assert await message_ids(alice, visitor.room) == [visitor.id(event) for event in [last, *unheard[::-1]]]


async def test_others_in_the_room_know_what_is_missing(visit, town):  # noqa: F811
    first, second = await town(), await town()
    alice, visitor = await visit(partner=first)
    other = await joined_by(second, visitor)
    visitor.events |= other.events
    visitor.state |= other.state
    visitor.follow(other.events[other.latest[0]])
    missing = visitor.event(content={"msgtype": "m.text", "body": "to the other server only"})
    last = visitor.event(content={"msgtype": "m.text", "body": "to all"})
    other.events |= visitor.events
    fall_silent(first)
    await visitor.send(last)
    await arrives(alice, visitor.room, visitor.id(last), within=5)
    assert await message_ids(alice, visitor.room) == [visitor.id(last), visitor.id(missing)]


async def test_one_who_is_slow_to_answer_holds_up_no_other_server_of_the_room(visit, town):  # noqa: F811
    first, second = await town(), await town()
    alice, visitor = await visit(partner=first)
    other = await joined_by(second, visitor)
    asked, answer = asyncio.Event(), asyncio.Event()

    async def hang(request):
        asked.set()
        await answer.wait()
        return web.json_response({"events": []})

    first.instead["get_missing_events"] = hang
    sent = visitor.event(prev_events=["$" + "N" * 43], follows=False)
    hanging = asyncio.create_task(visitor.send(sent))
    try:
        await asyncio.wait_for(asked.wait(), 10)
        said = other.event(content={"msgtype": "m.text", "body": "meanwhile"})
        assert await asyncio.wait_for(other.send(said), 5) == {other.id(said): {}}
        assert await message_ids(alice, visitor.room) == [other.id(said)]
    finally:
        answer.set()
        await hanging
    assert not hanging.exception()


async def test_the_past_is_asked_for_again_when_somebody_has_it(visit):  # noqa: F811
    """Who pages back while nobody answers does not end the room's history for everybody."""
    alice, visitor = await visit()
    past = [visitor.event(content={"msgtype": "m.text", "body": f"past {number}"}) for number in range(30)]
    last = visitor.event(content={"msgtype": "m.text", "body": "the newest"})

    async def broken(request):
        return web.json_response({"errcode": "M_UNKNOWN", "error": "out of order"}, status=502)

    visitor.partner.instead["backfill"] = broken
    await visitor.send(last)
    await arrives(alice, visitor.room, visitor.id(last))
    # The newest of what is missing has come with it.
    assert 1 < len(await message_ids(alice, visitor.room)) < 31

    visitor.partner.instead["backfill"] = backfilled(visitor)

    async def all_there():
        return await message_ids(alice, visitor.room) == [visitor.id(event) for event in [last, *past[::-1]]]
    await until("what was said before", all_there, within=60)


async def test_what_was_missed_stands_where_it_was_said(visit):  # noqa: F811
    alice, visitor = await visit()
    known = visitor.event(content={"msgtype": "m.text", "body": "before"})
    await visitor.send(known)
    missed = [visitor.event(content={"msgtype": "m.text", "body": f"missed {number}"}) for number in range(250)]
    visitor.partner.instead["backfill"] = backfilled(visitor)
    await visitor.send(missed[-1])
    await arrives(alice, visitor.room, visitor.id(missed[-1]))
    assert await message_ids(alice, visitor.room) == [visitor.id(event) for event in [*missed[::-1], known]]


@pytest.mark.parametrize("martlet", ["sqlite", "postgres"], indirect=True)
async def test_a_gap_that_is_too_long_to_be_closed_at_once(visit, martlet):  # noqa: F811
    """What is fetched when somebody pages back to there stands where it was said."""
    alice, visitor = await visit()
    known = [visitor.event(content={"msgtype": "m.text", "body": f"before {number}"}) for number in range(3)]
    await visitor.send(*known)
    missed = [visitor.event(content={"msgtype": "m.text", "body": f"missed {number}"}) for number in range(900)]
    visitor.partner.instead["backfill"] = backfilled(visitor)
    await visitor.send(missed[-1])
    after = [visitor.event(content={"msgtype": "m.text", "body": f"after {number}"}) for number in range(3)]
    await visitor.send(*after)
    said = [visitor.id(event) for event in known + missed + after]
    assert await message_ids(alice, visitor.room) == said[::-1]
    # Once more, from what is here now.
    del visitor.partner.instead["backfill"]
    assert await message_ids(alice, visitor.room) == said[::-1]


@pytest.mark.parametrize("martlet", ["sqlite", "postgres"], indirect=True)
async def test_syncs_do_not_hide_a_gap(visit, martlet):  # noqa: F811
    alice, visitor = await visit()
    known = [visitor.event(content={"msgtype": "m.text", "body": f"before {number}"}) for number in range(3)]
    await visitor.send(*known)
    since = (await alice.sync())["next_batch"]
    # Nobody tells of more than of the newest twenty.
    missed = [visitor.event(content={"msgtype": "m.text", "body": f"missed {number}"}) for number in range(80)]
    await visitor.send(missed[-1])
    await arrives(alice, visitor.room, visitor.id(missed[-1]))
    after = [visitor.event(content={"msgtype": "m.text", "body": f"after {number}"}) for number in range(3)]
    await visitor.send(*after)
    said = [visitor.id(event) for event in known + missed + after]

    async def timeline(since, limit=100):
        answer = await alice.sync(since, filter={"room": {"timeline": {"limit": limit}}})
        shown = answer["rooms"]["join"][visitor.room]["timeline"]
        return [event["event_id"] for event in shown["events"]], shown["limited"], shown["prev_batch"]

    async def before(token, count, limit):
        found = []
        while len(found) < count and token:
            page = await alice.get(in_room(visitor.room, f"messages?dir=b&limit={limit}&from={token}"))
            found += [event["event_id"] for event in page["chunk"] if event["type"] == "m.room.message"]
            token = page.get("end")
        return found

    # Whether the client was here before or begins: what was before the gap does not come together with what was after it.
    for _ in range(2):
        for start in (since, None):
            ids, limited, token = await timeline(start)
            assert limited and ids == said[-24:]
        # It is there after a crash as well.
        await martlet.kill()
        await martlet.start()
    visitor.partner.instead["backfill"] = backfilled(visitor, most=25)
    # Halfway through the gap.
    assert await before(token, 20, 20) == said[-44:-24][::-1]
    ids, limited, token = await timeline(since)
    assert limited and ids == said[-len(ids):] and 44 <= len(ids) < 83
    # To its end, and on.
    assert await before(token, len(said), 7) == said[:-len(ids)][::-1]
    ids, limited, _ = await timeline(since)
    assert ids == said[3:] and not limited


async def test_two_gaps_that_are_filled_at_once_have_each_its_state(visit):  # noqa: F811
    alice, visitor = await visit()
    first = [visitor.event(content={"msgtype": "m.text", "body": f"first {number}"}) for number in range(30)]
    await visitor.send(first[-1])
    before = list(visitor.state.values())
    # Somebody comes in between, who speaks in the second gap.
    guest = f"@guest:{visitor.partner.name}"
    rules = visitor.links([visitor.state[type, ""] for type in ("m.room.create", "m.room.power_levels", "m.room.join_rules")])
    join = visitor.event("m.room.member", {"membership": "join"}, guest, sender=guest, auth_events=rules)
    visitor.state["m.room.member", guest] = visitor.id(join)
    await visitor.send(join)
    second = [visitor.event(content={"msgtype": "m.text", "body": f"second {number}"}, sender=guest) for number in range(30)]
    later = {visitor.id(event) for event in second}

    async def state_ids(request):
        ids = list(visitor.state.values()) if request.query["event_id"] in later else before
        return web.json_response({"pdu_ids": ids, "auth_chain_ids": ids})

    visitor.partner.instead["state_ids"] = state_ids
    await visitor.send(second[-1])
    await arrives(alice, visitor.room, visitor.id(second[-1]))
    visitor.partner.instead["backfill"] = backfilled(visitor)

    async def all_there():
        found = await message_ids(alice, visitor.room)
        return len(found) == len(set(found)) and set(found) == {visitor.id(event) for event in first + second}
    await until("what was said in both gaps", all_there)
