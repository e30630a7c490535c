"""Server-side backups of room keys."""

import asyncio
from urllib.parse import quote

import pytest

from homeserver import MatrixFailure

KEYS = "/_matrix/client/v3/room_keys/keys"
VERSION = "/_matrix/client/v3/room_keys/version"
BACKUP = {"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": {"public_key": "abc", "signatures": {}}}
ROOM = "!a/b:test.example"


async def status(awaitable):
    with pytest.raises(MatrixFailure) as failure:
        await awaitable
    return failure.value.status, failure.value.errcode


def key(index=5, forwarded=5, verified=False, text="x"):
    return {"first_message_index": index, "forwarded_count": forwarded, "is_verified": verified,
            "session_data": {"ciphertext": text, "mac": "é\u0001\\u0000", "ephemeral": "k"}}


def path(room=None, session=None, version="1"):
    names = "".join("/" + quote(name, safe="") for name in (room, session) if name)
    return f"{KEYS}{names}?version={version}"


async def test_versions_of_the_backup(server, people):
    alice, bob = await people("alice", "bob")
    assert await status(alice.get(VERSION)) == (404, "M_NOT_FOUND")
    assert await status(alice.post(VERSION, {"algorithm": "x"})) == (400, "M_MISSING_PARAM")
    assert await alice.post(VERSION, BACKUP) == {"version": "1"}
    assert await alice.get(VERSION) == {**BACKUP, "version": "1", "count": 0, "etag": "0"}
    assert await status(bob.get(VERSION + "/1")) == (404, "M_NOT_FOUND")

    other = {**BACKUP, "auth_data": {"public_key": "def", "signatures": {}}}
    await alice.put(VERSION + "/1", {**other, "version": "1"})
    assert (await alice.get(VERSION + "/1"))["auth_data"] == other["auth_data"]
    assert await status(alice.put(VERSION + "/1", {**other, "version": "2"})) == (400, "M_INVALID_PARAM")
    assert await status(alice.put(VERSION + "/1", {**other, "algorithm": "x"})) == (400, "M_INVALID_PARAM")
    assert await status(alice.put(VERSION + "/2", other)) == (404, "M_NOT_FOUND")

    assert await alice.post(VERSION, BACKUP) == {"version": "2"}
    assert (await alice.get(VERSION))["version"] == "2"
    await alice.call("DELETE", VERSION + "/2")
    await alice.call("DELETE", VERSION + "/2")
    assert (await alice.get(VERSION))["version"] == "1"
    assert await status(alice.get(VERSION + "/2")) == (404, "M_NOT_FOUND")
    assert await status(alice.call("DELETE", VERSION + "/9")) == (404, "M_NOT_FOUND")
    await server.restart()
    assert await alice.post(VERSION, BACKUP) == {"version": "3"}


async def test_keys_in_every_form(server, people):
    alice, bob = await people("alice", "bob")
    await alice.post(VERSION, BACKUP)
    assert await alice.get(path()) == {"rooms": {}}
    assert await alice.get(path(ROOM)) == {"sessions": {}}
    assert await status(alice.get(path(ROOM, "s/1"))) == (404, "M_NOT_FOUND")
    assert await status(alice.get(KEYS)) == (400, "M_MISSING_PARAM")
    assert await status(alice.get(path(version="bogus"))) == (404, "M_NOT_FOUND")

    assert await alice.put(path(ROOM, "s/1"), key()) == {"etag": "1", "count": 1}
    assert await alice.put(path(ROOM), {"sessions": {"s/1": key(), "s2": key()}}) == {"etag": "2", "count": 2}
    rooms = {ROOM: {"sessions": {"s3": key(1)}}, "!other": {"sessions": {"s1": key(2), "s2": key(3)}}}
    assert await alice.put(path(), {"rooms": rooms}) == {"etag": "3", "count": 5}
    assert await alice.get(path(ROOM, "s/1")) == key()
    assert await alice.get(path(ROOM)) == {"sessions": {"s/1": key(), "s2": key(), "s3": key(1)}}
    assert await alice.get(path()) == {"rooms": {ROOM: {"sessions": {"s/1": key(), "s2": key(), "s3": key(1)}}, "!other": rooms["!other"]}}
    await server.kill()
    await server.start()
    assert {**await alice.get(VERSION), "auth_data": None} == {**BACKUP, "auth_data": None, "version": "1", "count": 5, "etag": "3"}

    assert await alice.call("DELETE", path(ROOM, "s2")) == {"etag": "4", "count": 4}
    assert await alice.call("DELETE", path("!other")) == {"etag": "5", "count": 2}
    assert await alice.call("DELETE", path()) == {"etag": "6", "count": 0}
    assert await alice.get(path()) == {"rooms": {}}
    assert await status(bob.call("DELETE", path())) == (404, "M_NOT_FOUND")


