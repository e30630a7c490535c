"""Random histories of rooms: what a few people on a few servers might do to a room at the same time.

A history is grown event by event. Each event follows some of the tips of the graph (or an older event: a fork), is
made by someone who may or may not be allowed to, is sometimes damaged, and joins the room if the reference allows it.
All random choices come from the history's own generator, so that a history is the same every time.
"""

import random
from dataclasses import dataclass, field
from typing import Any

from synapse.api.room_versions import RoomVersion
from synapse.events import EventBase

import reference
from reference import Server, StateMap, Store

START = 1_700_000_000_000


@dataclass
class Node:
    """An event in its place in the graph."""

    event: EventBase
    state_before: StateMap
    state_after: StateMap
    rejected: bool = False


@dataclass
class Person:
    user_id: str
    server: Server


@dataclass
class Draft:
    """What someone wants to send."""

    type: str
    content: dict[str, Any]
    sender: Person
    state_key: str | None = None
    top_level: dict[str, Any] = field(default_factory=dict)
    cosigners: list[Server] = field(default_factory=list)


class Room:
    """A room that grows."""

    def __init__(self, version: RoomVersion, rng: random.Random):
        self.version = version
        self.rng = rng
        self.servers = [Server(name, name.encode()) for name in ("one.example", "two.example", "three.example:8448")]
        self.identity_server = Server("id.example", b"identity")
        self.people = [
            Person(f"@{name}:{server.name}", server)
            for name, server in (
                ("alice", self.servers[0]), ("bob", self.servers[0]), ("carol", self.servers[1]),
                ("dave", self.servers[1]), ("erin", self.servers[2]), ("Frank=2f", self.servers[2]),
            )
        ]
        self.creator = self.people[0]
        self.room_id = "!room:" + self.creator.server.name
        self.store = Store()
        self.nodes: list[Node] = []
        self.rejected: list[Node] = []
        self.tips: list[Node] = []
        self.clock = START
        self.counter = 0
        self.tokens: list[str] = []

    # MARK: Looking

    def current_state(self) -> StateMap:
        return self.tips[-1].state_after if self.tips else {}

    def state_event(self, state: StateMap, type: str, key: str = "") -> EventBase | None:
        event_id = state.get((type, key))
        return self.store.events.get(event_id) if event_id else None

    def membership(self, state: StateMap, person: Person) -> str | None:
        event = self.state_event(state, "m.room.member", person.user_id)
        return event.content.get("membership") if event else None

    def with_membership(self, state: StateMap, *memberships: str | None) -> list[Person]:
        return [person for person in self.people if self.membership(state, person) in memberships]

    def resolve(self, states: list[StateMap]) -> StateMap:
        if len(states) == 1:
            return states[0]
        return reference.resolve(self.version, self.room_id, states, self.store)

    # MARK: Growing

    def pick_previous(self) -> list[Node]:
        """The events that a new one follows: mostly the tips, sometimes only some of them, sometimes old ones."""
        if not self.nodes:
            return []
        chance = self.rng.random()
        if chance < 0.30 and len(self.nodes) > 3:
            # A server that has not seen the latest events.
            return [self.rng.choice(self.nodes[-8:])]
        if chance < 0.36 and len(self.nodes) > 3:
            return self.rng.sample(self.nodes, k=min(len(self.nodes), self.rng.randint(1, 3)))
        if chance < 0.70 and len(self.tips) > 1:
            return self.rng.sample(self.tips, k=self.rng.randint(1, min(3, len(self.tips))))
        return self.tips[-5:]

    def state_before(self, previous: list[Node]) -> StateMap:
        states: list[StateMap] = []
        for node in previous:
            if node.state_after not in states:
                states.append(node.state_after)
        return self.resolve(states) if states else {}

    def build(self, draft: Draft, previous: list[Node], state: StateMap) -> dict[str, Any]:
        """The draft as a signed PDU."""
        rng = self.rng
        self.counter += 1
        # Often the same millisecond, so that the order falls to the next criterion.
        self.clock += rng.choice((0, 0, 1, 1000))
        pdu: dict[str, Any] = {
            "type": draft.type,
            "sender": draft.sender.user_id,
            "content": draft.content,
            "depth": 1 + max((node.event.depth for node in previous), default=0),
            "origin_server_ts": max(0, self.clock + rng.choice((0, 0, 0, -5000, 5000))),
            **draft.top_level,
        }
        if draft.state_key is not None:
            pdu["state_key"] = draft.state_key
        by_hash = self.version.msc4291_room_ids_as_hashes
        if not (by_hash and draft.type == "m.room.create" and draft.state_key == ""):
            pdu["room_id"] = self.room_id
        if rng.random() < 0.3:
            pdu["origin"] = draft.sender.server.name
        previous_ids = [node.event.event_id for node in previous]
        if draft.type == "m.room.create" and rng.random() < 0.8:
            previous_ids = []
        auth_ids = self.pick_auth_events(pdu, state)
        if self.version.identifier in ("1", "2"):
            pdu["event_id"] = f"${self.counter}-{rng.randrange(1 << 30)}:{draft.sender.server.name}"
            pdu["prev_events"] = [[event_id, self.reference_hash(event_id)] for event_id in previous_ids]
            pdu["auth_events"] = [[event_id, self.reference_hash(event_id)] for event_id in auth_ids]
        else:
            pdu["prev_events"] = previous_ids
            pdu["auth_events"] = auth_ids
        self.sign(pdu, draft)
        return pdu

    def sign(self, pdu: dict[str, Any], draft: Draft) -> None:
        draft.sender.server.sign_event(pdu, self.version)
        for server in draft.cosigners:
            server.countersign_event(pdu, self.version)

    def reference_hash(self, event_id: str) -> dict[str, str]:
        return {"sha256": reference.unpadded(event_id.encode()[:32])}

    def pick_auth_events(self, pdu: dict[str, Any], state: StateMap) -> list[str]:
        """The events that the selection algorithm asks for, now and then a few more, fewer or others."""
        rng = self.rng
        keys: list[tuple[str, str]] = []
        if pdu["type"] != "m.room.create":
            if not self.version.msc4291_room_ids_as_hashes:
                keys.append(("m.room.create", ""))
            keys += [("m.room.power_levels", ""), ("m.room.member", pdu["sender"])]
        if pdu["type"] == "m.room.member":
            content = pdu["content"]
            keys.append(("m.room.member", str(pdu.get("state_key"))))
            if content.get("membership") in ("join", "invite", "knock"):
                keys.append(("m.room.join_rules", ""))
            invite = content.get("third_party_invite")
            if content.get("membership") == "invite" and isinstance(invite, dict):
                signed = invite.get("signed")
                if isinstance(signed, dict):
                    keys.append(("m.room.third_party_invite", str(signed.get("token"))))
            authoriser = content.get("join_authorised_via_users_server")
            if authoriser is not None and content.get("membership") == "join" and self.version.restricted_join_rule:
                keys.append(("m.room.member", str(authoriser)))
        ids = list(dict.fromkeys(state[key] for key in keys if key in state))
        if rng.random() < 0.06:
            everything = [node.event.event_id for node in self.nodes + self.rejected]
            change = rng.random()
            if change < 0.35 and ids:
                ids.remove(rng.choice(ids))
            elif change < 0.5 and ids:
                ids.append(rng.choice(ids))
            elif everything:
                others = self.older_versions(ids) if change < 0.8 else everything
                if others and ids and change < 0.7:
                    ids[rng.randrange(len(ids))] = rng.choice(others)
                elif others:
                    ids.append(rng.choice(others))
        if rng.random() < 0.2:
            rng.shuffle(ids)
        return ids

    def older_versions(self, ids: list[str]) -> list[str]:
        """Events of the same state keys as those of `ids`: what another server may think is the state."""
        keys = {(event.type, event.get_state_key()) for event in map(self.store.events.get, ids) if event}
        return [node.event.event_id for node in self.nodes if (node.event.type, node.event.get_state_key()) in keys]

    def add(self, event: EventBase, previous: list[Node], state: StateMap) -> Node:
        """Takes an allowed event into the graph."""
        after = state
        if event.is_state():
            after = dict(state)
            after[(event.type, event.state_key)] = event.event_id
        if not self.nodes:
            # From room version 12 on the create event decides it.
            self.room_id = event.room_id
        node = Node(event, state, after)
        self.store.events[event.event_id] = event
        self.nodes.append(node)
        self.tips = [tip for tip in self.tips if tip not in previous] + [node]
        if len(self.tips) > 6:
            self.tips = self.tips[-6:]
        return node

    def add_rejected(self, event: EventBase) -> None:
        """Remembers an event that was refused, so that later ones can name it among their auth events."""
        rejected = reference.as_rejected(event)
        self.store.events[rejected.event_id] = rejected
        self.rejected.append(Node(rejected, {}, {}, rejected=True))
