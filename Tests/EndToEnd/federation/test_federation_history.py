"""What was said before one came, fetched from the other server while paging back."""

import asyncio
from urllib.parse import quote

from across import agree, arrives, becomes, event, has_state, in_room, message_ids, same_messages, until

MANY = 500


async def say_many(client, room, count):
    """One after the other, so that the room's graph is a line -> event IDs."""
    return [await client.send(room, f"line {number}") for number in range(count)]


async def test_who_joins_late_pages_back_to_the_beginning(sides, person):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    room = await alice.create_room(preset="public_chat", room_version="10")
    sent = await say_many(alice, room, MANY)
    await bob.join(room, via=[here.name])
    await becomes(alice, room, bob.user, "join")

    async def all_there():
        found = await message_ids(bob, room)
        assert len(found) == len(set(found)), "an event came twice"
        return set(found) == set(sent)
    await until(f"{MANY} messages from the past", all_there, within=60)
    # In the same order as where they were said.
    assert await message_ids(bob, room) == await message_ids(alice, room)
    types = [e["type"] for e in await bob.messages(room)]
    assert types[-1] == "m.room.create"
    await agree(room, alice, bob)


async def test_state_changes_of_the_past_are_found_in_their_places(sides, person):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    room = await alice.create_room(preset="public_chat", room_version="11")
    for number in range(15):
        await alice.state(room, "m.room.topic", {"topic": f"topic {number}"})
        for _ in range(5):
            await alice.send(room, f"under topic {number}")
    await bob.join(room, via=[here.name])

    async def topics():
        found = [e for e in await bob.messages(room) if e["type"] == "m.room.topic"]
        return [e["content"]["topic"] for e in found] == [f"topic {number}" for number in reversed(range(15))]
    await until("the topics of the past", topics)
    # Not the past is the present.
    await has_state(bob, room, "m.room.topic", {"topic": "topic 14"})
    middle = [e for e in await bob.messages(room) if e["content"].get("body") == "under topic 7"][2]
    around = await bob.get(in_room(room, f"context/{quote(middle['event_id'], safe='')}?limit=2"))
    assert {"topic": "topic 7"} in [e["content"] for e in around["state"] if e["type"] == "m.room.topic"]


async def test_what_was_hidden_stays_hidden(sides, person):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    room = await alice.create_room(preset="private_chat", initial_state=[
        {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}}])
    hidden = [await alice.send(room, f"secret {number}") for number in range(10)]
    await alice.invite(room, bob.user)
    hidden.append(await alice.send(room, "still secret"))
    await bob.join(room, via=[here.name])
    await becomes(alice, room, bob.user, "join")
    shown = await alice.send(room, "welcome")
    await arrives(bob, room, shown)
    await same_messages(room, [shown], bob)
    for message in hidden:
        answered = await bob.raw("GET", in_room(room, f"event/{quote(message, safe='')}"))
        assert answered[0] in (403, 404), answered
        assert b"secret" not in answered[2]


async def test_a_redaction_of_the_past_holds(sides, person):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    room = await alice.create_room(preset="public_chat", room_version="9")
    gone = await alice.send(room, "to be taken back")
    kept = await alice.send(room, "to be kept")
    await alice.put(in_room(room, f"redact/{quote(gone, safe='')}/r1"), {})
    for _ in range(30):
        await alice.send(room, "padding")
    await bob.join(room, via=[here.name])

    async def found():
        messages = {e["event_id"]: e["content"] for e in await bob.messages(room)}
        return messages[gone] == {} and messages[kept]["body"] == "to be kept"
    await until("both messages", found)
    assert (await event(bob, room, gone))["content"] == {}


async def test_a_time_leads_to_an_event_of_the_other_server(sides, person):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    room = await alice.create_room(preset="public_chat")
    first = await alice.send(room, "first")
    moment = (await event(alice, room, first))["origin_server_ts"]
    await asyncio.sleep(0.05)
    for _ in range(30):
        await alice.send(room, "padding")
    await bob.join(room, via=[here.name])
    await becomes(alice, room, bob.user, "join")
    for direction in ("f", "b"):
        found = await bob.get(f"/_matrix/client/v1/rooms/{quote(room, safe='')}/timestamp_to_event?ts={moment}&dir={direction}")
        assert found["event_id"] == first, direction
