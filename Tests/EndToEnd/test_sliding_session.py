"""A session of Element X, request by request: the two connections of the matrix-rust-sdk, its lists, subscriptions and extensions."""

import asyncio
import secrets

import pytest

from crypto import Key
from test_sliding_sync import PATH, bodies, shown, state_of

LIST_STATE = [["m.room.name", ""], ["m.room.encryption", ""], ["m.room.member", "$LAZY"], ["m.room.member", "$ME"],
              ["m.room.topic", ""], ["m.room.avatar", ""], ["m.room.canonical_alias", ""], ["m.room.power_levels", ""],
              ["org.matrix.msc3401.call.member", "*"], ["m.room.join_rules", ""], ["m.room.tombstone", ""],
              ["m.room.create", ""], ["m.room.history_visibility", ""], ["io.element.functional_members", ""]]
ROOM_STATE = LIST_STATE + [["m.room.pinned_events", ""]]


class Session:
    """What the client keeps: a position for each connection, and what it knows of rooms."""

    def __init__(self, client):
        self.client = client
        self.positions = {"room-list": None, "encryption": None}
        self.range = [0, 19]
        self.subscriptions = {}
        self.to_device_since = None
        self.rooms, self.timelines, self.state = {}, {}, {}

    async def request(self, connection, body, timeout):
        query = f"?timeout={timeout}" + (f"&pos={self.positions[connection]}" if self.positions[connection] else "")
        answer = await self.client.post(PATH + query, {"conn_id": connection, **body})
        self.positions[connection] = answer["pos"]
        return answer

    async def room_list(self, timeout=0):
        body = {
            "lists": {"all_rooms": {"ranges": [self.range], "required_state": LIST_STATE, "timeline_limit": 1,
                                    "include_heroes": True, "filters": {"not_room_types": ["m.space"]}}},
            "extensions": {"account_data": {"enabled": True}, "receipts": {"enabled": True, "rooms": ["*"]},
                           "typing": {"enabled": True}},
        }
        if self.subscriptions:
            body["room_subscriptions"] = self.subscriptions
        answer = await self.request("room-list", body, timeout)
        for room, news in answer["rooms"].items():
            known = {} if news.get("initial") else self.rooms.get(room, {})
            self.rooms[room] = {**known, **news}
            if news.get("initial") or news.get("limited"):
                self.timelines[room] = []
            self.timelines.setdefault(room, []).extend(news.get("timeline", []))
            self.state.setdefault(room, {}).update(state_of(news))
        return answer

    async def encryption(self, timeout=0):
        to_device = {"enabled": True, **({"since": self.to_device_since} if self.to_device_since else {})}
        answer = await self.request("encryption", {"extensions": {"e2ee": {"enabled": True}, "to_device": to_device}}, timeout)
        extensions = answer.get("extensions", {})
        self.to_device_since = extensions.get("to_device", {}).get("next_batch", self.to_device_since)
        return extensions

    def open(self, room):
        self.subscriptions[room] = {"required_state": ROOM_STATE, "timeline_limit": 20}


