"""Three Martlets and a Synapse in one room, under cuts, standstills and crashes at random. At the end all must hold the same state and events."""

import argparse
import asyncio
import collections
import random
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import aiohttp

sys.path.insert(0, str(Path(__file__).parents[1]))

from across import agree, hear_each_other, in_room, same_messages  # noqa: E402
from homeserver import Homeserver, MatrixFailure  # noqa: E402
from partner import Authority  # noqa: E402
from synapse import Synapse, federated  # noqa: E402

HOSTS = ["127.0.0.2", "127.0.0.5", "127.0.0.6"]


class Soak:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.dice = random.Random(options.seed)
        authority = Authority(folder / "authority")
        self.servers = [federated(Homeserver, folder / f"martlet{number}", "sqlite", authority, host)
                        for number, host in enumerate(HOSTS[:options.martlets], 1)]
        if not options.without_synapse:
            self.servers.append(federated(Synapse, folder / "synapse", "sqlite", authority, "127.0.0.3"))
        self.people, self.sent, self.doubtful, self.done = [], [], [], collections.Counter()
        self.over = asyncio.Event()

    # One person's life

    async def act(self, client, dice):
        kind = dice.choices(["say", "topic", "own", "shared", "redact", "moderate", "come back"], [60, 6, 10, 6, 5, 8, 5])[0]
        unique = secrets.token_hex(6)
        room = in_room(self.room, "")
        if kind == "say":
            answer = await self.insist(client, f"{room}send/m.room.message/{unique}", {"msgtype": "m.text", "body": unique})
            # What somebody says who is put out at the same moment on another server, not all get to see.
            if answer:
                (self.sent if client.power else self.doubtful).append(answer["event_id"])
        elif kind == "topic":
            await self.insist(client, f"{room}state/m.room.topic/", {"topic": unique})
        elif kind == "own":
            await self.insist(client, f"{room}state/test.own/{quote('of ' + client.user, safe='')}", {"value": unique})
        elif kind == "shared":
            await self.insist(client, f"{room}state/test.shared/{dice.randrange(5)}", {"value": unique})
        elif kind == "redact" and self.sent:
            await self.insist(client, f"{room}redact/{quote(dice.choice(self.sent), safe='')}/{unique}", {})
        elif kind == "moderate" and client.power >= 50:
            victim = dice.choice([one for one in self.people if one.power == 0])
            deed = dice.choice(["kick", "ban", "unban", "invite"])
            await self.insist(client, f"{room}{deed}", {"user_id": victim.user}, method="POST")
        elif kind == "come back" and client.power == 0:
            via = self.dice.choice(self.servers).name
            await self.insist(client, f"/_matrix/client/v3/join/{quote(self.room, safe='')}?via={via}&server_name={via}", {}, method="POST")
        else:
            return
        self.done[kind] += 1

    async def insist(self, client, path, body, method="PUT"):
        """Until the server has said yes or no."""
        while True:
            try:
                return await client.call(method, path, body, checked=False, timeout=60)
            except (aiohttp.ClientError, asyncio.TimeoutError):
                self.done["tried again"] += 1
            except MatrixFailure as failure:
                if failure.status < 500 and failure.status != 429:
                    self.done["refused"] += 1
                    return None
            await asyncio.sleep(0.2)

    async def live(self, client, seed):
        dice = random.Random(seed)
        while not self.over.is_set():
            await self.act(client, dice)
            await asyncio.sleep(dice.uniform(0, 2 * self.options.pause))

    # Misfortune

    async def trouble(self):
        while not self.over.is_set():
            await asyncio.sleep(self.dice.uniform(0.5, 3))
            server = self.dice.choice(self.servers)
            how, long = self.dice.choices(["freeze", "cut", "crash"], [4, 4, 1])[0], self.dice.uniform(0.5, 6)
            self.done[how] += 1
            if how == "freeze":
                server.freeze()
                await asyncio.sleep(long)
                server.thaw()
            elif how == "cut":
                server.cable.cut()
                await asyncio.sleep(long)
                server.cable.mend()
            elif not isinstance(server, Synapse):
                await server.kill()
                await asyncio.sleep(long / 4)
                await server.start()

    # The whole

    async def run(self):
        for server in self.servers:
            await server.start()
        for number, server in enumerate(self.servers):
            for name, power in (("mod", 50), ("anna", 10), ("victim", 0)):
                client = await server.register(f"{name}{number}")
                client.power = 100 if not self.people else power
                self.people.append(client)
        creator = self.people[0]
        self.room = await creator.create_room(
            preset="public_chat", room_version=self.options.room_version,
            power_level_content_override={"state_default": 0, "events": {"m.room.power_levels": 100}, "users_default": 0})
        levels = await creator.get(in_room(self.room, "state/m.room.power_levels/"))
        levels["users"] = {**levels.get("users", {}), **{one.user: one.power for one in self.people[1:] if one.power}}
        await creator.state(self.room, "m.room.power_levels", levels)
        for one in self.people[1:]:
            await one.join(self.room, via=[self.servers[0].name])
        print(f"{len(self.people)} people on {len(self.servers)} servers in {self.room}, version {self.options.room_version}, "
              f"seed {self.options.seed}", flush=True)
        tasks = [asyncio.create_task(self.live(one, f"{self.options.seed} {number}")) for number, one in enumerate(self.people)]
        tasks.append(asyncio.create_task(self.trouble()))
        await asyncio.sleep(self.options.seconds)
        self.over.set()
        await asyncio.gather(*tasks)
        print("quiet again:", dict(self.done), f"{len(self.sent)} messages", flush=True)
        await self.compare()

    async def compare(self):
        watchers = [one for one in self.people if one.power in (50, 100)]
        begun = time.monotonic()
        last = await hear_each_other(self.room, *watchers, within=120)
        found = await agree(self.room, *watchers, within=120)
        print(f"one state of {len(found)} entries after {time.monotonic() - begun:.1f} s", flush=True)
        await same_messages(self.room, self.sent + last, *watchers, within=180, beside=self.doubtful)
        print(f"the same {len(self.sent + last)} messages everywhere after {time.monotonic() - begun:.1f} s", flush=True)

    async def end(self):
        for client in self.people:
            await client.close()
        for server in self.servers:
            if server.process and server.process.poll() is None:
                server.thaw()
                await server.kill()
            server.cable.end()


async def main(options):
    folder = Path(options.folder or tempfile.mkdtemp(prefix="soak."))
    soak = Soak(options, folder)
    try:
        await soak.run()
    except BaseException:
        print(f"what the servers said and stored is in {folder}", flush=True)
        raise
    finally:
        await soak.end()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--room-version", default="12")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two deeds of one person, on average")
    parser.add_argument("--martlets", type=int, choices=[1, 2, 3], default=3)
    parser.add_argument("--without-synapse", action="store_true")
    parser.add_argument("--folder", help="where the servers keep what they have")
    asyncio.run(main(parser.parse_args()))
