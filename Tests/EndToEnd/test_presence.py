"""Presence: who is there, on the wire."""

import asyncio
from urllib.parse import quote

import pytest
import pytest_asyncio

from homeserver import OUT_OF_THE_WAY, Homeserver, MatrixFailure

QUICK = {"enabled": True, "last_active_granularity": "1s", "sync_online_timeout": "1s", "idle_timeout": "1h"}


@pytest_asyncio.fixture
async def start(database, tmp_path):
    """start(presence=…) -> a server with these options, and logged-in alice and bob who share a room."""
    made = []

    async def begin(**options):
        homeserver = Homeserver(tmp_path / "server", database, rc_presence={"per_user": OUT_OF_THE_WAY}, **options)
        made.append(homeserver)
        await homeserver.start()
        alice, bob = await homeserver.register("alice"), await homeserver.register("bob")
        made.extend([alice, bob])
        room = await alice.create_room(preset="public_chat")
        await bob.join(room)
        return homeserver, alice, bob

    yield begin
    for one in reversed(made):
        await (one.destroy() if isinstance(one, Homeserver) else one.close())


def status(user):
    return f"/_matrix/client/v3/presence/{quote(user, safe='')}/status"


def presences(answer):
    return {e["sender"]: e["content"] for e in answer.get("presence", {}).get("events", [])}


async def until(client, since, is_there, **more):
    """Syncs until a presence is there that is looked for."""
    for _ in range(20):
        answer = await client.sync(since, timeout=2000, set_presence="offline", **more)
        since = answer["next_batch"]
        for user, content in presences(answer).items():
            if is_there(user, content):
                return content, since
    raise AssertionError("no such presence")


async def test_who_reads_the_old_event_stream_is_there_too(start):
    server, alice, bob = await start()
    assert (await alice.get("/_matrix/client/v3/initialSync", checked=False))["presence"] == []
    await alice.get("/_matrix/client/v3/events?timeout=0", checked=False)
    shown = {event["content"]["user_id"]: event["content"] for event in
             (await alice.get("/_matrix/client/v3/initialSync", checked=False))["presence"]}
    assert shown[alice.user]["presence"] == "online" and "last_active_ago" in shown[alice.user]
    assert (await bob.get(status(alice.user)))["presence"] == "online"


async def test_a_status_is_set_read_and_told(start):
    server, alice, bob = await start()
    since = (await bob.sync(set_presence="offline"))["next_batch"]
    await alice.put(status(alice.user), {"presence": "online", "status_msg": "here"})
    seen = await bob.get(status(alice.user))
    assert seen["presence"] == "online" and seen["status_msg"] == "here" and seen["last_active_ago"] >= 0
    content, since = await until(bob, since, lambda user, content: user == alice.user)
    assert content["presence"] == "online" and content["status_msg"] == "here" and content["currently_active"] is True
    await alice.put(status(alice.user), {"presence": "unavailable"})
    content, since = await until(bob, since, lambda user, content: user == alice.user)
    assert content["presence"] == "unavailable" and "status_msg" not in content


async def test_syncing_makes_online_and_its_end_offline(start):
    server, alice, bob = await start(presence=QUICK)
    since = (await bob.sync(set_presence="offline"))["next_batch"]
    await alice.sync()
    content, since = await until(bob, since, lambda user, content: user == alice.user)
    assert content["presence"] == "online"
    content, since = await until(bob, since, lambda user, content: content["presence"] == "offline")
    assert (await bob.get(status(alice.user)))["presence"] == "offline"


async def test_set_presence_of_a_sync(start):
    server, alice, bob = await start()
    await alice.sync(set_presence="unavailable")
    assert (await bob.get(status(alice.user)))["presence"] == "unavailable"
    await alice.sync()
    assert (await bob.get(status(alice.user)))["presence"] == "online"
    assert presences(await alice.sync())[alice.user]["presence"] == "online"
    with pytest.raises(MatrixFailure) as refused:
        await alice.sync(set_presence="asleep")
    assert (refused.value.status, refused.value.errcode) == (400, "M_INVALID_PARAM")


async def test_strangers_see_nothing(start):
    server, alice, bob = await start()
    carol = await server.register("carol")
    since = (await carol.sync())["next_batch"]
    await alice.sync()
    with pytest.raises(MatrixFailure) as refused:
        await carol.get(status(alice.user))
    assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")
    assert alice.user not in presences(await carol.sync(since))
    assert alice.user not in presences(await carol.sync())
    with pytest.raises(MatrixFailure) as refused:
        await carol.put(status(alice.user), {"presence": "offline"})
    assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")
    await carol.close()


async def test_the_message_survives_a_restart(start):
    server, alice, bob = await start()
    await alice.put(status(alice.user), {"presence": "online", "status_msg": "here"})
    await server.restart()
    seen = await bob.get(status(alice.user))
    assert (seen["presence"], seen["status_msg"]) == ("online", "here")


@pytest.mark.parametrize("options", [{"presence": {"enabled": False}}, {"use_presence": False}, {"presence": {"enabled": "untracked"}}])
async def test_presence_off(start, options):
    server, alice, bob = await start(**options)
    await alice.put(status(alice.user), {"presence": "online", "status_msg": "here"})
    await alice.sync()
    assert await bob.get(status(alice.user)) == {"presence": "offline"}
    assert presences(await bob.sync()) == {}


@pytest.mark.parametrize("body", [{}, {"presence": "asleep"}, {"presence": 1}, {"presence": "online", "status_msg": 5},
                                  {"presence": "online", "status_msg": "x" * 5000}, {"presence": "online", "status_msg": "\0"}])
async def test_bad_status(server, people, body):
    alice = await people("alice")
    with pytest.raises(MatrixFailure) as refused:
        await alice.put(status(alice.user), body)
    assert refused.value.status == 400 and refused.value.errcode in ("M_MISSING_PARAM", "M_BAD_JSON", "M_INVALID_PARAM")


async def test_many_waiting_readers_hear_of_one(start):
    server, alice, bob = await start()
    tokens = [(await bob.sync(set_presence="offline"))["next_batch"] for _ in range(3)]
    waiting = [asyncio.create_task(bob.sync(t, timeout=10000, set_presence="offline")) for t in tokens]
    await asyncio.sleep(0.2)
    await alice.put(status(alice.user), {"presence": "online"})
    for answer in await asyncio.wait_for(asyncio.gather(*waiting), 5):
        assert presences(answer)[alice.user]["presence"] == "online"