async def test_the_better_key_stays(server, people):
    alice = await people("alice")
    await alice.post(VERSION, BACKUP)
    await alice.put(path(ROOM, "s"), key())
    for worse in (key(text="y"), key(index=6, text="y"), key(forwarded=6, text="y")):
        assert await alice.put(path(ROOM, "s"), worse) == {"etag": "1", "count": 1}
    assert await alice.get(path(ROOM, "s")) == key()
    for number, better in enumerate((key(index=4, forwarded=9), key(index=4, forwarded=8), key(99, 99, True), key(98, 99, True)), 2):
        assert await alice.put(path(ROOM, "s"), better) == {"etag": str(number), "count": 1}
        assert await alice.get(path(ROOM, "s")) == better
    # What the owner has verified does not give way to what somebody else may have passed on, and fewer forwardings do not outweigh messages.
    for worse in (key(0, 0), key(99, 0, True)):
        assert await alice.put(path(ROOM, "s"), worse) == {"etag": "5", "count": 1}
    assert await alice.get(path(ROOM, "s")) == key(98, 99, True)


async def test_only_the_current_backup_takes_keys(server, people):
    alice = await people("alice")
    assert await status(alice.put(path(ROOM, "s"), key())) == (404, "M_NOT_FOUND")
    await alice.post(VERSION, BACKUP)
    await alice.put(path(ROOM, "s"), key())
    await alice.post(VERSION, BACKUP)
    with pytest.raises(MatrixFailure) as failure:
        await alice.put(path(ROOM, "s"), key())
    assert failure.value.status == 403
    assert failure.value.errcode == "M_WRONG_ROOM_KEYS_VERSION" and failure.value.body["current_version"] == "2"
    assert await status(alice.put(path(ROOM, "s", version="3"), key())) == (404, "M_NOT_FOUND")
    assert await alice.get(path(ROOM, "s")) == key()
    assert await alice.get(path(version="2")) == {"rooms": {}}


async def test_malformed_keys_are_refused_and_nothing_is_stored(server, people):
    alice = await people("alice")
    await alice.post(VERSION, BACKUP)
    for wrong in ({}, [], {"rooms": []}, {"rooms": {ROOM: {}}}, {"rooms": {ROOM: {"sessions": {"s": {}}}}}):
        assert (await status(alice.put(path(), wrong)))[0] == 400
    half = {"sessions": {"good": key(), "bad": {**key(), "is_verified": "yes"}}}
    assert await status(alice.put(path(ROOM), half)) == (400, "M_INVALID_PARAM")
    assert await alice.get(path()) == {"rooms": {}}


async def test_many_keys_from_several_devices_at_once(server, people):
    alice = await people("alice")
    await alice.post(VERSION, BACKUP)

    def page(number):
        return {"rooms": {f"!r{r}": {"sessions": {f"s{number}-{n}": key(text="x" * 800) for n in range(20)}} for r in range(10)}}

    await asyncio.gather(*[alice.put(path(), page(number % 5)) for number in range(10)])
    assert (await alice.get(VERSION))["count"] == 1000
    stored = (await alice.get(path()))["rooms"]
    assert sum(len(room["sessions"]) for room in stored.values()) == 1000
