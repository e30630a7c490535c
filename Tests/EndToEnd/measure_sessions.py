#!/usr/bin/env python3
"""Measures what sessions cost: looking up one of a million access tokens, and whether hashing of passwords holds others up.

    MARTLET_BIN=.build/release MARTLET_TEST_POSTGRES=postgresql://… python Tests/EndToEnd/measure_sessions.py [--tokens 1000000]

CPU is read from /proc: that of the server, and apart from it that of the database's processes that serve it."""

import argparse
import asyncio
import hashlib
import os
import random
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

import psycopg2

from homeserver import POSTGRES, Client, Homeserver

TICK = 1_000_000 / os.sysconf("SC_CLK_TCK")  # µs


def cpu(pid):
    """µs of CPU that a process has used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0
    return (int(fields[11]) + int(fields[12])) * TICK


class Connections:
    """A few kept-alive connections, each with one request at a time, at as little cost as Python allows."""

    def __init__(self, server, count):
        self.server, self.count = server, count

    async def __aenter__(self):
        self.open = [await asyncio.open_connection("127.0.0.1", self.server.port) for _ in range(self.count)]
        return self

    async def __aexit__(self, *_):
        for _, writer in self.open:
            writer.close()

    async def run(self, tokens):
        """whoami with each token -> how many were answered with 200."""
        waiting, good = iter(tokens), 0

        async def work(reader, writer):
            nonlocal good
            for token in waiting:
                writer.write(f"GET /_matrix/client/v3/account/whoami HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
                await reader.readexactly(length)
                good += head.startswith(b"HTTP/1.1 200")

        await asyncio.gather(*(work(*pair) for pair in self.open))
        return good


def insert_tokens(server, count, users):
    """Tokens beside those that are there, each like an existing one."""
    name = lambda number: f"measured_{number}"  # noqa: E731
    if server.kind == "postgres":
        parts = psycopg2.extensions.parse_dsn(POSTGRES)
        database = psycopg2.connect(**{**parts, "dbname": server.database_name})
        marks, blob = "%s", psycopg2.Binary
    else:
        database = sqlite3.connect(server.folder / "homeserver.db")
        marks, blob = "?", bytes
    cursor = database.cursor()
    cursor.execute("SELECT * FROM access_tokens LIMIT 1")
    columns, row = [c[0] for c in cursor.description], cursor.fetchone()
    example = dict(zip(columns, row), device_id=None, refresh_id=None)
    sql = f"INSERT INTO access_tokens ({', '.join(columns)}) VALUES ({', '.join([marks] * len(columns))})"

    def rows():
        for number in range(count):
            values = {**example, "token_id": 10**15 + number, "user_id": users[number % len(users)],
                      "token_hash": blob(hashlib.sha256(name(number).encode()).digest())}
            yield [values[column] for column in columns]

    if server.kind == "postgres":
        from psycopg2.extras import execute_values
        execute_values(cursor, sql.split(" VALUES")[0] + " VALUES %s", rows(), page_size=5000)
    else:
        cursor.executemany(sql, rows())
    database.commit()
    if server.kind == "postgres":
        database.autocommit = True
        cursor.execute("ANALYZE access_tokens")
    database.close()
    return name


async def measure_tokens(kind, count, lookups, folder):
    server = Homeserver(folder / kind, kind, log_config=None)
    await server.start()
    people = [await server.register(f"user{number}") for number in range(20)]
    name = insert_tokens(server, count, [person.user for person in people])
    await server.restart()
    backends = lambda: [  # noqa: E731
        int(pid.name) for pid in Path("/proc").iterdir()
        if pid.name.isdigit() and server.database_name and server.database_name in read_command(pid)]

    async def cost(tokens):
        async with Connections(server, 8) as connections:
            await connections.run([people[0].token] * 200)
            before, others = cpu(server.process.pid), sum(cpu(pid) for pid in backends())
            good = await connections.run(tokens)
            assert good == len(tokens), f"{good} of {len(tokens)}"
            return ((cpu(server.process.pid) - before) / len(tokens), (sum(cpu(pid) for pid in backends()) - others) / len(tokens))

    fresh = [name(number) for number in random.sample(range(count), 2 * lookups)]
    await cost(fresh[:lookups])  # what is read from the disk for the first time is not what is measured
    known = await cost([people[0].token] * lookups)
    looked_up = await cost(fresh[lookups:])
    print(f"{kind}: {count} tokens; whoami with a known token {known[0]:.1f} µs of the server's CPU,"
          f" with one that is looked up {looked_up[0]:.1f} µs (database's processes {looked_up[1] - known[1]:.1f} µs):"
          f" a lookup costs {looked_up[0] - known[0]:.1f} µs")
    for person in people:
        await person.close()
    await server.destroy()


def read_command(pid):
    try:
        return (pid / "cmdline").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


async def measure_hashing(folder):
    server = Homeserver(folder / "hashing", "sqlite", bcrypt_rounds=12)
    await server.start()
    alice = await server.register("alice", "a password")

    async def latencies(seconds):
        times, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            begun = time.monotonic()
            await alice.get("/_matrix/client/v3/account/whoami")
            times.append((time.monotonic() - begun) * 1000)
            await asyncio.sleep(0.01)
        return sorted(times)

    def show(times):
        return f"median {statistics.median(times):.1f} ms, 99th percentile {times[int(len(times) * 0.99)]:.1f} ms, worst {times[-1]:.1f} ms"

    print("whoami while nobody logs in:", show(await latencies(5)))
    stop = False
    logins = 0

    async def log_in():
        nonlocal logins
        client = Client(server)
        while not stop:
            await client.post("/_matrix/client/v3/login", {
                "type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"}, "password": "a password",
                "device_id": f"D{logins % 50}"})
            logins += 1
        await client.close()

    tasks = [asyncio.create_task(log_in()) for _ in range(16)]
    begun = time.monotonic()
    busy = await latencies(10)
    stop = True
    await asyncio.gather(*tasks)
    print(f"whoami while 16 clients log in ({logins / (time.monotonic() - begun):.1f} logins a second):", show(busy))
    await alice.close()
    await server.destroy()


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--lookups", type=int, default=15_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for kind in ["sqlite"] + (["postgres"] if POSTGRES else []):
            await measure_tokens(kind, arguments.tokens, arguments.lookups, Path(folder))
        await measure_hashing(Path(folder))


if __name__ == "__main__":
    asyncio.run(main())
