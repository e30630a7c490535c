"""Scenarios of rooms that are shared with other servers."""

import asyncio

from cost import Meter
from participant import Participant
from partner import Authority


class FederationScenarios:
    """Of what is said to many servers."""

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
