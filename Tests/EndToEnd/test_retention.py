"""How long messages are kept: policies, purge jobs, and messages that name their time."""

import asyncio
import sqlite3
import time

import psycopg2
import pytest

from homeserver import POSTGRES, MatrixFailure, joined

pytestmark = pytest.mark.asyncio

CONFIGURATION = "/_matrix/client/unstable/org.matrix.msc1763/retention/configuration"


def stored_messages(server):
    query = "SELECT count(*) FROM events WHERE type = 'm.room.message'"
    if server.kind == "sqlite":
        connection = sqlite3.connect(server.folder / "homeserver.db")
    else:
        connection = psycopg2.connect(POSTGRES, dbname=server.database_name)
    cursor = connection.cursor()
    cursor.execute(query)
    [count] = cursor.fetchone()
    connection.close()
    return count


async def test_old_messages_are_hidden_at_once_and_deleted_later(configured):
    server = await configured(retention={"enabled": True, "default_policy": {"max_lifetime": "1s"},
                                         "purge_jobs": [{"interval": "2s"}]})
    alice = await server.register("alice")
    room = await alice.create_room(name="short", preset="private_chat")
    other = await alice.create_room(name="long")
    await alice.state(other, "m.room.retention", {"max_lifetime": 86_400_000})
    event = await alice.send(room, "soon gone")
    await alice.send(room, "the newest")
    kept = await alice.send(other, "kept")
    since = (await alice.sync())["next_batch"]
    await alice.send(room, "told at once")
    news = joined(await alice.sync(since), room)["timeline"]["events"]
    assert [e["content"]["body"] for e in news] == ["told at once"]

    await asyncio.sleep(1.2)
    assert all("state_key" in e for e in await alice.messages(room))
    with pytest.raises(MatrixFailure) as refused:
        await alice.get(f"{alice.room(room)}/event/{event}")
    assert refused.value.status == 404
    shown = joined(await alice.sync(), room)
    assert all("state_key" in e for e in shown["timeline"]["events"])
    assert any(e["type"] == "m.room.name" for e in shown["timeline"]["events"] + shown["state"]["events"])
    assert (await alice.get(f"{alice.room(other)}/event/{kept}"))["content"]["body"] == "kept"

    # The newest message of a room stays, and is shown to nobody.
    deadline = time.monotonic() + 20
    while stored_messages(server) > 2 and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
    assert stored_messages(server) == 2
    await alice.send(room, "goes on")
    assert [e["content"]["body"] for e in await alice.messages(room) if e["type"] == "m.room.message"] == ["goes on"]
    await alice.close()


async def test_the_configuration_is_told_where_the_operator_wants_it(configured):
    silent = await configured(retention={"enabled": True})
    alice = await silent.register("alice")
    with pytest.raises(MatrixFailure) as refused:
        await alice.get(CONFIGURATION)
    assert refused.value.errcode == "M_UNRECOGNIZED"
    await alice.close()
    server = await configured(
        experimental_features={"msc1763_enabled": True},
        retention={"enabled": True, "default_policy": {"max_lifetime": "1d"}, "allowed_lifetime_min": "1h", "allowed_lifetime_max": "1w"})
    bob = await server.register("bob")
    assert await bob.get(CONFIGURATION) == {
        "policies": {"*": {"max_lifetime": 86_400_000}}, "limits": {"max_lifetime": {"min": 3_600_000, "max": 604_800_000}}}
    room = await bob.create_room()
    for content in ({"max_lifetime": "1d"}, {"min_lifetime": 2, "max_lifetime": 1}):
        with pytest.raises(MatrixFailure) as refused:
            await bob.state(room, "m.room.retention", content)
        assert refused.value.errcode == "M_BAD_JSON"
    await bob.close()


async def test_a_message_that_names_its_time_loses_its_content_then(configured):
    server = await configured(enable_ephemeral_messages=True)
    alice = await server.register("alice")
    room = await alice.create_room()

    def secret(seconds):
        return {"msgtype": "m.text", "body": "secret", "org.matrix.self_destruct_after": int(time.time() * 1000 + seconds * 1000)}

    late = await alice.send(room, secret(4))
    soon = await alice.send(room, secret(1.5))

    async def content(event):
        return (await alice.get(f"{alice.room(room)}/event/{event}"))["content"]

    async def emptied(event):
        deadline = time.monotonic() + 20
        while await content(event) and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        return not await content(event)

    assert (await content(soon))["body"] == "secret"
    assert await emptied(soon)
    assert (await content(late))["body"] == "secret"
    shown = {e["event_id"]: e for e in joined(await alice.sync(), room)["timeline"]["events"]}
    assert shown[soon]["content"] == {} and "redacted_because" not in shown[soon]["unsigned"]
    await server.restart()
    assert await emptied(late)
    await alice.close()
