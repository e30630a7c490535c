"""Acknowledged means durable: kill -9, a killed backend and a restarted database, under load."""

import asyncio
import os
import subprocess

import aiohttp
import psycopg2
import pytest

from homeserver import POSTGRES, Homeserver, MatrixFailure
from ports import free_port


class Load:
    """Senders that keep sending, and remember what was acknowledged and what was not."""

    def __init__(self, people, room):
        self.people, self.room = people, room
        self.acknowledged, self.uncertain, self.failed = {}, [], []
        self.running = True

    async def sender(self, person, number):
        count = 0
        while self.running:
            count += 1
            text = f"{number}-{count}"
            try:
                self.acknowledged[text] = await person.send(self.room, text, transaction="txn-" + text)
            except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
                self.uncertain.append((person, text))
                return
            except MatrixFailure as failure:
                assert failure.status >= 500, failure
                self.uncertain.append((person, text))
                self.failed.append(failure.status)
                await asyncio.sleep(0.05)

    def start(self):
        self.tasks = [asyncio.create_task(self.sender(p, i)) for i, p in enumerate(self.people * 4)]

    async def finish(self):
        self.running = False
        await asyncio.gather(*self.tasks)


async def check_exactly_once(load, reader):
    """Retries what was uncertain with the same transaction id; then every text stands in the room exactly once."""
    for person, text in load.uncertain:
        load.acknowledged[text] = await person.send(load.room, text, transaction="txn-" + text)
    found = {}
    for event in await reader.messages(load.room):
        if event["type"] == "m.room.message":
            found.setdefault(event["content"]["body"], []).append(event["event_id"])
    assert found == {text: [event] for text, event in load.acknowledged.items()}


async def a_room(people):
    alice, bob, carol = await people("alice", "bob", "carol")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    await carol.join(room)
    return [alice, bob, carol], room


@pytest.mark.parametrize("round", range(2))
async def test_kill_9_loses_no_acknowledged_event_and_doubles_none(server, people, round):
    everybody, room = await a_room(people)
    load = Load(everybody, room)
    load.start()
    await asyncio.sleep(0.7 + 0.4 * round)
    await server.kill()
    await load.finish()
    assert len(load.acknowledged) > 50
    await server.start()
    for person in everybody:
        await person.close()
    await check_exactly_once(load, everybody[0])


async def test_a_sync_token_from_before_kill_9_misses_nothing(server, people):
    (alice, bob, _), room = await a_room(people)
    since = (await bob.sync())["next_batch"]
    sent = [await alice.send(room, f"n{i}") for i in range(5)]
    await server.kill()
    await server.start()
    await alice.close(), await bob.close()
    sent += [await alice.send(room, f"m{i}") for i in range(3)]
    answer = await bob.sync(since)
    assert [e["event_id"] for e in answer["rooms"]["join"][room]["timeline"]["events"]] == sent


async def test_a_transaction_id_is_idempotent_across_a_restart(server, people):
    (alice, bob, _), room = await a_room(people)
    first = await alice.send(room, "once", transaction="same")
    await server.restart()
    await alice.close()
    assert await alice.send(room, "once", transaction="same") == first
    assert await alice.send(room, "another", transaction="other") != first


@pytest.fixture
def postgres_only(database):
    if database != "postgres":
        pytest.skip("about PostgreSQL")


async def test_killed_backends_are_survived(postgres_only, server, people):
    everybody, room = await a_room(people)
    load = Load(everybody, room)
    load.start()
    connection = psycopg2.connect(POSTGRES)
    connection.autocommit = True
    for _ in range(5):
        await asyncio.sleep(0.3)
        connection.cursor().execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (server.database_name,))
    connection.close()
    await asyncio.sleep(0.5)
    await load.finish()
    assert server.process.poll() is None
    await check_exactly_once(load, everybody[0])


async def test_a_restarted_postgresql_is_survived(postgres_only, server, people, tmp_path_factory):
    everybody, room = await a_room(people)
    with private_cluster(tmp_path_factory.mktemp("pg")) as cluster:
        other = Homeserver(server.folder.parent / "second", "sqlite")
        other.write_config(database={"name": "psycopg2", "args": {
            "user": "postgres", "database": "postgres", "host": "127.0.0.1", "port": cluster.port, "cp_min": 1, "cp_max": 5}})
        await other.start()
        try:
            alice, bob = await other.register("alice"), await other.register("bob")
            room = await alice.create_room(preset="public_chat")
            await bob.join(room)
            load = Load([alice, bob], room)
            load.start()
            await asyncio.sleep(0.5)
            await asyncio.to_thread(cluster.restart)
            await asyncio.sleep(2)
            await load.finish()
            assert other.process.poll() is None, other.log()
            await check_exactly_once(load, alice)
            await alice.close(), await bob.close()
        finally:
            await other.destroy()


class private_cluster:
    """A PostgreSQL cluster of this test's own, so that restarting it disturbs nobody."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.bin = os.environ.get("MARTLET_TEST_POSTGRES_BIN", "/usr/lib/postgresql/15/bin")

    def run(self, *command):
        prefix = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups"] if os.getuid() == 0 else []
        subprocess.run([*prefix, *command], check=True, cwd="/tmp", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def pg_ctl(self, *what):
        self.run(f"{self.bin}/pg_ctl", "-D", str(self.folder / "data"), "-s", "-w", "-l", str(self.folder / "log"), *what)

    def options(self):
        return ["-o", f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"]

    def restart(self):
        self.pg_ctl("stop", "-m", "fast")
        self.pg_ctl(*self.options(), "start")

    def __enter__(self):
        if os.getuid() == 0:
            folder = self.folder
            while str(folder) != "/tmp" and folder != folder.parent:
                os.chmod(folder, 0o755)
                folder = folder.parent
            import shutil
            shutil.chown(self.folder, "postgres")
        self.run(f"{self.bin}/initdb", "-D", str(self.folder / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self.pg_ctl(*self.options(), "start")
        return self

    def __exit__(self, *_):
        self.pg_ctl("stop", "-m", "immediate")
