"""Another server that takes part in rooms: it joins by Martlet, says things, and keeps what Martlet sends it."""

import asyncio
import time
from urllib.parse import quote

from aiohttp import web
import hashlib

from partner import Partner, canonical, check_signature, unpadded

FEDERATION = "/_matrix/federation"
SEND = FEDERATION + "/v1/send/"

# What a redaction leaves of events, by Rooms §Redactions (room version 11), as far as these tests make them.
KEPT = {"event_id", "type", "room_id", "sender", "state_key", "content", "hashes", "signatures", "depth", "prev_events", "auth_events",
        "origin_server_ts"}
KEPT_CONTENT = {"m.room.member": {"membership", "join_authorised_via_users_server"}}


def redacted(event):
    kept = {k: v for k, v in event.items() if k in KEPT}
    kept["content"] = {k: v for k, v in event["content"].items() if k in KEPT_CONTENT.get(event["type"], ())}
    return kept


def event_id(event):
    covered = {k: v for k, v in redacted(event).items() if k not in ("signatures", "unsigned")}
    return "$" + unpadded(hashlib.sha256(canonical(covered)).digest()).replace("+", "-").replace("/", "_")


class Participant(Partner):
    """`fails`: a status with which transactions are answered; `stalls`: they are answered when it is cleared."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.transactions = []
        self.refused = 0
        self.fails = None
        self.stalls = None

    async def answer(self, request):
        if not request.path.startswith(SEND):
            return await super().answer(request)
        body = await request.json()
        if self.stalls:
            await self.stalls.wait()
        if self.fails:
            self.refused += 1
            return web.json_response({"errcode": "M_UNKNOWN", "error": "away"}, status=self.fails)
        self.transactions.append((request.path[len(SEND):], request.headers["Authorization"], body))
        return web.json_response({"pdus": {}})

    # What came

    def pdus(self, room=None):
        return [pdu for _, _, body in self.transactions for pdu in body["pdus"] if room in (None, pdu["room_id"])]

    def bodies(self, room=None):
        return [pdu["content"]["body"] for pdu in self.pdus(room) if pdu["type"] == "m.room.message"]

    def edus(self, type):
        return [edu["content"] for _, _, body in self.transactions for edu in body.get("edus", []) if edu["edu_type"] == type]

    async def wait_for(self, condition, seconds=20):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, [body for _, _, body in self.transactions]
            await asyncio.sleep(0.02)

    # Rooms

    def complete(self, template, **changes):
        """An event of this template with hashes and our signature."""
        event = {**template, "origin_server_ts": int(time.time() * 1000), **changes}
        for name in ("event_id", "origin", "hashes", "signatures", "unsigned"):
            event.pop(name, None)
        covered = {k: v for k, v in event.items() if k not in ("hashes", "signatures", "unsigned")}
        event["hashes"] = {"sha256": unpadded(hashlib.sha256(canonical(covered)).digest())}
        event["signatures"] = self.sign(redacted(event))["signatures"]
        return event

    async def join(self, server, room, user):
        """-> the answer to send_join."""
        path = f"{FEDERATION}/v1/make_join/{quote(room, safe='')}/{quote(user, safe='')}"
        status, made = await self.ask(server, "GET", path, {"ver": "12"})
        assert status == 200, made
        event = self.complete(made["event"])
        path = f"{FEDERATION}/v2/send_join/{quote(room, safe='')}/{quote(event_id(event), safe='')}"
        status, answer = await self.ask(server, "PUT", path, content=event)
        assert status == 200, answer
        return answer

    async def send(self, server, pdus=(), edus=()):
        content = {"origin": self.name, "origin_server_ts": int(time.time() * 1000), "pdus": list(pdus), "edus": list(edus)}
        status, answer = await self.ask(server, "PUT", f"{SEND}{time.monotonic_ns()}", content=content)
        assert status == 200, answer
        return answer

    def check_authorizations(self, server_name, keys):
        """Raises where a transaction is not signed by the server."""
        for transaction, header, body in self.transactions:
            fields = dict(part.split("=", 1) for part in header.removeprefix("X-Matrix ").split(","))
            fields = {name: value.strip('"') for name, value in fields.items()}
            assert (fields["origin"], fields["destination"]) == (server_name, self.name)
            signed = {"method": "PUT", "uri": SEND + transaction, "origin": server_name, "destination": self.name, "content": body}
            signed["signatures"] = {server_name: {fields["key"]: fields["sig"]}}
            check_signature(signed, server_name, fields["key"], keys[fields["key"]]["key"])
