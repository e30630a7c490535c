"""MSC4140: events that are sent later, unless somebody cancels or restarts them."""

import asyncio
import time

import pytest
import pytest_asyncio

from homeserver import Client, Homeserver, MatrixFailure

UNSTABLE = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events"
DELAY = "org.matrix.msc4140.delay"


@pytest_asyncio.fixture
async def server(database, tmp_path):
    homeserver = Homeserver(tmp_path / "server", database, max_event_delay_duration="1h",
                            rc_delayed_event_mgmt={"per_second": 1000, "burst_count": 1000})
    try:
        await homeserver.start()
        yield homeserver
    finally:
        await homeserver.destroy()


async def delayed(client, room, text, delay, transaction):
    answer = await client.put(f"{client.room(room)}/send/m.room.message/{transaction}?{DELAY}={delay}", {"msgtype": "m.text", "body": text},
                              checked=False)
    return answer["delay_id"]


async def texts(client, room):
    return [e["content"].get("body") for e in reversed(await client.messages(room)) if e["type"] == "m.room.message"]


async def until(condition, seconds=8):
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.05)


async def test_a_delayed_event_is_sent_when_its_time_has_come(server, people):
    alice = await people("alice")
    room = await alice.create_room()
    begun = time.monotonic()
    await delayed(alice, room, "later", 700, "t1")
    await alice.send(room, "now")
    assert await texts(alice, room) == ["now"]

    async def both():
        return await texts(alice, room) == ["now", "later"]
    await until(both)
    assert time.monotonic() - begun >= 0.7
    assert (await alice.get(UNSTABLE))["delayed_events"] == []


async def test_cancel_restart_and_send(server, people, anonymous):
    alice = await people("alice")
    room = await alice.create_room()
    cancelled, sent, restarted = [await delayed(alice, room, text, 60_000, text) for text in ("cancelled", "sent", "restarted")]
    first = {e["delay_id"]: e for e in (await alice.get(UNSTABLE))["delayed_events"]}
    assert set(first) == {cancelled, sent, restarted}
    assert first[sent]["content"]["body"] == "sent" and first[sent]["delay"] == 60_000 and first[sent]["room_id"] == room
    assert first[sent]["delay_ms"] == 60_000 and first[sent]["delayed_since_ts"] == first[sent]["running_since"]

    # Who knows the id needs no token.
    await anonymous.post(f"{UNSTABLE}/{cancelled}/cancel")
    await anonymous.post(f"{UNSTABLE}/{sent}", {"action": "send"})
    await asyncio.sleep(0.02)
    await anonymous.post(f"{UNSTABLE}/{restarted}/restart")
    assert await texts(alice, room) == ["sent"]
    left = (await alice.get(UNSTABLE))["delayed_events"]
    assert [e["delay_id"] for e in left] == [restarted]
    assert left[0]["running_since"] > first[restarted]["running_since"]

    for action in ("cancel", "restart", "send"):
        with pytest.raises(MatrixFailure) as failure:
            await anonymous.post(f"{UNSTABLE}/{cancelled}/{action}")
        assert failure.value.status == 404
    with pytest.raises(MatrixFailure) as failure:
        await anonymous.post(f"{UNSTABLE}/{restarted}", {"action": "explode"})
    assert failure.value.errcode == "M_INVALID_PARAM"


async def test_what_is_due_survives_a_kill(server, people):
    alice = await people("alice")
    room = await alice.create_room()
    await delayed(alice, room, "during", 300, "t1")
    await delayed(alice, room, "after", 3000, "t2")
    await server.kill()
    await asyncio.sleep(0.4)
    await server.start()

    async def both():
        return await texts(alice, room) == ["during", "after"]
    await until(both)
    await asyncio.sleep(0.3)
    assert await texts(alice, room) == ["during", "after"]


async def test_state_set_by_another_cancels_what_waits_for_it(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat", power_level_content_override={"users": {alice.user: 100, bob.user: 100}},
                                   room_version="10")
    await bob.join(room)
    for client, topic in ((alice, "alice's"), (bob, "bob's")):
        await client.put(f"{client.room(room)}/state/m.room.topic/?{DELAY}=60000", {"topic": topic}, checked=False)
    await alice.state(room, "m.room.topic", {"topic": "now"})

    async def bobs_is_gone():
        return (await bob.get(UNSTABLE))["delayed_events"] == []
    await until(bobs_is_gone)
    assert len((await alice.get(UNSTABLE))["delayed_events"]) == 1


async def test_limits(server, people):
    alice = await people("alice")
    room = await alice.create_room()
    with pytest.raises(MatrixFailure) as failure:
        await delayed(alice, room, "x", 3_600_001, "t1")
    assert failure.value.status == 400 and failure.value.errcode == "ORG.MATRIX.MSC4140_DELAY_TOO_LARGE"
    assert failure.value.body["org.matrix.msc4140.max_delay"] == 3_600_000
    capabilities = (await alice.get("/_matrix/client/v3/capabilities"))["capabilities"]
    assert capabilities["org.matrix.msc4140.delayed_events"] == {"max_delay_ms": 3_600_000, "max_scheduled": 100}
    with pytest.raises(MatrixFailure) as failure:
        await delayed(alice, room, "x", -1, "t1")
    assert failure.value.errcode == "M_INVALID_PARAM"
    for n in range(100):
        await delayed(alice, room, "x", 600_000, f"t{n}")
    with pytest.raises(MatrixFailure) as failure:
        await delayed(alice, room, "x", 600_000, "last")
    assert failure.value.errcode == "M_LIMIT_EXCEEDED"


async def test_no_event_is_delayed_unless_the_operator_allows_it(database, tmp_path):
    server = Homeserver(tmp_path / "plain", database)
    try:
        await server.start()
        alice = await server.register("alice")
        room = await alice.create_room()
        with pytest.raises(MatrixFailure) as failure:
            await delayed(alice, room, "x", 100, "t1")
        assert failure.value.status == 403 and failure.value.errcode == "M_FORBIDDEN"
        await alice.close()
    finally:
        await server.destroy()
