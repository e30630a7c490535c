"""Scenarios of rooms that are shared with other servers."""

import asyncio
import time
from urllib.parse import quote

from cost import Meter, resident
from host import Host
from participant import Participant
from partner import Authority, canonical
from visitor import Town, Visitor


class FederationScenarios:
    """What is said to many servers, and a room of many members that is handed over, to this server and by it."""

    async def among_servers(self):
        """Makes the server one that speaks with others of this machine. -> what these need to begin."""
        authority = Authority(self.server.folder / "authority")
        self.server.configure(federation_custom_ca_list=[str(authority.path)], ip_range_blacklist=[],
                              rc_federation={"sleep_limit": 100000, "reject_limit": 100000, "concurrent": 1000})
        await self.server.restart()
        self.meter = Meter(self.server)
        return authority

    # One event to 100 servers that are there

    async def sending(self):
        authority = await self.among_servers()
        [owner] = await self.server.people(1, "sending")
        room = await owner.create_room(preset="public_chat")
        others = []
        for number in range(self.scaled(100)):
            other = await Participant(authority).start()
            others.append(other)
            await other.join(self.server, room, f"@user{number}:{other.name}")

        async def arrived(text):
            await asyncio.gather(*(other.wait_for(lambda: text in other.bodies(), 120) for other in others))

        async def send(number):
            await owner.send(room, f"message {number}")
            await arrived(f"message {number}")
        cost = await self.each(20, send)
        for other in others:
            await other.stop()
        await owner.close()
        return cost

    # A join of a room of 10,000 members that another server has, with its members later and at once

    async def handover(self):
        authority = await self.among_servers()
        for omits, name in ((True, "its members come later"), (False, "handed over whole")):
            host = await Host(authority, self.scaled(10_000), omits, names=("127.0.0.1",)).start()
            [user] = await self.server.people(1, "handover" + str(omits).lower())
            before = resident(self.server.process.pid) // 1024
            began, spent = time.monotonic(), self.meter.now()
            await user.post(f"/_matrix/client/v3/join/{quote(host.room, safe='')}?via={quote(host.name, safe='')}", timeout=1200)
            joined = time.monotonic() - began
            await user.raw("GET", user.room(host.room) + "/members", timeout=1200)
            whole = time.monotonic() - began
            await self.meter.quiet()
            cost, peak = self.meter.now() - spent, most_resident(self.server.process.pid)
            print(f"    {host.count} members, {name}: in the room after {joined:.2f} s, all members read after {whole:.2f} s; "
                  f"{cost:.2f} s of a processor; {before} MiB before, {peak} MiB at the most", flush=True)
            await user.close()
            await host.stop()
        return cost * 1000

    # A join of a room of 10,000 members that this server answers

    async def admission(self):
        authority = await self.among_servers()
        host = await Host(authority, self.scaled(10_000), False, names=("127.0.0.1",)).start()
        [user] = await self.server.people(1, "admission")
        await user.post(f"/_matrix/client/v3/join/{quote(host.room, safe='')}?via={quote(host.name, safe='')}", timeout=1200)
        await user.raw("GET", user.room(host.room) + "/members", timeout=1200)
        towns = [await Town(authority).start() for _ in range(6)]
        visitors = [Visitor(town, self.server, host.room) for town in towns]
        pid = self.server.process.pid
        before = resident(pid) // 1024
        forget_peak(pid)
        cost = await self.each(len(towns) - 1, lambda number: visitors[number].join())
        size = sum(len(canonical(event)) for event in visitors[0].events.values()) / 2**20
        print(f"    an answer of {size:.1f} MiB; {before} MiB before, {most_resident(pid)} MiB at the most", flush=True)
        for town in towns:
            await town.stop()
        await user.close()
        await host.stop()
        return cost


def forget_peak(pid):
    """`most_resident` begins anew (proc(5), clear_refs)."""
    with open(f"/proc/{pid}/clear_refs", "w") as clear:
        clear.write("5")


def most_resident(pid):
    """MiB since the process began, or since `forget_peak`."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) // 1024
