"""The history of one random room, with everything that is compared on the way."""

import random
from typing import Any

from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
from synapse.events import EventBase

import actions
import malformed
import pushes
import reference
from answers import MatrixCore
from comparison import Comparison, Result
from reference import StateMap, Verdict
from rooms import Draft, Node, Room


class History:
    """Grows a room and compares as it grows."""

    def __init__(self, core: MatrixCore, result: Result, version: str, seed: int, number: int):
        self.rng = random.Random(f"{seed} {number}")
        self.room = Room(KNOWN_ROOM_VERSIONS[version], self.rng)
        self.comparison = Comparison(core, result, f"seed {seed}, history {number}", version)
        self.comparison.check(
            question := {"ask": "room", "version": version}, {"known": True}, self.comparison.ask(question)
        )
        self.place = self.comparison.place
        self.resolutions: set[frozenset[int]] = set()

    def run(self) -> None:
        steps = self.rng.choice((12, 25, 25, 40, 60, 100))
        for step in range(steps):
            self.comparison.place = f"{self.place}, event {step}"
            self.grow()
            if not self.room.nodes and step > 4:
                # The room has no valid create event and never will.
                break
        for step in range(min(12, len(self.room.nodes) // 2)):
            self.comparison.place = f"{self.place}, resolution {step}"
            self.resolve_random_states()

    # MARK: One event

    def grow(self) -> None:
        room, rng = self.room, self.rng
        previous = room.pick_previous()
        states = [node.state_after for node in previous]
        if len(states) > 1:
            self.compare_resolution(states)
        state = room.state_before(previous)
        draft = actions.next_action(room)(room, state)
        if rng.random() < 0.03 and draft.content:
            # Wrong, but properly hashed and signed.
            draft.content[rng.choice(list(draft.content))] = malformed.value(rng)
        pdu = self.build(draft, previous, state)
        if pdu is None:
            return
        damage = "none"
        if rng.random() < 0.07:
            damage = malformed.damage(pdu, rng)
            if rng.random() < 0.5 and not damage.startswith(("signatures", "hashes")):
                self.sign_again(pdu, draft)
        reading = self.read(pdu, damage)
        if reading is None:
            return
        event, signers = reading
        self.compare_signatures(event)
        allowed = self.compare_authorization(event, signers, state)
        if allowed is None:
            return
        if event.event_id in room.store.events or (room.nodes and event.room_id != room.room_id):
            # Said before; or the create event of another room, which room version 12 knows by its room id.
            return
        if allowed:
            if reference.levels_are_usable(event):
                room.add(event, previous, state)
                self.comparison.ask({"ask": "in the room", "event": event.event_id, "rejected": False})
                if event.type != "m.room.create" and rng.random() < 0.5:
                    pushes.compare(self.comparison, room, event, state, rng)
        elif room.nodes and rng.random() < 0.3:
            room.add_rejected(event)
            self.comparison.ask({"ask": "in the room", "event": event.event_id, "rejected": True})

    def build(self, draft: Draft, previous: list[Node], state: StateMap) -> dict[str, Any] | None:
        try:
            return self.room.build(draft, previous, state)
        except Exception:
            # What cannot be hashed cannot be sent either: half of a surrogate pair.
            return None

    def sign_again(self, pdu: dict[str, Any], draft: Draft) -> None:
        pdu.pop("hashes", None)
        pdu.pop("signatures", None)
        try:
            self.room.sign(pdu, draft)
        except Exception:
            pass

    def read(self, pdu: dict[str, Any], damage: str) -> tuple[EventBase, Verdict] | None:
        """What both sides make of the PDU's text; `None` unless both take it for an event.

        With the event comes whether MatrixCore finds the signatures it must have.
        """
        text = malformed.spell(pdu, self.rng)
        question: dict[str, Any] = {"ask": "event", "json": text}
        try:
            event = reference.read_event(text, self.room.version)
        except reference.Refused as refusal:
            question["name"] = "refused"
            answer = self.comparison.ask(question)
            self.comparison.check(question, {"error": str(refusal)}, answer, (damage, pdu), same="error" in answer)
            return None
        question["name"] = event.event_id
        answer = self.comparison.ask(question)
        facts = reference.event_facts(event, self.room.version)
        same = all(answer.get(key) == value for key, value in facts.items())
        self.comparison.check(question, facts, answer, (damage, event.get_pdu_json()), same=same)
        self.comparison.count_positive("event", True)
        if "error" in answer:
            return None
        needed = answer["signers"]
        signed = isinstance(needed, list) and all(server in event.signatures for server in needed)
        return event, Verdict(signed, f"needs {needed}")

    def compare_signatures(self, event: EventBase) -> None:
        if self.rng.random() > 0.2:
            return
        pdu = event.get_pdu_json()
        question: dict[str, Any] = {"ask": "content hash valid", "event": event.event_id}
        answer = self.comparison.ask(question)
        self.comparison.check(question, {"valid": reference.content_hash_is_valid(event)}, answer, pdu)
        server = self.rng.choice([s for s in self.room.servers if s.name in event.signatures] or self.room.servers)
        question = {
            "ask": "signature",
            "event": event.event_id,
            "server": server.name,
            "key_id": server.key_id,
            "key": server.public_key,
        }
        answer = self.comparison.ask(question)
        self.comparison.check(question, {"valid": reference.signature_is_valid(event, server)}, answer, pdu)

    def compare_authorization(self, event: EventBase, signers: Verdict, state: StateMap) -> bool | None:
        """Puts the event before its own auth events, before the state it was sent in and before some other state of the room.

        Returns whether it may join the room; `None` where the two sides disagree, since one of them would then have a room
        that the other has not.
        """
        room = self.room
        store = room.store
        named = list(event.auth_event_ids())
        if not all(event_id in store.events for event_id in named):
            return None
        own = [store.events[event_id] for event_id in named]
        before = [store.events[event_id] for event_id in state.values()]
        rejected = [auth_event.event_id for auth_event in own if auth_event.rejected_reason]
        spelled_out = reference.stated_auth_events(event)

        questions: list[dict[str, Any]] = [
            {"ask": "signers", "event": event.event_id},
            {"ask": "auth events", "event": event.event_id, "auth_events": spelled_out, "rejected": rejected},
        ]
        verdicts = [reference.signed_by_whom_it_must(event), reference.check_auth_events(event, store)]
        states = [own, own]
        if event.type != "m.room.create" and (not room.nodes or event.room_id == room.room_id):
            states += [own, before]
            if room.nodes and self.rng.random() < 0.5:
                states.append([store.events[event_id] for event_id in self.rng.choice(room.nodes).state_after.values()])
            for events in states[2:]:
                questions.append({"ask": "authorize", "event": event.event_id, "state": [e.event_id for e in events]})
                verdicts.append(reference.authorize(event, events))
        answers = [vars(signers), *self.comparison.core.ask(*questions[1:])]

        pdu = event.get_pdu_json()
        agreed = True
        for index, (question, verdict, answer, events) in enumerate(zip(questions, verdicts, answers, states)):
            if verdict.crashed and index < 4:
                # Synapse says neither yes nor no, but it does not accept the event. Some rule of ours must refuse it.
                answer = {"allowed": all(answer["allowed"] for answer in answers[:4]), "answers": answers}
            about = (pdu, [(e.type, e.get_state_key(), e.sender, e.content) for e in events])
            agreed &= self.comparison.verdict(question, verdict, answer, about)
        return all(verdict.allowed for verdict in verdicts[:4]) if agreed else None

    # MARK: Resolution

    def resolve_random_states(self) -> None:
        count = self.rng.choice((2, 2, 2, 3, 4))
        self.compare_resolution([self.rng.choice(self.room.nodes).state_after for _ in range(count)], thorough=True)

    def compare_resolution(self, states: list[StateMap], thorough: bool = False) -> None:
        different = frozenset(map(id, states))
        if len(different) < 2 or different in self.resolutions:
            return
        self.resolutions.add(different)
        room = self.room
        resolved = reference.resolve(room.version, room.room_id, states, room.store)
        if thorough and len(room.store.events) < 25:
            alone = reference.resolve(room.version, room.room_id, states, room.store, all_in_flight=True)
            assert alone == resolved, "the store of this test does not answer as Synapse's would"
        question = {"ask": "resolve", "states": [list(state.values()) for state in states]}
        answer = self.comparison.ask(question)
        expected = sorted([type, key, event_id] for (type, key), event_id in resolved.items())
        conflicted = [key for key in resolved if len({state.get(key) for state in states}) > 1]
        self.comparison.count_positive("resolve", bool(conflicted))
        self.comparison.check(
            question,
            {"state": expected},
            answer,
            self.describe(states),
            same=expected == sorted(answer.get("state", [])),
        )

    def describe(self, states: list[StateMap]) -> Any:
        """The events in which the states differ."""
        events = self.room.store.events
        ids = set().union(*(set(state.values()) for state in states)) - set.intersection(
            *(set(state.values()) for state in states)
        )
        return [(i, events[i].type, events[i].get_state_key(), events[i].sender, dict(events[i].content)) for i in ids]
