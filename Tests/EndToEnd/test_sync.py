"""What /sync answers, on the wire."""

import asyncio
import time

import pytest

from homeserver import Client, MatrixFailure, joined, room_of_two


def state_of(section):
    return {(e["type"], e["state_key"]): e for e in section["state"]["events"] + section["timeline"]["events"] if "state_key" in e}


async def test_an_initial_sync_has_state_and_timeline_and_no_event_twice(server, people):
    alice, bob, room = await room_of_two(people, name="Den", topic="talk")
    texts = [await alice.send(room, f"text {i}") for i in range(15)]
    section = joined(await bob.sync(filter={"room": {"timeline": {"limit": 10}}}), room)
    timeline = [e["event_id"] for e in section["timeline"]["events"]]
    assert timeline == texts[-10:] and section["timeline"]["limited"] is True
    state = state_of(section)
    for key in (("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.name", ""), ("m.room.topic", ""),
                ("m.room.member", alice.user), ("m.room.member", bob.user)):
        assert key in state, key
    ids = timeline + [e["event_id"] for e in section["state"]["events"]]
    assert len(ids) == len(set(ids))


async def test_a_quiet_incremental_sync_returns_its_own_token(server, people):
    alice, bob, room = await room_of_two(people)
    since = (await bob.sync())["next_batch"]
    again = await bob.sync(since)
    assert again["next_batch"] == since
    assert not again.get("rooms", {}).get("join")


async def test_the_timeout_is_kept(server, people):
    alice, bob, room = await room_of_two(people)
    since = (await bob.sync())["next_batch"]
    begun = time.monotonic()
    await bob.sync(since, timeout=1000)
    assert 0.9 < time.monotonic() - begun < 3


async def test_many_waiting_readers_all_get_an_event(server, people):
    alice, bob, room = await room_of_two(people)
    others = await people(*[f"u{i}" for i in range(10)])
    for other in others:
        await other.join(room)
    # Nobody shows that they are there: that would be news for the others.
    tokens = [(await o.sync(set_presence="offline"))["next_batch"] for o in others]
    waiting = [asyncio.create_task(o.sync(t, timeout=20000, set_presence="offline")) for o, t in zip(others, tokens)]
    await asyncio.sleep(0.3)
    sent = await alice.send(room, "to all")
    for answer in await asyncio.wait_for(asyncio.gather(*waiting), 5):
        assert [e["event_id"] for e in joined(answer, room)["timeline"]["events"]] == [sent]


async def test_a_gap_is_limited_with_the_state_between_and_prev_batch_reaches_back(server, people):
    alice, bob, room = await room_of_two(people)
    since = (await bob.sync())["next_batch"]
    topic = await alice.state(room, "m.room.topic", {"topic": "changed in the gap"})
    sent = [await alice.send(room, f"n{i}") for i in range(12)]
    section = joined(await bob.sync(since, filter={"room": {"timeline": {"limit": 5}}}), room)
    assert section["timeline"]["limited"] is True
    assert [e["event_id"] for e in section["timeline"]["events"]] == sent[-5:]
    assert [e["event_id"] for e in section["state"]["events"]] == [topic]
    page = await bob.get(f"{bob.room(room)}/messages?dir=b&limit=8&from={section['timeline']['prev_batch']}")
    assert [e["event_id"] for e in page["chunk"]] == (sent[:7][::-1] + [topic])


async def test_paging_forwards_and_backwards_meets(server, people):
    alice, bob, room = await room_of_two(people)
    for i in range(23):
        await alice.send(room, f"n{i}")
    backwards = await bob.messages(room, limit=5)
    forwards, start = [], None
    while True:
        page = await bob.get(f"{bob.room(room)}/messages?dir=f&limit=5" + (f"&from={start}" if start else ""))
        forwards += page["chunk"]
        start = page.get("end")
        if not start:
            break
    assert [e["event_id"] for e in forwards] == [e["event_id"] for e in backwards][::-1]
    assert forwards[0]["type"] == "m.room.create"


async def test_the_transaction_id_is_shown_to_the_sending_device_only(server, people):
    alice, bob, room = await room_of_two(people)
    a, b = (await alice.sync())["next_batch"], (await bob.sync())["next_batch"]
    await alice.send(room, "mine", transaction="my-txn")
    mine = joined(await alice.sync(a), room)["timeline"]["events"][0]
    theirs = joined(await bob.sync(b), room)["timeline"]["events"][0]
    assert mine["unsigned"]["transaction_id"] == "my-txn"
    assert "transaction_id" not in theirs.get("unsigned", {})


async def test_an_invite_carries_stripped_state(server, people):
    alice, bob = await people("alice", "bob")
    since = (await bob.sync())["next_batch"]
    room = await alice.create_room(name="Den", invite=[bob.user])
    events = (await bob.sync(since))["rooms"]["invite"][room]["invite_state"]["events"]
    kinds = {(e["type"], e["state_key"]) for e in events}
    assert {("m.room.name", ""), ("m.room.join_rules", ""), ("m.room.member", bob.user), ("m.room.create", "")} <= kinds
    invite = next(e for e in events if e["state_key"] == bob.user)
    assert invite["content"]["membership"] == "invite" and invite["sender"] == alice.user


