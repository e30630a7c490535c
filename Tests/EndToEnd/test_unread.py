"""Unread and highlight counts, and the list of notifications."""

from urllib.parse import quote

import pytest

from homeserver import MatrixFailure

THREADS = {"room": {"timeline": {"unread_thread_notifications": True}}}


async def room_of_two(people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    return alice, bob, room


async def section(client, room, since=None, **more):
    return (await client.sync(since, **more))["rooms"]["join"][room]


async def counts(client, room, **more):
    unread = (await section(client, room, **more))["unread_notifications"]
    return unread["notification_count"], unread["highlight_count"]


async def read(client, room, event, type="m.read", **body):
    await client.post(f"{client.room(room)}/receipt/{type}/{quote(event, safe='')}", body)


async def test_messages_of_others_count_until_they_are_read(server, people):
    alice, bob, room = await room_of_two(people)
    sent = [await alice.send(room, f"n{i}") for i in range(5)]
    assert await counts(bob, room) == (5, 0)
    assert await counts(alice, room) == (0, 0)
    await read(bob, room, sent[1])
    assert await counts(bob, room) == (3, 0)
    await read(bob, room, sent[3], "m.read.private")
    assert await counts(bob, room) == (1, 0)
    await read(bob, room, sent[0])
    assert await counts(bob, room) == (1, 0)
    await bob.send(room, "answered")
    assert await counts(bob, room) == (0, 0)


async def test_mentions_highlight_and_redactions_take_back(server, people):
    alice, bob, room = await room_of_two(people)
    mention = await alice.send(room, {"msgtype": "m.text", "body": "hey", "m.mentions": {"user_ids": [bob.user]}})
    await alice.send(room, {"msgtype": "m.notice", "body": "from a robot"})
    assert await counts(bob, room) == (1, 1)
    await alice.put(f"{alice.room(room)}/redact/{quote(mention, safe='')}/t1", {})
    assert await counts(bob, room) == (0, 0)


async def test_encrypted_events_notify(server, people):
    alice, bob, room = await room_of_two(people)
    await alice.send(room, {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x"}, type="m.room.encrypted")
    assert await counts(bob, room) == (1, 0)


async def test_threads_have_counters_of_their_own(server, people):
    alice, bob, room = await room_of_two(people)
    root = await alice.send(room, "root")
    reply = await alice.send(room, {"msgtype": "m.text", "body": "reply",
                                    "m.relates_to": {"rel_type": "m.thread", "event_id": root}})
    together = await section(bob, room)
    assert together["unread_notifications"]["notification_count"] == 2
    assert "unread_thread_notifications" not in together
    apart = await section(bob, room, filter=THREADS)
    assert apart["unread_notifications"]["notification_count"] == 1
    assert apart["unread_thread_notifications"] == {root: {"notification_count": 1, "highlight_count": 0}}
    since = (await bob.sync(filter=THREADS))["next_batch"]
    await read(bob, room, reply, thread_id=root)
    after = await section(bob, room, since, filter=THREADS)
    assert after["unread_notifications"]["notification_count"] == 1
    assert root not in after.get("unread_thread_notifications", {})
    with pytest.raises(MatrixFailure) as refused:
        await read(bob, room, reply, thread_id="main")
    assert (refused.value.status, refused.value.errcode) == (400, "M_INVALID_PARAM")
    await read(bob, room, root, thread_id="main")
    assert await counts(bob, room) == (0, 0)


async def test_counts_survive_a_restart_and_a_kill(server, people):
    alice, bob, room = await room_of_two(people)
    for i in range(80):
        await alice.send(room, f"n{i}")
    assert await counts(bob, room) == (80, 0)
    await server.restart()
    assert await counts(bob, room) == (80, 0)
    await alice.send(room, "one more")
    await server.kill()
    await server.start()
    assert await counts(bob, room) == (81, 0)


async def test_an_incremental_sync_tells_changed_counts_only(server, people):
    alice, bob, room = await room_of_two(people)
    event = await alice.send(room, "hello")
    since = (await bob.sync())["next_batch"]
    assert room not in (await bob.sync(since)).get("rooms", {}).get("join", {})
    await read(bob, room, event)
    answer = await bob.sync(since)
    assert answer["rooms"]["join"][room]["unread_notifications"] == {"notification_count": 0, "highlight_count": 0}


async def test_the_list_of_notifications_in_pages(server, people):
    alice, bob, room = await room_of_two(people)
    other = await alice.create_room(preset="public_chat")
    await bob.join(other)
    sent = [await alice.send(room if i % 2 else other, f"n{i}") for i in range(7)]
    await read(bob, room, sent[3])
    found, start = [], None
    while True:
        page = await bob.get("/_matrix/client/v3/notifications?limit=3" + (f"&from={start}" if start else ""))
        found += page["notifications"]
        start = page.get("next_token")
        if not start:
            break
    assert [n["event"]["event_id"] for n in found] == sent[::-1]
    assert [n["read"] for n in found] == [False, False, False, True, False, True, False]
    assert all(n["room_id"] in (room, other) and "notify" in n["actions"] and "room_id" not in n["event"] for n in found)
    assert (await bob.get("/_matrix/client/v3/notifications?only=highlight"))["notifications"] == []


@pytest.mark.parametrize("query", ["from=s12", "from=-1", "limit=0", "limit=-5", "limit=many"])
async def test_bad_questions_about_notifications(server, people, query):
    alice = await people("alice")
    with pytest.raises(MatrixFailure) as refused:
        await alice.get("/_matrix/client/v3/notifications?" + query)
    assert (refused.value.status, refused.value.errcode) == (400, "M_INVALID_PARAM")
