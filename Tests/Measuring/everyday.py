"""What happens on a homeserver every day: requests of clients and of another server, those first that come most often."""

import asyncio
import base64
import json
from urllib.parse import quote

from crypto import Key
from participant import Participant

V1, V3, MEDIA, SLIDING = "/_matrix/client/v1", "/_matrix/client/v3", "/_matrix/media/v3", "/_matrix/client/unstable/org.matrix.simplified_msc3575"
# A photo of one pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


class Everyday:
    def __init__(self, server, authority):
        self.server, self.authority = server, authority

    async def settle(self):
        """Three people, and a room of theirs with another server's user in it."""
        self.alice, self.bob, self.carol = [await self.server.register(name) for name in ("alice", "bob", "carol")]
        self.room = await self.alice.create_room(preset="public_chat", name="Everyday", topic="What happens")
        for other in (self.bob, self.carol):
            await other.join(self.room)
        self.partner = await Participant(self.authority).start()
        await self.partner.join(self.server, self.room, f"@rita:{self.partner.name}")
        self.tokens = {client: (await client.sync())["next_batch"] for client in (self.bob, self.carol)}

    async def leave(self):
        await self.partner.stop()
        for client in (self.alice, self.bob, self.carol):
            await client.close()

    # Again and again

    async def often(self):
        """People who wait are told of what is said, and say that they have read it."""
        await self.wait_and_say("on their way")
        for number in range(10):
            event = await self.wait_and_say(f"message {number}")
            await self.bob.post(f"{self.bob.room(self.room)}/receipt/m.read/{quote(event, safe='')}")
            await self.bob.put(f"{self.bob.room(self.room)}/typing/{quote(self.bob.user, safe='')}", {"typing": number % 2 == 0, "timeout": 30000})
            await self.alice.get(V3 + "/account/whoami")
            await self.partner.wait_for(lambda: f"message {number}" in self.partner.bodies())
            await self.partner.send(self.server, edus=[{"edu_type": "m.typing", "content": {
                "room_id": self.room, "user_id": f"@rita:{self.partner.name}", "typing": True}}])
        # What gathers for some seconds, such as the words for searches, is written.
        await asyncio.sleep(10)

    async def wait_and_say(self, text):
        waiting = [asyncio.create_task(self.wait_for(client, text)) for client in self.tokens]
        await asyncio.sleep(0.3)
        event = await self.alice.send(self.room, text)
        await asyncio.gather(*waiting)
        return event

    async def wait_for(self, client, text):
        while True:
            answer = await client.sync(self.tokens[client], timeout=30000)
            self.tokens[client] = answer["next_batch"]
            if text in json.dumps(answer.get("rooms", {})):
                return

    # Now and then

    async def sometimes(self):
        await self.sessions()
        await self.rooms()
        await self.history()
        await self.keys()
        await self.media()
        await self.profiles()

    async def sessions(self):
        password = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "bob"}, "password": self.bob.password}
        for path in ("/_matrix/client/versions", V3 + "/login", V3 + "/capabilities", V3 + "/devices", V3 + "/pushrules/"):
            await self.bob.get(path)
        for _ in range(2):
            answer = await self.bob.post(V3 + "/login", {**password, "device_id": "PHONE"})
        phone = type(self.bob)(self.server, answer["access_token"], self.bob.user, answer["device_id"])
        since = (await phone.sync())["next_batch"]
        await phone.sync(since, filter={"room": {"timeline": {"limit": 5}, "state": {"lazy_load_members": True}}}, checked=False)
        await phone.raw("POST", SLIDING + "/sync?timeout=0", {"conn_id": "main", "lists": {"all": {
            "ranges": [[0, 20]], "timeline_limit": 10, "required_state": [["m.room.name", ""], ["m.room.member", "$LAZY"]]}},
            "extensions": {name: {"enabled": True} for name in ("e2ee", "to_device", "account_data", "receipts", "typing")}}, checked=False)
        await phone.post(V3 + "/logout")
        await phone.close()
        guest = await self.server.register("guest")
        await guest.close()

    async def rooms(self):
        for preset in ("private_chat", "trusted_private_chat", "public_chat"):
            room = await self.alice.create_room(preset=preset, name="A room", invite=[self.bob.user], is_direct=preset != "public_chat")
            await self.bob.join(room)
            await self.alice.state(room, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
            await self.alice.send(room, {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x", "session_id": "s"}, type="m.room.encrypted")
            await self.alice.invite(room, self.carol.user)
            await self.alice.post(f"{self.alice.room(room)}/kick", {"user_id": self.carol.user, "reason": "a mistake"})
            await self.alice.post(f"{self.alice.room(room)}/ban", {"user_id": self.carol.user})
            await self.alice.post(f"{self.alice.room(room)}/unban", {"user_id": self.carol.user})
            await self.bob.leave(room)
        await self.bob.sync(self.tokens[self.bob])
        alias = quote(f"#everyday:{self.server.name}", safe="")
        await self.alice.put(f"{V3}/directory/room/{alias}", {"room_id": self.room})
        await self.bob.get(f"{V3}/directory/room/{alias}")
        for path in (f"{V3}/publicRooms", f"{V3}/joined_rooms", f"{V1}/rooms/{quote(self.room, safe='')}/hierarchy"):
            await self.bob.get(path)
        await self.bob.post(f"{V3}/user_directory/search", {"search_term": "alice"})

    async def history(self):
        room = self.bob.room(self.room)
        said = await self.alice.send(self.room, "something to react to")
        await self.bob.send(self.room, {"m.relates_to": {"rel_type": "m.annotation", "event_id": said, "key": "!"}}, type="m.reaction")
        await self.bob.send(self.room, {"msgtype": "m.text", "body": "in a thread", "m.relates_to": {"rel_type": "m.thread", "event_id": said}})
        await self.alice.send(self.room, {"msgtype": "m.text", "body": "* better", "m.new_content": {"msgtype": "m.text", "body": "better"},
                                          "m.relates_to": {"rel_type": "m.replace", "event_id": said}})
        event = quote(said, safe="")
        for path in (f"{room}/messages?dir=b&limit=50", f"{room}/members", f"{room}/joined_members", f"{room}/state",
                     f"{room}/context/{event}?limit=10", f"{room}/event/{event}", f"{V1}/rooms/{quote(self.room, safe='')}/relations/{event}",
                     f"{V1}/rooms/{quote(self.room, safe='')}/threads"):
            await self.bob.get(path)
        await self.alice.put(f"{room}/redact/{event}/r", {"reason": "no more"})
        await self.bob.post(f"{V3}/search", {"search_categories": {"room_events": {"search_term": "message"}}})
        await self.bob.post(f"{room}/read_markers", {"m.fully_read": said, "m.read": said})

    async def keys(self):
        for client in (self.alice, self.bob):
            key = Key(client.user, client.device)
            await client.post(V3 + "/keys/upload", {
                "device_keys": key.device_keys(), "one_time_keys": {f"signed_curve25519:{n}": key.sign({"key": "AAAA"}) for n in range(5)}})
        await self.alice.post(V3 + "/keys/query", {"device_keys": {self.bob.user: [], f"@rita:{self.partner.name}": []}})
        await self.alice.post(V3 + "/keys/claim", {"one_time_keys": {self.bob.user: {self.bob.device: "signed_curve25519"}}})
        for number in range(2):
            await self.alice.put(f"{V3}/sendToDevice/m.room.encrypted/{number}", {"messages": {self.bob.user: {self.bob.device: {"a": 1}}}})
            answer = await self.bob.sync(self.tokens[self.bob])
            self.tokens[self.bob] = answer["next_batch"]

    async def media(self):
        for _ in range(2):
            status, _, content = await self.alice.raw(
                "POST", MEDIA + "/upload?filename=photo.png", data=PNG, headers={"Content-Type": "image/png"})
            assert status == 200, content
            path = json.loads(content)["content_uri"].removeprefix("mxc://")
            await self.bob.raw("GET", f"{V1}/media/download/{path}")
            await self.bob.raw("GET", f"{V1}/media/thumbnail/{path}?width=32&height=32&method=crop")

    async def profiles(self):
        me, user = quote(self.alice.user, safe=""), f"{V3}/user/{quote(self.alice.user, safe='')}"
        await self.alice.put(f"{V3}/profile/{me}/displayname", {"displayname": "Alice"})
        await self.bob.get(f"{V3}/profile/{me}")
        await self.alice.put(f"{user}/account_data/m.direct", {self.bob.user: [self.room]})
        await self.alice.put(f"{user}/rooms/{quote(self.room, safe='')}/tags/m.favourite", {"order": 0.5})
        answer = await self.alice.post(f"{user}/filter", {"room": {"timeline": {"limit": 20}}})
        await self.alice.sync(filter=answer["filter_id"])