async def test_leaving_shows_in_leave_and_a_kicked_user_sees_nothing_later(server, people):
    alice, bob, room = await room_of_two(people)
    since = (await bob.sync())["next_batch"]
    await alice.send(room, "before")
    await alice.post(f"{alice.room(room)}/kick", {"user_id": bob.user, "reason": "test"})
    await alice.send(room, "after")
    answer = await bob.sync(since)
    assert room not in answer["rooms"].get("join", {})
    timeline = answer["rooms"]["leave"][room]["timeline"]["events"]
    assert [e["content"].get("body") or e["content"].get("membership") for e in timeline] == ["before", "leave"]
    with pytest.raises(MatrixFailure) as refused:
        await bob.send(room, "still here?")
    assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")


async def test_a_newly_joined_room_comes_whole(server, people):
    alice, bob, carol = await people("alice", "bob", "carol")
    room = await alice.create_room(preset="public_chat", name="Den")
    since = (await carol.sync())["next_batch"]
    await carol.join(room)
    section = joined(await carol.sync(since, filter={"room": {"timeline": {"limit": 1}}}), room)
    assert ("m.room.create", "") in state_of(section) and ("m.room.name", "") in state_of(section)


async def test_lazy_loading_sends_only_the_members_that_spoke(server, people):
    # A room without a name brings the members that name it besides.
    alice, bob, room = await room_of_two(people, name="Den")
    for other in await people(*[f"u{i}" for i in range(5)]):
        await other.join(room)
    for i in range(3):
        await bob.send(room, f"n{i}")
    lazy = {"room": {"timeline": {"limit": 3}, "state": {"lazy_load_members": True}}}
    answer = await alice.sync(filter=lazy)
    members = {e["state_key"] for e in joined(answer, room)["state"]["events"] if e["type"] == "m.room.member"}
    assert members == {alice.user, bob.user}
    assert joined(answer, room)["summary"]["m.joined_member_count"] == 7
    await bob.send(room, "again")
    later = joined(await alice.sync(answer["next_batch"], filter=lazy), room)
    assert not [e for e in later.get("state", {}).get("events", []) if e["type"] == "m.room.member"]


async def test_ephemeral_events_account_data_and_receipts(server, people):
    alice, bob, room = await room_of_two(people)
    sent = await alice.send(room, "read me")
    since = (await alice.sync())["next_batch"]
    await bob.put(f"{bob.room(room)}/typing/{bob.user}", {"typing": True, "timeout": 5000})
    await bob.post(f"{bob.room(room)}/receipt/m.read/{sent}")
    await alice.put(f"/_matrix/client/v3/user/{alice.user}/account_data/com.example", {"a": 1})
    await alice.put(f"/_matrix/client/v3/user/{alice.user}/rooms/{room}/account_data/com.room", {"b": 2})
    answer = await alice.sync(since)
    ephemeral = {e["type"]: e["content"] for e in joined(answer, room)["ephemeral"]["events"]}
    assert ephemeral["m.typing"] == {"user_ids": [bob.user]}
    assert bob.user in ephemeral["m.receipt"][sent]["m.read"]
    assert {"type": "com.example", "content": {"a": 1}} in answer["account_data"]["events"]
    assert {"type": "com.room", "content": {"b": 2}} in joined(answer, room)["account_data"]["events"]
    await bob.put(f"{bob.room(room)}/typing/{bob.user}", {"typing": False})
    stopped = joined(await alice.sync(answer["next_batch"]), room)["ephemeral"]["events"]
    assert stopped == [{"type": "m.typing", "content": {"user_ids": []}}]
    assert stopped[0] in joined(await alice.sync(), room)["ephemeral"]["events"], "who begins hears of the end as well"


async def test_device_lists_and_key_counts(server, people):
    alice, bob, room = await room_of_two(people)
    since = (await alice.sync())["next_batch"]
    await bob.post("/_matrix/client/v3/keys/upload", {"one_time_keys": {}, "device_keys": {
        "user_id": bob.user, "device_id": bob.device, "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
        "keys": {"curve25519:" + bob.device: "abc", "ed25519:" + bob.device: "def"}, "signatures": {}}})
    answer = await alice.sync(since)
    assert bob.user in answer["device_lists"]["changed"]
    assert answer["device_one_time_keys_count"].get("signed_curve25519", 0) == 0


async def test_to_device_messages_arrive_once(server, people):
    alice, bob = await people("alice", "bob")
    since = (await bob.sync())["next_batch"]
    body = {"messages": {bob.user: {bob.device: {"n": 1}}}}
    for _ in range(2):
        await alice.put("/_matrix/client/v3/sendToDevice/com.test/same-txn", body)
    answer = await bob.sync(since)
    assert answer["to_device"]["events"] == [{"type": "com.test", "sender": alice.user, "content": {"n": 1}}]
    assert not (await bob.sync(answer["next_batch"])).get("to_device", {}).get("events")


async def test_an_unknown_token_and_a_bad_since(server, people):
    alice = await people("alice")
    with pytest.raises(MatrixFailure) as refused:
        await Client(server, "nonsense").sync()
    assert (refused.value.status, refused.value.errcode) == (401, "M_UNKNOWN_TOKEN")
    with pytest.raises(MatrixFailure) as refused:
        await alice.sync("garbage")
    assert refused.value.status == 400