@pytest.mark.asyncio
async def test_a_session(server, people):
    alice, bob = await people("alice", "bob")
    rooms = [await bob.create_room(preset="private_chat", name=f"Room {n}", invite=[alice.user]) for n in range(25)]
    for room in rooms:
        await alice.join(room)
        await bob.send(room, "hello")
    space = await bob.create_room(preset="public_chat", creation_content={"type": "m.space"})
    await alice.join(space)
    key = Key(alice.user, alice.device)
    await alice.post("/_matrix/client/v3/keys/upload", {"device_keys": key.device_keys()})
    session = Session(alice)

    # The list loads: first what fits on a screen, then a hundred more at a time.
    first = await session.room_list()
    assert first["lists"]["all_rooms"]["count"] == 25 and shown(first, "all_rooms") == rooms[::-1][:20]
    assert set(first["rooms"]) == set(rooms[::-1][:20]) and space not in first["rooms"]
    session.range = [0, 119]
    second = await session.room_list()
    assert set(second["rooms"]) == set(rooms[:5]) and len(shown(second, "all_rooms")) == 25
    room = rooms[7]
    assert session.rooms[room]["name"] == "Room 7" and bodies(session.rooms[room]) == ["hello"]
    assert session.rooms[room]["joined_count"] == 2 and session.rooms[room]["notification_count"] >= 1
    known = {type for type, _ in session.state[room]}
    assert {"m.room.create", "m.room.power_levels", "m.room.join_rules", "m.room.history_visibility", "m.room.member"} <= known
    assert {("m.room.member", alice.user), ("m.room.member", bob.user)} <= set(session.state[room])
    extensions = await session.encryption()
    assert extensions["e2ee"]["device_one_time_keys_count"]["signed_curve25519"] == 0
    assert extensions["to_device"]["next_batch"]

    # Both connections wait; what happens reaches the one that it is for.
    waiting = asyncio.create_task(session.room_list(timeout=30000))
    keys = asyncio.create_task(session.encryption(timeout=30000))
    await asyncio.sleep(0.2)
    await bob.send(room, "are you there?")
    answer = await asyncio.wait_for(waiting, 10)
    assert list(answer["rooms"]) == [room] and bodies(answer["rooms"][room]) == ["are you there?"]
    assert shown(answer, "all_rooms")[0] == room and not keys.done()
    content = {"algorithm": "m.olm.v1.curve25519-aes-sha2", "ciphertext": {}}
    await bob.put(f"/_matrix/client/v3/sendToDevice/m.room.encrypted/{secrets.token_hex(4)}",
                  {"messages": {alice.user: {alice.device: content}}})
    news = await asyncio.wait_for(keys, 10)
    assert [e["content"] for e in news["to_device"]["events"]] == [content]
    assert not (await session.encryption()).get("to_device", {}).get("events")

    # A room is opened: more of its past, and more of its state.
    for number in range(30):
        await bob.send(room, f"line {number}")
    await bob.state(room, "m.room.pinned_events", {"pinned": []})
    session.open(room)
    opened = (await session.room_list())["rooms"][room]
    assert len(opened["timeline"]) == 20 and ("m.room.pinned_events", "") in session.state[room]
    assert opened.get("limited") or opened.get("unstable_expanded_timeline")
    older = await alice.get(f"{alice.room(room)}/messages?dir=b&limit=10&from={opened['prev_batch']}")
    assert older["chunk"][0]["event_id"] not in {e["event_id"] for e in opened["timeline"]}

    # Typing, an answer, and what is read.
    await bob.put(f"{bob.room(room)}/typing/{bob.user}", {"typing": True, "timeout": 10000})
    typing = (await session.room_list())["extensions"]["typing"]["rooms"][room]
    assert typing["content"]["user_ids"] == [bob.user]
    reply = await alice.send(room, "yes")
    own = (await session.room_list())["rooms"][room]
    assert bodies(own) == ["yes"] and own["timeline"][0]["unsigned"]["transaction_id"]
    await bob.post(f"{bob.room(room)}/receipt/m.read/{reply}")
    receipts = (await session.room_list())["extensions"]["receipts"]["rooms"][room]
    assert bob.user in receipts["content"][reply]["m.read"]
    await alice.post(f"{alice.room(room)}/read_markers", {"m.fully_read": reply, "m.read": reply})
    answer = await session.room_list()
    assert any(e["type"] == "m.fully_read" for e in answer["extensions"]["account_data"]["rooms"][room])

    # An invite comes, is taken, and the room is left again.
    invited = await bob.create_room(name="New", invite=[alice.user])
    answer = await session.room_list()
    assert any(e["type"] == "m.room.name" for e in answer["rooms"][invited]["invite_state"])
    await alice.join(invited)
    answer = await session.room_list()
    assert answer["rooms"][invited]["initial"] and answer["rooms"][invited]["name"] == "New"
    await alice.leave(invited)
    answer = await session.room_list()
    assert session.state[invited][("m.room.member", alice.user)] == answer["rooms"][invited]["timeline"][-1]["event_id"]
    answer = await session.room_list()
    assert invited not in shown(answer, "all_rooms")

    # The app was away, and the server was started anew in between.
    await bob.send(rooms[0], "while you were away")
    await server.restart()
    await alice.close()
    await bob.close()
    answer = await session.room_list()
    assert bodies(answer["rooms"][rooms[0]]) == ["while you were away"] and not answer["rooms"][rooms[0]].get("initial")
    waiting = asyncio.create_task(session.room_list(timeout=1500))
    answer = await asyncio.wait_for(waiting, 10)
    assert answer["rooms"] == {}
