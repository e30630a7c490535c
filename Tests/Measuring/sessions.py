"""Scenarios about sessions and keys: one of a million tokens, logins beside other requests, the keys of many users."""

import asyncio
import hashlib
import os
import random
import sqlite3
import statistics
import time

import psycopg2
from psycopg2.extras import execute_values

from cost import seconds
from crypto import Key
from homeserver import Client

V3 = "/_matrix/client/v3"


class Connections:
    """A few kept-alive connections, each with one request at a time, at as little cost as Python allows."""

    def __init__(self, server, count=8):
        self.server, self.count = server, count

    async def __aenter__(self):
        self.open = [await asyncio.open_connection("127.0.0.1", self.server.port) for _ in range(self.count)]
        return self

    async def __aexit__(self, *_):
        for _, writer in self.open:
            writer.close()

    async def whoami(self, tokens):
        """One request with each token."""
        waiting = iter(tokens)

        async def work(reader, writer):
            for token in waiting:
                writer.write(f"GET {V3}/account/whoami HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
                await reader.readexactly(length)
                assert head.startswith(b"HTTP/1.1 200"), head
        await asyncio.gather(*(work(*pair) for pair in self.open))


def token_name(number):
    return f"measured_{number}"


def insert_tokens(server, count, users):
    """Tokens beside those that are there, each like an existing one."""
    if server.kind == "postgres":
        parts = psycopg2.extensions.parse_dsn(os.environ["MARTLET_TEST_POSTGRES"])
        database, blob = psycopg2.connect(**{**parts, "dbname": server.database_name}), psycopg2.Binary
    else:
        database, blob = sqlite3.connect(server.folder / "homeserver.db"), bytes
    cursor = database.cursor()
    cursor.execute("SELECT * FROM access_tokens LIMIT 1")
    columns, row = [column[0] for column in cursor.description], cursor.fetchone()
    example = dict(zip(columns, row), device_id=None, refresh_id=None)

    def rows():
        for number in range(count):
            token_hash = hashlib.sha256(token_name(number).encode()).digest()
            values = {**example, "token_id": 10**15 + number, "user_id": users[number % len(users)], "token_hash": blob(token_hash)}
            yield [values[column] for column in columns]

    sql = f"INSERT INTO access_tokens ({', '.join(columns)}) VALUES "
    if server.kind == "postgres":
        execute_values(cursor, sql + "%s", rows(), page_size=5000)
        cursor.execute("ANALYZE access_tokens")
    else:
        cursor.executemany(sql + f"({', '.join('?' * len(columns))})", rows())
    database.commit()
    database.close()


class SessionScenarios:
    # One of a million tokens

    async def tokens(self):
        count, lookups = self.scaled(1_000_000), 15_000
        people = await self.server.people(20, "token")
        insert_tokens(self.server, count, [person.user for person in people])
        await self.server.restart()
        meter = type(self.meter)(self.server)

        async def cost(tokens):
            """Microseconds of the server and of the database for one request."""
            async with Connections(self.server) as connections:
                await connections.whoami([people[0].token] * 200)
                before = [seconds(root) for root in meter.roots]
                await connections.whoami(tokens)
                return [(seconds(root) - start) * 1e6 / len(tokens) for root, start in zip(meter.roots, before)]
        fresh = [token_name(number) for number in random.sample(range(count), min(count, 2 * lookups))]
        half = len(fresh) // 2
        await cost(fresh[:half])  # what is read from the disk for the first time is not what is measured
        known, looked_up = await cost([people[0].token] * half), await cost(fresh[half:])
        for person in people:
            await person.close()
        parts = [f"{name} {after - before:.1f} µs" for name, before, after in zip(("of the server", "of the database"), known, looked_up)]
        print(f"    a lookup among {count} tokens costs {', '.join(parts)}; whoami with a known token {known[0]:.1f} µs", flush=True)

    # whoami while passwords are checked

    async def hashing(self):
        self.server.configure(bcrypt_rounds=12)
        await self.server.restart()
        password = "password of hashing0"
        [user] = await self.server.people(1, "hashing")
        logins, ends = 0, asyncio.Event()

        async def latencies(duration):
            times, end = [], time.monotonic() + duration
            while time.monotonic() < end:
                began = time.monotonic()
                await user.get(V3 + "/account/whoami")
                times.append((time.monotonic() - began) * 1000)
                await asyncio.sleep(0.01)
            times.sort()
            return f"median {statistics.median(times):.1f} ms, 99th percentile {times[int(len(times) * 0.99)]:.1f} ms"

        async def log_in():
            nonlocal logins
            client = Client(self.server)
            while not ends.is_set():
                await client.post(V3 + "/login", {
                    "type": "m.login.password", "identifier": {"type": "m.id.user", "user": user.user}, "password": password,
                    "device_id": f"D{logins % 50}"})
                logins += 1
            await client.close()
        alone = await latencies(5)
        tasks = [asyncio.create_task(log_in()) for _ in range(16)]
        began = time.monotonic()
        busy = await latencies(10)
        rate = logins / (time.monotonic() - began)
        ends.set()
        await asyncio.gather(*tasks)
        await user.close()
        print(f"    whoami alone: {alone}; while 16 clients log in ({rate:.1f} a second): {busy}", flush=True)

    # POST /keys/query for 1,000 users

    async def keys(self):
        people = await self.server.people(self.scaled(1000), "keys")
        for person in people:
            device = Key(person.user, person.device)
            await person.post(V3 + "/keys/upload", {"device_keys": device.device_keys()})
        body = {"device_keys": {person.user: [] for person in people}}
        answer = await people[0].post(V3 + "/keys/query", body)
        assert len(answer["device_keys"]) == len(people) and all(answer["device_keys"].values())
        cost = await self.each(20, lambda _: people[0].raw("POST", V3 + "/keys/query", body))
        for person in people:
            await person.close()
        return cost
