"""A server goes down in the middle of traffic, by a restart or by kill -9: afterwards both hold the same events and the same state."""

import asyncio
import secrets
from urllib.parse import quote

import aiohttp
import pytest

from across import agree, becomes, hear_each_other, in_room, same_messages, until
from homeserver import MatrixFailure


async def insist(client, path, body):
    """The same request until it is answered -> the event's ID."""
    while True:
        try:
            return (await client.put(path, body))["event_id"]
        except (aiohttp.ClientError, asyncio.TimeoutError):
            pass
        except MatrixFailure as failure:
            if failure.status < 500:
                raise
        await asyncio.sleep(0.05)


async def talk(client, room, stop):
    """Messages and state until it is enough -> the messages' IDs."""
    sent, number = [], 0
    while not stop.is_set():
        transaction = f"t{number}-{secrets.token_hex(4)}"
        sent.append(await insist(client, in_room(room, f"send/m.room.message/{transaction}"), {"msgtype": "m.text", "body": f"{number}"}))
        if number % 4 == 0:
            key = quote(f"of {client.user}", safe="")
            await insist(client, in_room(room, f"state/test.mine/{key}"), {"number": number})
            await insist(client, in_room(room, "state/m.room.topic/"), {"topic": f"{client.user} {number}"})
        number += 1
        await asyncio.sleep(0.02)
    return sent


@pytest.mark.parametrize("martlet", ["sqlite", "postgres"], indirect=True)
@pytest.mark.parametrize("how", ["restart", "kill"])
async def test_nothing_is_lost(sides, person, martlet, how):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    room = await alice.create_room(preset="public_chat", room_version="12", power_level_content_override={"state_default": 0})
    await bob.join(room, via=[here.name])
    await becomes(alice, room, bob.user, "join")
    stop = asyncio.Event()
    talks = [asyncio.create_task(talk(client, room, stop)) for client in (alice, bob)]
    for _ in range(3):
        await asyncio.sleep(0.7)
        await (martlet.kill() if how == "kill" else martlet.stop())
        await martlet.start()
    await asyncio.sleep(0.5)
    stop.set()
    sent = sum(await asyncio.gather(*talks), [])
    sent += await hear_each_other(room, alice, bob)
    await agree(room, alice, bob, within=60)
    await same_messages(room, sent, alice, bob, within=60)


async def test_what_waits_for_the_other_server_survives_a_crash(person, martlet, synapse):
    """Martlet has said something that Synapse has not heard yet, and dies."""
    alice, bob = await person(martlet, "alice"), await person(synapse, "bob")
    room = await alice.create_room(preset="public_chat", room_version="11")
    await bob.join(room, via=[martlet.name])
    await becomes(alice, room, bob.user, "join")
    synapse.cable.cut()
    try:
        sent = [await alice.send(room, f"unheard {number}") for number in range(5)]
        await alice.put("/_matrix/client/v3/sendToDevice/test.note/1", {"messages": {bob.user: {bob.device: {"note": "unheard"}}}})
        await martlet.kill()
        await martlet.start()
    finally:
        synapse.cable.mend()
    # Nobody says anything more: what waits is sent all the same.
    await same_messages(room, sent, bob, within=60)

    async def noted():
        events = (await bob.sync()).get("to_device", {}).get("events", [])
        return [e["content"] for e in events] == [{"note": "unheard"}]
    await until("the message to bob's device", noted)
