"""Measures the promises of Docs/Performance.md about rooms, history, sync and sessions. Scripts/measure says how to use it."""

import argparse
import asyncio
import json
import os
import time
from pathlib import Path
from urllib.parse import quote

from cost import Meter, resident
from servers import Martlet, Synapse  # first: it makes the rest of the tests' code known
from among_servers import FederationScenarios
from media import MediaScenarios
from sessions import SessionScenarios

SLIDING = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"


async def spread(count, work, width=8):
    """work(0), work(1), …, so many at a time."""
    numbers = iter(range(count))

    async def worker():
        for number in numbers:
            await work(number)
    await asyncio.gather(*[worker() for _ in range(width)])


async def farewell(clients):
    for client in clients:
        await client.close()


def say(text):
    print(f"    {text}", flush=True)


class Scenarios(SessionScenarios, FederationScenarios, MediaScenarios):
    """On one server. Most give the cost of one operation in milliseconds; the others say what they have found."""

    def __init__(self, server, size):
        self.server, self.size = server, size
        self.meter = Meter(server)

    def scaled(self, count):
        return max(2, int(count * self.size))

    async def each(self, count, work):
        """Milliseconds of one of `count` calls, after one that fills the caches."""
        await work(0)

        async def all_of_them():
            for number in range(count):
                await work(number + 1)
        return await self.meter.of(all_of_them()) / count

    async def sends(self, sender, room, count, width=16):
        await spread(count, lambda number: sender.send(room, f"message {number}"), width)

    # GET /members of a room of 1,000 members

    async def members(self):
        owner, *others = await self.server.people(self.scaled(1000), "member")
        room = await owner.create_room(preset="public_chat")
        await spread(len(others), lambda number: others[number].join(room), 4)
        cost = await self.each(20, lambda _: owner.raw("GET", owner.room(room) + "/members"))
        await farewell([owner, *others])
        return cost

    # An initial sync of 100 rooms of 20 events

    async def initial(self):
        reader, *others = await self.server.people(6, "initial")

        async def make(number):
            owner = others[number % len(others)]
            room = await owner.create_room(preset="public_chat", name=f"room {number}")
            for member in others + [reader]:
                if member is not owner:
                    await member.join(room)
            await self.sends(owner, room, 20, width=1)
        await spread(self.scaled(100), make, 4)
        filter = {"room": {"timeline": {"limit": 20}}}
        # Each time with another filter: what was answered a moment ago is not asked for again.
        cost = await self.each(5, lambda number: reader.sync(filter={**filter, "account_data": {"limit": 50 + number}}, checked=False))
        await farewell([reader, *others])
        return cost

    # 1,000 clients that wait in /sync, and none

    async def idle(self):
        count = self.scaled(1000)
        clients = await self.server.people(count, "idle")
        room = await clients[0].create_room(preset="public_chat")
        await spread(count - 1, lambda number: clients[number + 1].join(room), 4)
        tokens = {}

        async def begin(number):
            tokens[number] = (await clients[number].sync(checked=False))["next_batch"]
        await self.meter.quiet()
        before = resident(self.server.process.pid)
        await spread(count, begin)

        async def wait(number):
            # The first ones end spread over half a minute, as they would with clients that do not come together.
            timeout = 1000 + 29000 * number // count
            while True:
                answer = await clients[number].sync(tokens[number], timeout=timeout, checked=False)
                tokens[number], timeout = answer["next_batch"], 30000
        waiting = [asyncio.create_task(wait(number)) for number in range(count)]
        await asyncio.sleep(35)
        share = await self.share_of_a_processor(60)
        each = (resident(self.server.process.pid) - before) / count
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await farewell(clients)
        await asyncio.sleep(20)
        bare = await self.share_of_a_processor(60)
        say(f"{count} waiting syncs: {share:.2%} of a processor, {each:.1f} KiB each; without clients: {bare:.3%} of a processor")

    async def share_of_a_processor(self, duration):
        before = self.meter.now()
        await asyncio.sleep(duration)
        return (self.meter.now() - before) / duration

    # Somebody in 1,000 rooms, in one of which something happens

    async def many_rooms(self, prefix):
        reader, other = await self.server.people(2, prefix)
        rooms = []

        async def make(number):
            room = await other.create_room(preset="public_chat", name=f"room {number}")
            await reader.join(room)
            await other.send(room, "hello")
            rooms.append(room)
        await spread(self.scaled(1000), make)
        return reader, other, rooms

    async def rooms(self):
        reader, other, rooms = await self.many_rooms("rooms")
        since = (await reader.sync(checked=False))["next_batch"]
        count, total = 20, 0.0
        for number in range(count):
            # The event itself is not counted, only the sync that tells of it.
            await other.send(rooms[number * 37 % len(rooms)], "news")
            await asyncio.sleep(0.2)
            before = self.meter.now()
            answer = await reader.sync(since, checked=False)
            total += self.meter.now() - before
            assert len(answer["rooms"]["join"]) == 1
            since = answer["next_batch"]
        await farewell([reader, other])
        return total / count * 1000

    async def sliding(self):
        reader, other, rooms = await self.many_rooms("sliding")
        body = {"lists": {"all": {"ranges": [[0, 19]], "timeline_limit": 10, "required_state": [["m.room.name", ""]]}},
                "extensions": {name: {"enabled": True} for name in ["e2ee", "to_device", "account_data", "receipts", "typing"]}}
        position = (await reader.post(SLIDING, body, checked=False))["pos"]
        count, total = 20, 0.0
        for number in range(count):
            await other.send(rooms[number * 37 % len(rooms)], "news")
            await asyncio.sleep(0.2)
            before = self.meter.now()
            answer = await reader.post(f"{SLIDING}?pos={quote(position)}&timeout=0", body, checked=False)
            total += self.meter.now() - before
            assert answer["rooms"]
            position = answer["pos"]
        await farewell([reader, other])
        return total / count * 1000

    # Pages of /messages near the end of a room and far back in it

    async def depth(self):
        [owner] = await self.server.people(1, "depth")
        room = await owner.create_room(preset="public_chat")
        deep = self.scaled(100_000)
        began = time.monotonic()
        await self.sends(owner, room, deep + 200, width=32)
        say(f"{deep} events sent in {time.monotonic() - began:.0f} s")
        pages = owner.room(room) + "/messages?dir=b"
        elsewhere = owner.room(await owner.create_room()) + "/messages?dir=b"
        near = far = (await owner.get(pages + "&limit=100"))["end"]
        for _ in range(deep // 1000 - 1):
            far = (await owner.get(f"{pages}&limit=1000&from={far}", checked=False))["end"]
        # Started anew, the server has no page at hand.
        await self.server.restart()
        self.meter = Meter(self.server)
        # What only the first request of all costs is none of theirs.
        await owner.get(elsewhere)
        costs = []
        for name, start in (("100", near), (str(deep), far)):
            first = await self.meter.of(owner.raw("GET", f"{pages}&limit=100&from={start}"))
            again = await self.each(20, lambda _: owner.raw("GET", f"{pages}&limit=100&from={start}"))
            costs.append(f"{name}: {first:.2f} ms, again {again:.2f} ms")
        await farewell([owner])
        say("a page of 100 messages at depth " + "; at depth ".join(costs))


#: One part in how many of Synapse's cost these scenarios may take.
GOALS = {"members": 40, "initial": 40, "keys": 20, "sending": 30, "handover": 30, "admission": 30}
#: These are measured beside Synapse as well; the others have goals of their own.
COMPARED = {*GOALS, "uploads", "photos", "downloads", "thumbnails"}


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--size", type=float, default=1.0)
    parser.add_argument("--results", type=Path, help="write the figures there as JSON")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    options = parser.parse_args()
    os.sched_setaffinity(0, {1})
    figures = {}
    for name in options.scenarios or ["members", "initial", "idle", "rooms", "depth", "sliding", "tokens", "hashing", "keys",
                                   "handover", "admission", "sending", "uploads", "photos", "downloads", "thumbnails"]:
        print(name, flush=True)
        costs = figures[name] = {}
        for kind in [Martlet, Synapse] if name in COMPARED and not options.alone else [Martlet]:
            server = kind(options.folder / f"{name}-{kind.label.lower()}", options.database)
            try:
                await server.start()
                cost = await getattr(Scenarios(server, options.size), name)()
                if cost is not None:
                    costs[kind.label] = cost
                    say(f"{kind.label}: {cost:.3f} ms")
            finally:
                await server.destroy()
        if len(costs) == 2:
            ratio, goal = costs["Synapse"] / costs["Martlet"], GOALS.get(name)
            say(f"1/{ratio:.0f}" + (f" (goal 1/{goal}: {'met' if ratio >= goal else 'missed'})" if goal else ""))
    if options.results:
        options.results.write_text(json.dumps(figures, indent=2) + "\n")


asyncio.run(main())
