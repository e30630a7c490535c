"""A server that takes part in a room of the server under test, and makes its events itself: right ones and wrong ones."""

import base64
import hashlib
import itertools
import secrets
import time
from urllib.parse import quote, unquote

from aiohttp import web

from partner import Partner, canonical, unpadded

FEDERATION = "/_matrix/federation"
TOP = {"auth_events", "content", "depth", "event_id", "hashes", "membership", "origin", "origin_server_ts", "prev_events", "prev_state",
       "room_id", "sender", "signatures", "state_key", "type"}
KEPT = {"m.room.member": {"membership", "join_authorised_via_users_server"}, "m.room.create": {"creator"},
        "m.room.join_rules": {"join_rule", "allow"}, "m.room.history_visibility": {"history_visibility"},
        "m.room.power_levels": {"ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"}}
EARLY = ("1", "2")


def redact(event):
    """As room versions 9 and 10 do; of what the tests send, the earlier ones keep the same."""
    kept = {key: value for key, value in event.items() if key in TOP}
    wanted = KEPT.get(event["type"], set())
    kept["content"] = {key: value for key, value in event["content"].items() if key in wanted}
    return kept


def reference_hash(event):
    return hashlib.sha256(canonical({k: v for k, v in redact(event).items() if k not in ("signatures", "unsigned")})).digest()


def event_id(event, version):
    if version in EARLY:
        return event["event_id"]
    return "$" + base64.urlsafe_b64encode(reference_hash(event)).rstrip(b"=").decode()


class Visitor:
    """One room (of version 10 or earlier) as the partner knows it, and its user in it."""

    numbers = itertools.count(1)

    def __init__(self, partner, server, room, version="10"):
        self.partner, self.server, self.room, self.version = partner, server, room, version
        self.user = f"@visitor{next(self.numbers)}:{partner.name}"
        self.events, self.state, self.latest, self.depth = {}, {}, [], 0
        partner.visitors[room] = self

    # Asking

    async def get(self, path, query=None):
        return await self.partner.ask(self.server, "GET", FEDERATION + path, query)

    async def join(self):
        path = f"{quote(self.room, safe='')}/{quote(self.user, safe='')}"
        status, made = await self.get(f"/v1/make_join/{path}", {"ver": self.version})
        assert status == 200, made
        template = {**made["event"], "origin_server_ts": now()}
        join = self.complete({k: v for k, v in template.items() if k not in ("event_id", "hashes", "signatures")})
        put = f"{FEDERATION}/v2/send_join/{quote(self.room, safe='')}/{quote(event_id(join, self.version), safe='')}"
        status, answer = await self.partner.ask(self.server, "PUT", put, content=join)
        assert status == 200, answer
        for event in answer["auth_chain"] + answer["state"]:
            self.events[event_id(event, self.version)] = event
        for event in answer["state"] + [join]:
            self.state[event["type"], event["state_key"]] = event_id(event, self.version)
        self.follow(join)
        return self

    async def send(self, *pdus, edus=(), transaction=None, timeout=60):
        """-> what the server says became of each event."""
        body = {"origin": self.partner.name, "origin_server_ts": now(), "pdus": list(pdus), "edus": list(edus)}
        path = f"{FEDERATION}/v1/send/{transaction or secrets.token_hex(8)}"
        status, answer = await self.partner.ask(self.server, "PUT", path, content=body)
        assert status == 200, (status, answer)
        return answer["pdus"]

    # Making events

    def event(self, type="m.room.message", content=None, state_key=None, sender=None, follows=True, **changes):
        """-> a signed event after the latest ones. `changes` replace parts of it before it is hashed; `follows`: it is the latest then."""
        sender = sender or self.user
        auth = [self.state[key] for key in [("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.member", sender)]
                if key in self.state]
        event = {"type": type, "content": {"msgtype": "m.text", "body": "hello"} if content is None else content, "sender": sender,
                 "room_id": self.room, "origin_server_ts": now(), "depth": self.depth + 1, "prev_events": self.links(self.latest),
                 "auth_events": self.links(auth)}
        if state_key is not None:
            event["state_key"] = state_key
        event = self.complete({**event, **changes})
        if follows:
            self.follow(event)
        else:
            self.events[event_id(event, self.version)] = event
        return event

    def links(self, ids):
        if self.version not in EARLY:
            return list(ids)
        return [[id, {"sha256": unpadded(reference_hash(self.events[id])) if id in self.events else "x" * 43}] for id in ids]

    def complete(self, event, key=None, name=None):
        if self.version in EARLY and "event_id" not in event:
            event["event_id"] = f"${secrets.token_hex(8)}:{self.partner.name}"
        covered = {k: v for k, v in event.items() if k not in ("hashes", "signatures", "unsigned")}
        event = {**covered, "hashes": {"sha256": unpadded(hashlib.sha256(canonical(covered)).digest())}}
        signed = self.partner.sign(redact(event), name=name, key=key)
        return {**event, "signatures": signed["signatures"]}

    def follow(self, event):
        id = event_id(event, self.version)
        self.events[id] = event
        self.latest, self.depth = [id], event["depth"]

    def id(self, event):
        return event_id(event, self.version)


def now():
    return int(time.time() * 1000)


class Town(Partner):
    """A partner that answers what servers ask about the rooms of its visitors."""

    def __init__(self, authority, **more):
        super().__init__(authority, **more)
        self.visitors = {}
        # name of the endpoint -> function of aiohttp that answers instead
        self.instead = {}

    async def answer(self, request):
        parts = [unquote(part) for part in request.raw_path.split("?")[0].split("/")]
        if parts[1:3] != ["_matrix", "federation"]:
            return await super().answer(request)
        self.asked.append((request.method, request.path_qs, request.headers.get("Host")))
        name = parts[4]
        if name in self.instead:
            return await self.instead[name](request)
        visitor = self.visitors.get(parts[5]) if len(parts) > 5 else None
        if name == "event" and len(parts) > 5:
            found = next((v.events[parts[5]] for v in self.visitors.values() if parts[5] in v.events), None)
            return web.json_response({"origin": self.name, "origin_server_ts": now(), "pdus": [found]}) if found else missing()
        if name == "send":
            return web.json_response({"pdus": {}})
        if visitor is None:
            return missing()
        if name == "get_missing_events":
            body = await request.json()
            return web.json_response({"events": self.between(visitor, body["earliest_events"], body["latest_events"], body["limit"])})
        if name == "state_ids":
            return web.json_response({"pdu_ids": list(visitor.state.values()), "auth_chain_ids": list(visitor.state.values())})
        if name == "state":
            state = [visitor.events[id] for id in visitor.state.values()]
            return web.json_response({"pdus": state, "auth_chain": state})
        if name == "event_auth":
            return web.json_response({"auth_chain": [visitor.events[id] for id in visitor.state.values()]})
        return missing()

    @staticmethod
    def between(visitor, earliest, latest, limit):
        found, front, known = [], list(latest), {*earliest, *latest}
        while front and len(found) < limit:
            ids = [link if isinstance(link, str) else link[0] for id in front if id in visitor.events
                   for link in visitor.events[id]["prev_events"]]
            front = [id for id in dict.fromkeys(ids) if id not in known and id in visitor.events]
            known.update(front)
            found += [visitor.events[id] for id in front]
        return found[:limit][::-1]


def missing():
    return web.json_response({"errcode": "M_NOT_FOUND", "error": "Not found"}, status=404)
