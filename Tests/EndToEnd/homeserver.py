"""The real binary as tests use it: its configuration, its life (start, stop, kill -9) and a plain HTTP client."""

import asyncio
import hashlib
import hmac
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import aiohttp
import psycopg2
import yaml
import yarl

import specification
from ports import free_port

BIN = Path(os.environ.get("MARTLET_BIN", Path(__file__).parents[2] / ".build/release"))
POSTGRES = os.environ.get("MARTLET_TEST_POSTGRES")

OUT_OF_THE_WAY = {"per_second": 1_000_000, "burst_count": 1_000_000}


def make_database(template="template0", options="ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"):
    """A fresh database on the private cluster -> its name."""
    name = "e2e_" + secrets.token_hex(6)
    connection = psycopg2.connect(POSTGRES)
    connection.autocommit = True
    connection.cursor().execute(f"CREATE DATABASE {name} {options} TEMPLATE {template}")
    connection.close()
    return name


def drop_database(name):
    connection = psycopg2.connect(POSTGRES)
    connection.autocommit = True
    connection.cursor().execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    connection.close()


class Homeserver:
    """One Martlet on 127.0.0.1, on SQLite or PostgreSQL, in a folder of its own."""

    def __init__(self, folder, database, name="test.example", port=None, **overrides):
        self.folder, self.kind = Path(folder), database
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.name = name
        self.base = f"http://127.0.0.1:{self.port}"
        self.secret = secrets.token_hex(16)
        self.process = None
        self.database_name = make_database() if database == "postgres" else None
        self.write_config(**overrides)

    def database_section(self):
        if self.kind == "sqlite":
            return {"name": "sqlite3", "args": {"database": str(self.folder / "homeserver.db")}}
        parts = psycopg2.extensions.parse_dsn(POSTGRES)
        args = {"user": parts["user"], "database": self.database_name, "host": parts["host"],
                "port": int(parts["port"]), "cp_min": 1, "cp_max": 5}
        return {"name": "psycopg2", "args": args}

    def make_signing_key(self, path):
        subprocess.run([BIN / "martlet", "generate-signing-key", "-o", path], check=True)

    def write_config(self, **overrides):
        key = self.folder / "signing.key"
        if not key.exists():
            self.make_signing_key(key)
        config = {
            "server_name": self.name,
            "public_baseurl": self.base + "/",
            "pid_file": str(self.folder / "martlet.pid"),
            "listeners": [{"port": self.port, "type": "http", "tls": False, "bind_addresses": ["127.0.0.1"],
                           "resources": [{"names": ["client", "federation"]}]}],
            "database": self.database_section(),
            "signing_key_path": str(key),
            "media_store_path": str(self.folder / "media"),
            "registration_shared_secret": self.secret,
            "macaroon_secret_key": secrets.token_hex(16),
            "form_secret": secrets.token_hex(16),
            "enable_registration": True,
            "enable_registration_without_verification": True,
            "report_stats": False,
            "bcrypt_rounds": 4,
            "rc_message": OUT_OF_THE_WAY,
            "rc_registration": OUT_OF_THE_WAY,
            "rc_login": {"address": OUT_OF_THE_WAY, "account": OUT_OF_THE_WAY, "failed_attempts": OUT_OF_THE_WAY},
            "rc_joins": {"local": OUT_OF_THE_WAY, "remote": OUT_OF_THE_WAY},
            "rc_joins_per_room": OUT_OF_THE_WAY,
            "rc_invites": {"per_room": OUT_OF_THE_WAY, "per_user": OUT_OF_THE_WAY, "per_issuer": OUT_OF_THE_WAY},
            "rc_room_creation": OUT_OF_THE_WAY,
        }
        config.update(overrides)
        if callable(config["listeners"]):
            config["listeners"] = config["listeners"](self.port)
        self.config = self.folder / "homeserver.yaml"
        self.config.write_text(yaml.safe_dump({k: v for k, v in config.items() if v is not None}))

    # Life

    def command(self):
        return [BIN / "martlet", "--config-path", self.config]

    def spawn(self):
        self.output = open(self.folder / "output.log", "ab")
        self.process = subprocess.Popen(self.command(), cwd=self.folder, stdout=self.output, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL)

    async def start(self):
        self.spawn()
        deadline = time.monotonic() + 20
        async with aiohttp.ClientSession() as session:
            while time.monotonic() < deadline:
                if self.process.poll() is not None:
                    raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log()}")
                try:
                    async with session.get(self.base + "/_matrix/client/versions") as answer:
                        if answer.status == 200:
                            return self
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.02)
        raise AssertionError("the server did not answer within 20 s:\n" + self.log())

    def log(self):
        return (self.folder / "output.log").read_text(errors="replace")[-4000:]

    async def end(self, how, within=10):
        """Sends a signal and waits for the end -> (exit code, seconds)."""
        begun = time.monotonic()
        self.process.send_signal(how)
        while self.process.poll() is None:
            if time.monotonic() - begun > within:
                self.process.kill()
                raise AssertionError(f"still running {within} s after {how!r}:\n{self.log()}")
            await asyncio.sleep(0.02)
        return self.process.returncode, time.monotonic() - begun

    async def stop(self):
        return await self.end(signal.SIGTERM)

    async def kill(self):
        return await self.end(signal.SIGKILL)

    def freeze(self):
        """The process stands still: connections to it are accepted and get no answer."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    async def restart(self):
        await self.stop()
        await self.start()

    async def destroy(self):
        if self.process and self.process.poll() is None:
            self.thaw()
            await self.kill()
        if self.database_name:
            drop_database(self.database_name)
        shutil.rmtree(self.folder, ignore_errors=True)

    # Accounts

    async def register(self, localpart, password=None, admin=False):
        """Through the shared-secret endpoint -> a Client that is logged in."""
        password = password or "password of " + localpart
        anonymous = Client(self)
        nonce = (await anonymous.get("/_synapse/admin/v1/register"))["nonce"]
        mac = hmac.new(self.secret.encode(), digestmod=hashlib.sha1)
        mac.update(b"\0".join(x.encode() for x in (nonce, localpart, password, "admin" if admin else "notadmin")))
        answer = await anonymous.post("/_synapse/admin/v1/register", {
            "nonce": nonce, "username": localpart, "password": password, "admin": admin, "mac": mac.hexdigest()})
        await anonymous.close()
        return Client(self, answer["access_token"], answer["user_id"], answer["device_id"], password)


class MatrixFailure(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status} {body}")
        self.status, self.body = status, body
        self.errcode = body.get("errcode") if isinstance(body, dict) else None


def parsed(content):
    """The JSON of an answer; the bytes where it is none."""
    try:
        return json.loads(content)
    except ValueError:
        return content


class Client:
    """A user's plain HTTP access: each call returns the JSON body or raises MatrixFailure."""

    def __init__(self, server, token=None, user=None, device=None, password=None):
        self.server, self.token, self.user, self.device, self.password = server, token, user, device, password
        self.session = None
        self.transactions = 0

    async def raw(self, method, path, body=None, data=None, headers=None, timeout=40, checked=True):
        """-> (status, headers, bytes), whatever the answer.

        checked: hold the answer against the specification; False for what a proposal, a filter or the test changes on purpose.
        """
        if self.session is None:
            self.session = aiohttp.ClientSession()
        sent = {"Authorization": "Bearer " + self.token} if self.token else {}
        sent.update(headers or {})
        async with self.session.request(method, yarl.URL(self.server.base + path, encoded=True), json=body, data=data,
                                        headers=sent, timeout=aiohttp.ClientTimeout(total=timeout)) as answer:
            status, headers, content = answer.status, answer.headers, await answer.read()
        if wrong := checked and specification.problem(method, path, status, parsed(content)):
            raise AssertionError(wrong)
        return status, headers, content

    async def call(self, method, path, body=None, **more):
        """-> the answer's JSON; anything but a success is raised. More: as in `raw`."""
        status, _, content = await self.raw(method, path, body, **more)
        answer = parsed(content)
        if status != 200:
            raise MatrixFailure(status, answer)
        return answer

    async def get(self, path, **more):
        return await self.call("GET", path, **more)

    async def post(self, path, body=None, **more):
        return await self.call("POST", path, {} if body is None else body, **more)

    async def put(self, path, body=None, **more):
        return await self.call("PUT", path, {} if body is None else body, **more)

    async def close(self):
        if self.session:
            await self.session.close()
            self.session = None

    # Rooms

    async def create_room(self, **body):
        return (await self.post("/_matrix/client/v3/createRoom", body))["room_id"]

    async def join(self, room, via=(), **body):
        query = "&".join(f"{name}={quote(server, safe='')}" for server in via for name in ("via", "server_name"))
        return await self.post(f"/_matrix/client/v3/join/{quote(room, safe='')}{'?' + query if query else ''}", body)

    async def leave(self, room):
        return await self.post(f"{self.room(room)}/leave")

    async def invite(self, room, user):
        return await self.post(f"{self.room(room)}/invite", {"user_id": user})

    async def send(self, room, text, transaction=None, type="m.room.message"):
        if transaction is None:
            self.transactions += 1
            transaction = f"t{self.transactions}-{secrets.token_hex(3)}"
        content = {"msgtype": "m.text", "body": text} if isinstance(text, str) else text
        answer = await self.put(f"{self.room(room)}/send/{type}/{quote(transaction, safe='')}", content)
        return answer["event_id"]

    async def state(self, room, type, content, key=""):
        return (await self.put(f"{self.room(room)}/state/{type}/{quote(key, safe='')}", content))["event_id"]

    async def sync(self, since=None, timeout=0, filter=None, checked=True, **more):
        query = {"timeout": timeout, **more}
        if since:
            query["since"] = since
        if filter is not None:
            query["filter"] = filter if isinstance(filter, str) else json.dumps(filter)
        return await self.get("/_matrix/client/v3/sync?" + "&".join(f"{k}={quote(str(v), safe='')}" for k, v in query.items()),
                              checked=checked)

    async def messages(self, room, **query):
        """Every event of the room that this user may see, newest first."""
        events, start = [], None
        while True:
            q = {"dir": "b", "limit": 100, **query, **({"from": start} if start else {})}
            page = await self.get(f"{self.room(room)}/messages?" + "&".join(f"{k}={quote(str(v), safe='')}" for k, v in q.items()))
            events += page["chunk"]
            start = page.get("end")
            if not start:
                return events

    @staticmethod
    def room(room):
        return "/_matrix/client/v3/rooms/" + quote(room, safe="")


async def room_of_two(people, **options):
    """A public room of alice's, with bob in it."""
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat", **options)
    await bob.join(room)
    return alice, bob, room


def joined(answer, room):
    """The part of a sync answer that is about a joined room."""
    return answer["rooms"]["join"][room]
