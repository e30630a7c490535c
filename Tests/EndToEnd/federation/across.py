"""Waiting for what one server does to reach the other."""

import asyncio
import time
from urllib.parse import quote

from homeserver import MatrixFailure

VERSIONS = ["6", "7", "8", "9", "10", "11", "12"]


async def until(what, condition, within=20):
    """Asks until the answer is true -> the answer. What fails meanwhile may be right later."""
    deadline = time.monotonic() + within
    while True:
        try:
            answer, seen = await condition(), None
        except (MatrixFailure, KeyError, AssertionError) as failure:
            answer, seen = None, failure
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"never came: {what}; last {answer if seen is None else seen!r}")
        await asyncio.sleep(0.05)


def in_room(room, path):
    return f"/_matrix/client/v3/rooms/{quote(room, safe='')}/{path}"


async def event(client, room, event_id):
    return await client.get(in_room(room, f"event/{quote(event_id, safe='')}"))


async def arrives(client, room, event_id, within=20):
    return await until(f"{event_id} at {client.user}", lambda: event(client, room, event_id), within)


async def arrive_everywhere(room, event_ids, *clients, within=20):
    await asyncio.gather(*(arrives(client, room, event_id, within) for client in clients for event_id in event_ids))


async def hear_each_other(room, *people, within=60):
    """Each says something, and once more while one of them has not heard the others -> all that was said.

    Synapse may miss that a server is back: its own attempt was just failing when that one showed itself, or it could not ask what had
    come before. It tries again with the next event."""
    deadline = time.monotonic() + within
    said = []
    while True:
        latest = [await one.send(room, f"do you hear me? {one.user}") for one in people]
        said += latest
        try:
            await arrive_everywhere(room, latest, *people, within=5)
            return said
        except AssertionError:
            if time.monotonic() > deadline:
                raise


async def redacted(client, room, event_id):
    """Waits until the event has lost its content."""
    return await until(f"the redaction of {event_id} at {client.user}",
                       lambda: is_redacted(client, room, event_id))


async def is_redacted(client, room, event_id):
    found = await event(client, room, event_id)
    return found if "redacted_because" in found["unsigned"] and found["content"] == {} else None


async def content(client, room, type, key=""):
    return await client.get(in_room(room, f"state/{type}/{quote(key, safe='')}"))


async def has_state(client, room, type, expected, key=""):
    async def is_there():
        return await content(client, room, type, key) == expected
    await until(f"{type} {expected} at {client.user}", is_there)


async def membership(client, room, user):
    return (await content(client, room, "m.room.member", user))["membership"]


async def becomes(client, room, user, expected):
    """Waits until a member of the room sees the membership of a user."""
    async def is_so():
        return await membership(client, room, user) == expected
    await until(f"{user} {expected} in the eyes of {client.user}", is_so)


async def section(client, room, name):
    """The room in a section (join, invite, knock, leave) of the user's sync, once it is there."""
    async def find():
        # An absent section counts as empty; a filter brings the rooms that were left.
        answer = await client.sync(filter={"room": {"include_leave": True}}, checked=False)
        return answer.get("rooms", {}).get(name, {}).get(room)
    return await until(f"{room} under {name} of {client.user}", find)


async def gone(client, room, name):
    """Waits until the room is in that section no more."""
    async def is_gone():
        return room not in (await client.sync()).get("rooms", {}).get(name, {})
    await until(f"{room} no more under {name} of {client.user}", is_gone)


async def state(client, room):
    """-> event IDs by type and state key."""
    return {(e["type"], e["state_key"]): e["event_id"] for e in await client.get(in_room(room, "state"))}


async def agree(room, *clients, within=30):
    """Waits until members on several servers see the same state -> that state."""
    async def is_same():
        states = await asyncio.gather(*(state(client, room) for client in clients))
        for other in states[1:]:
            differing = {key for key in states[0].keys() | other.keys() if states[0].get(key) != other.get(key)}
            assert not differing, {key: [s.get(key) for s in states] for key in differing}
        return states[0]
    return await until(f"one state of {room}", is_same, within)


async def timeline(client, room):
    """Every event that the user may see, as far as paging brings it, newest first."""
    return await client.messages(room)


async def message_ids(client, room):
    return [e["event_id"] for e in await timeline(client, room) if e["type"] == "m.room.message"]


async def same_messages(room, expected, *clients, within=30, beside=()):
    """Waits until each client finds exactly these messages by paging back. Those `beside` may be there or not."""
    for client in clients:
        async def is_same():
            found = [id for id in await message_ids(client, room) if id not in beside]
            assert len(found) == len(set(found)), "an event came twice"
            assert set(found) == set(expected), f"missing {set(expected) - set(found)}, more {set(found) - set(expected)}"
            return True
        await until(f"all messages at {client.user}", is_same, within)
