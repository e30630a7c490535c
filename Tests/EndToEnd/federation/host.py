"""A server with a large room, which hands it over without its members where it is asked to."""

import asyncio
import json
from urllib.parse import unquote

from aiohttp import web

from visitor import Town, Visitor, event_id, now

SHOWN = 5


class Host(Town):
    """A public room of many members, all of them of this server.

    `omits`: it leaves members out where it is asked to. `opened`: only then it tells of its state."""

    def __init__(self, authority, count, omits=True, **more):
        super().__init__(authority, **more)
        self.count, self.omits = count, omits
        self.opened = asyncio.Event()
        self.opened.set()
        self.received = []

    async def start(self):
        await super().start()
        self.name = f"{self.host}:{self.port}"
        self.room = f"!large:{self.name}"
        self.resident = Visitor(self, None, self.room)
        self.owner = self.resident.user
        self.grow()
        return self

    def member(self, number):
        return f"@member{number}:{self.name}"

    def put(self, type, content, key="", sender=None):
        """A state event of the room -> the event."""
        sender = sender or self.owner
        event = self.resident.event(type, content, key, sender=sender, auth_events=self.authorizing(sender, key))
        self.resident.state[type, key] = self.resident.latest[0]
        return event

    def say(self, text, sender, **changes):
        """A message in the room -> the event."""
        return self.resident.event(content={"msgtype": "m.text", "body": text}, sender=sender, **changes)

    def authorizing(self, sender, target=""):
        keys = [("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.join_rules", ""), ("m.room.member", sender),
                ("m.room.member", target)]
        return [self.resident.state[key] for key in dict.fromkeys(keys) if key in self.resident.state]

    def grow(self):
        self.put("m.room.create", {"creator": self.owner, "room_version": "10"})
        self.put("m.room.member", {"membership": "join"}, self.owner)
        self.put("m.room.power_levels", {"users": {self.owner: 100}})
        self.put("m.room.join_rules", {"join_rule": "public"})
        self.put("m.room.history_visibility", {"history_visibility": "shared"})
        for number in range(self.count):
            content = {"membership": "join", "displayname": f"Member {number}"}
            self.put("m.room.member", content, self.member(number), sender=self.member(number))

    def packed(self, ids):
        return ",".join(json.dumps(self.resident.events[id]) for id in ids)

    # Answers

    async def answer(self, request):
        parts = [unquote(part) for part in request.raw_path.split("?")[0].split("/")]
        name = parts[4] if len(parts) > 4 else ""
        if name in ("make_join", "send_join", "state", "state_ids", "send"):
            self.asked.append((request.method, request.path_qs, request.headers.get("Host")))
        if name == "make_join":
            return web.json_response({"room_version": "10", "event": self.template(parts[6])})
        if name == "send_join":
            return self.let_in(await request.json(), self.omits and request.query.get("omit_members") == "true")
        if name in ("state", "state_ids"):
            await self.opened.wait()
            return self.before(request.query["event_id"], name)
        if name == "send":
            self.received += (await request.json())["pdus"]
            return web.json_response({"pdus": {}})
        return await super().answer(request)

    def template(self, user):
        resident = self.resident
        return {"type": "m.room.member", "state_key": user, "sender": user, "room_id": self.room, "content": {"membership": "join"},
                "origin_server_ts": now(), "depth": resident.depth + 1, "prev_events": resident.latest,
                "auth_events": self.authorizing(user)}

    def let_in(self, join, omitted):
        resident = self.resident
        # The state before the join, also for those who ask for it later.
        self.joined_at = dict(resident.state)
        shown = list(resident.state.values())
        if omitted:
            members = [id for (type, _), id in resident.state.items() if type == "m.room.member"][:SHOWN]
            shown = [id for (type, _), id in resident.state.items() if type != "m.room.member"] + members
        resident.follow(join)
        resident.state["m.room.member", join["state_key"]] = event_id(join, resident.version)
        more = {"members_omitted": omitted, "origin": self.name, "event": join, "servers_in_room": [self.name]}
        return text(f'{{"state":[{self.packed(shown)}],"auth_chain":[],{json.dumps(more)[1:]}')

    def before(self, event, form):
        """What the room was before an event: the events of this room make it larger, and only the join has something before it."""
        state = list(self.joined_at.values())
        if form == "state_ids":
            return web.json_response({"pdu_ids": state, "auth_chain_ids": []})
        return text(f'{{"pdus":[{self.packed(state)}],"auth_chain":[]}}')


def text(body):
    return web.Response(text=body, content_type="application/json")
