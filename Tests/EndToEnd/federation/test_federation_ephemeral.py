"""Who types, who has read what, and who is there, over the border."""

import asyncio
from urllib.parse import quote

import pytest_asyncio

from across import arrives, becomes, in_room, until


@pytest_asyncio.fixture
async def pair(sides, person):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room, via=[here.name])
    await becomes(alice, room, bob.user, "join")
    return alice, bob, room


async def ephemeral(client, room, type):
    """The content of the newest event of this kind in the room, by a sync from the beginning."""
    events = (await client.sync())["rooms"]["join"][room].get("ephemeral", {}).get("events", [])
    return next((e["content"] for e in events if e["type"] == type), {})


async def test_typing_is_seen_and_ends(pair):
    for typist, other in (pair[:2], pair[1::-1]):
        room = pair[2]
        path = in_room(room, f"typing/{quote(typist.user, safe='')}")
        await typist.put(path, {"typing": True, "timeout": 30000})

        async def seen():
            return typist.user in (await ephemeral(other, room, "m.typing")).get("user_ids", [])
        await until(f"{typist.user} typing", seen)
        await typist.put(path, {"typing": False})

        async def ended():
            return typist.user not in (await ephemeral(other, room, "m.typing")).get("user_ids", [])
        await until(f"{typist.user} no longer typing", ended)


async def test_receipts_are_seen(pair):
    for reader, other in (pair[:2], pair[1::-1]):
        room = pair[2]
        message = await other.send(room, "read this")
        await arrives(reader, room, message)
        await reader.post(in_room(room, f"receipt/m.read/{quote(message, safe='')}"))

        async def seen():
            receipts = await ephemeral(other, room, "m.receipt")
            return reader.user in receipts.get(message, {}).get("m.read", {})
        await until(f"the receipt of {reader.user}", seen)


async def test_private_receipts_stay_at_home(pair):
    alice, bob, room = pair
    message = await bob.send(room, "read this in secret")
    await arrives(alice, room, message)
    await alice.post(in_room(room, f"receipt/m.read.private/{quote(message, safe='')}"))
    later = await bob.send(room, "read this")
    await arrives(alice, room, later)
    await alice.post(in_room(room, f"receipt/m.read/{quote(later, safe='')}"))

    async def seen():
        return alice.user in (await ephemeral(bob, room, "m.receipt")).get(later, {}).get("m.read", {})
    await until("the receipt", seen)
    assert message not in await ephemeral(bob, room, "m.receipt")


async def test_presence_is_seen(pair):
    for who, other in (pair[:2], pair[1::-1]):
        status = f"reading {who.user[1:6]}"
        await who.put(f"/_matrix/client/v3/presence/{quote(who.user, safe='')}/status", {"presence": "online", "status_msg": status})

        async def seen():
            events = (await other.sync()).get("presence", {}).get("events", [])
            return any(e["sender"] == who.user and e["content"].get("status_msg") == status for e in events)
        await until(f"the presence of {who.user}", seen)
        await who.put(f"/_matrix/client/v3/presence/{quote(who.user, safe='')}/status", {"presence": "unavailable"})

        async def idle():
            answer = await other.get(f"/_matrix/client/v3/presence/{quote(who.user, safe='')}/status")
            return answer["presence"] == "unavailable"
        await until(f"{who.user} idle", idle)


async def test_what_is_typed_while_a_sync_waits_wakes_it(pair):
    alice, bob, room = pair
    since = (await bob.sync())["next_batch"]
    waiting = asyncio.create_task(bob.sync(since=since, timeout=20_000))
    await asyncio.sleep(0.2)
    message = await alice.send(room, "wake up")
    while True:
        answer = await asyncio.wait_for(waiting, 15)
        events = answer.get("rooms", {}).get("join", {}).get(room, {}).get("timeline", {}).get("events", [])
        if message in [e["event_id"] for e in events]:
            return
        waiting = asyncio.create_task(bob.sync(since=answer["next_batch"], timeout=20_000))
