"""The reference: Synapse's own functions, asked the questions that MatrixCore is asked too.

Everything here calls into the `matrix-synapse` package and turns what comes back, exceptions included, into plain
values that can be compared. Nothing here decides anything itself.
"""

import base64
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from canonicaljson import encode_canonical_json
from nacl.signing import SigningKey as NaClSigningKey
from signedjson.key import encode_verify_key_base64, get_verify_key
from signedjson.sign import sign_json, verify_signed_json
from synapse import event_auth
from synapse.api.errors import EventSizeError, SynapseError
from synapse.api.room_versions import RoomVersion, StateResolutionVersions
from synapse.crypto.event_signing import (
    add_hashes_and_signatures,
    check_event_content_hash,
    compute_content_hash,
    compute_event_signature,
)
from synapse.events import EventBase, make_event_from_dict
from synapse.events.utils import prune_event, validate_canonicaljson
from synapse.federation.federation_base import event_from_pdu_json
from synapse.state import v1 as state_v1
from synapse.state import v2 as state_v2
from synapse.storage.controllers.state import server_acl_evaluator_from_event
from synapse.storage.databases.main.event_federation import StateDifference
from synapse.types import RoomAlias, RoomID, UserID
from synapse.util.json import json_decoder
from synapse.util.stringutils import parse_and_validate_server_name, parse_server_name

logging.disable(logging.CRITICAL)

StateMap = dict[tuple[str, str], str]
"""From event type and state key to event id."""


def run(coroutine):
    """The result of a coroutine that never really waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("the reference waited for something")


def describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


# MARK: Keys and signatures


class Server:
    """A homeserver with its signing key."""

    def __init__(self, name: str, seed: bytes):
        self.name = name
        self.key = NaClSigningKey(hashlib.sha256(seed).digest())
        self.key.alg, self.key.version = "ed25519", "k1"  # type: ignore[attr-defined]
        self.key_id = "ed25519:k1"
        self.public_key = encode_verify_key_base64(get_verify_key(self.key))

    def sign_event(self, pdu: dict, version: RoomVersion) -> None:
        """Adds the content hash, and this server's signature in the place of all others."""
        add_hashes_and_signatures(version, pdu, self.name, self.key)

    def countersign_event(self, pdu: dict, version: RoomVersion) -> None:
        signatures = pdu["signatures"]
        signatures[self.name] = compute_event_signature(version, pdu, self.name, self.key)[self.name]

    def sign(self, value: dict) -> dict:
        return sign_json(value, self.name, self.key)


def signature_is_valid(event: EventBase, server: Server) -> bool:
    pdu = prune_event(event).get_pdu_json()
    try:
        verify_signed_json(pdu, server.name, get_verify_key(server.key))
        return True
    except Exception:
        return False


# MARK: Events


class Refused(Exception):
    """The reference does not take this for an event."""


def read_event(text: str, version: RoomVersion) -> EventBase:
    """What a server makes of a PDU before it looks at signatures and state."""
    try:
        pdu = json_decoder.decode(text)
        event = event_from_pdu_json(pdu, version)
        try:
            event_auth._check_size_limits(event)
        except EventSizeError as error:
            if error.unpersistable:
                raise
        # Every later step asks for these, and fails on events that do not have them.
        event_auth.get_domain_from_id(event.sender)
        if not version.msc4291_room_ids_as_hashes:
            event_auth.get_domain_from_id(event.room_id)
        event.auth_event_ids()
        compute_content_hash(event.get_pdu_json(), hashlib.sha256)
        if "sha256" not in event.hashes:
            raise ValueError("no sha256 among the hashes")
        prune_event(prune_event(event))
        return event
    except Exception as error:
        raise Refused(describe(error)) from None


def event_facts(event: EventBase, version: RoomVersion) -> dict[str, Any]:
    """What there is to compare about one event, in the form in which MatrixCore's answers come."""
    pdu = event.get_pdu_json()
    redacted = prune_event(event)
    redacted_pdu = redacted.get_pdu_json()
    redacted_pdu.pop("unsigned", None)
    signed = {k: v for k, v in redacted_pdu.items() if k not in ("signatures", "unsigned", "age_ts")}
    twice = prune_event(redacted).get_pdu_json()
    twice.pop("unsigned", None)
    facts = {
        "event_id": event.event_id,
        "room_id": event.room_id,
        "prev_events": list(event.prev_event_ids()),
        "auth_events": stated_auth_events(event),
        "content_hash": unpadded(compute_content_hash(pdu, hashlib.sha256)[1]),
        "signed": canonical(signed),
        "redacted": canonical(redacted_pdu),
        "redacted_twice": canonical(twice),
    }
    keys = auth_keys(event)
    if keys is not None:
        facts["auth_keys"] = [list(key) for key in keys]
    return facts


def stated_auth_events(event: EventBase) -> list[str]:
    """The auth events that the event spells out; Synapse adds the create event where the room id names it."""
    ids = list(event.auth_event_ids())
    if event.room_version.msc4291_room_ids_as_hashes and ids and event.type != "m.room.create":
        ids.remove("$" + event.room_id[1:])
    return ids


def auth_keys(event: EventBase) -> list[tuple[str, str]] | None:
    """The keys of the state that an event's auth events come from; `None` where Synapse cannot say."""
    try:
        keys = event_auth.auth_types_for_event(event.room_version, event)
    except Exception:
        return None
    if event.room_version.msc4291_room_ids_as_hashes:
        keys.discard(("m.room.create", ""))
    if not all(isinstance(key, str) for _, key in keys):
        return None
    return sorted(keys, key=lambda key: (key[0].encode(), key[1].encode()))


def content_hash_is_valid(event: EventBase) -> bool:
    try:
        return check_event_content_hash(event)
    except Exception:
        return False


@dataclass
class Verdict:
    """Whether Synapse allows something, and why not."""

    allowed: bool
    reason: str = ""
    crashed: bool = False
    """Synapse failed where it should have decided. The event goes no further, but another rule may be the one it breaks."""


def verdict(check: Callable[[], Any]) -> Verdict:
    try:
        check()
        return Verdict(True)
    except SynapseError as error:
        return Verdict(False, describe(error))
    except Exception as error:
        return Verdict(False, describe(error), crashed=True)


def signed_by_whom_it_must(event: EventBase) -> Verdict:
    """Whether the sizes are right and the signatures there that the sender, the event id and who authorised a join ask for."""
    return verdict(lambda: event_auth.validate_event_for_room_version(event))


def as_rejected(event: EventBase) -> EventBase:
    return make_event_from_dict(event.get_pdu_json(), event.room_version, rejected_reason="refused before")


# MARK: Authorization


class Store:
    """The events of one room, as Synapse's functions want to fetch them."""

    def __init__(self) -> None:
        self.events: dict[str, EventBase] = {}

    async def get_events(self, event_ids: Iterable[str], *arguments: Any, **options: Any) -> dict[str, EventBase]:
        return {event_id: self.events[event_id] for event_id in event_ids if event_id in self.events}

    async def get_auth_chain_difference(
        self, room_id: str, state_sets: list[set[str]], conflicted_state: set[str] | None, unpersisted: set[str] | None
    ) -> StateDifference:
        """What Synapse's database answers: `EventFederationWorkerStore.get_auth_chain_difference_extended`."""
        chains = [self._auth_chain(ids) for ids in state_sets]
        difference = set().union(*chains) - (set(chains[0]).intersection(*chains[1:]) if chains else set())
        subgraph = None if conflicted_state is None else self._conflicted_subgraph(conflicted_state)
        return StateDifference(auth_difference=difference, conflicted_subgraph=subgraph)

    def _auth_chain(self, event_ids: Iterable[str]) -> set[str]:
        """The events and all that stand in their auth chains."""
        found: set[str] = set()
        waiting = list(event_ids)
        while waiting:
            event_id = waiting.pop()
            if event_id not in found:
                found.add(event_id)
                waiting.extend(self.events[event_id].auth_event_ids())
        return found

    def _conflicted_subgraph(self, conflicted: set[str]) -> set[str]:
        """The events on the paths from one conflicted event to another."""
        backwards = self._auth_chain(conflicted)
        children: dict[str, list[str]] = {}
        for event_id in backwards:
            for parent in self.events[event_id].auth_event_ids():
                children.setdefault(parent, []).append(event_id)
        forwards: set[str] = set()
        waiting = list(conflicted)
        while waiting:
            event_id = waiting.pop()
            if event_id not in forwards:
                forwards.add(event_id)
                waiting.extend(children.get(event_id, ()))
        return backwards & forwards


def check_auth_events(event: EventBase, store: Store) -> Verdict:
    """The rules that look at an event, its sizes and its own auth events."""

    def check() -> None:
        event_auth._check_size_limits(event)
        run(event_auth.check_state_independent_auth_rules(store, event))

    return verdict(check)


def authorize(event: EventBase, state: Iterable[EventBase]) -> Verdict:
    """The rules that depend on the state."""
    return verdict(lambda: event_auth.check_state_dependent_auth_rules(event, state))


def levels(content: Mapping[str, Any]) -> list[Any]:
    """All levels that the content of power levels spells out."""
    found = [content[name] for name in LEVEL_PROPERTIES if name in content]
    for name in ("users", "events", "notifications"):
        entries = content.get(name, {})
        found += entries.values() if isinstance(entries, Mapping) else [None]
    return found


def is_level(value: Any) -> bool:
    """Whether the specification of room versions before 10 gives this level a meaning, and Python's `int` the same one.

    Booleans, digits of other scripts and `1_0` have one for Python only.
    """
    if isinstance(value, str):
        digits = value.strip(" \t\n\r\f\v")
        digits = digits[1:] if digits.startswith(("+", "-")) else digits
        return digits.isascii() and digits.isdigit()
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def levels_are_usable(event: EventBase) -> bool:
    """Whether a room with these power levels can be compared further.

    Before room version 10 the rules let more into the first power levels of a room than can be read afterwards. Synapse
    then fails, rather than allow or refuse anything, or finds a meaning that the specification has not (`explained.py`).
    Power levels with a state key are not those of the room, but the two sides look for their predecessor in different
    places.
    """
    if event.type != "m.room.power_levels":
        return True
    if event.get_state_key() != "":
        return not event.is_state()
    return all(map(is_level, levels(event.content)))


LEVEL_PROPERTIES = ("users_default", "events_default", "state_default", "ban", "redact", "kick", "invite")


# MARK: State resolution


class Clock:
    async def sleep(self, duration: Any) -> None:
        pass


def resolve(
    version: RoomVersion, room_id: str, states: list[StateMap], store: Store, all_in_flight: bool = False
) -> StateMap:
    """The resolution of some states.

    With `all_in_flight` the events count as not yet stored, so that Synapse works out the auth difference and the
    conflicted subgraph by itself, rather than from what the database (here `Store`) says.
    """
    if version.state_res == StateResolutionVersions.V1:
        return dict(run(state_v1.resolve_events_with_store(room_id, version, states, {}, store.get_events)))
    in_flight = dict(store.events) if all_in_flight else {}
    return dict(run(state_v2.resolve_events_with_store(Clock(), room_id, version, states, in_flight, store)))


# MARK: Values


def canonical(value: Any) -> str:
    return encode_canonical_json(value).decode()


def unpadded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def canonical_text(text: str, strict: bool) -> str:
    """The canonical form of a JSON text; raises what the reference raises."""
    value = json_decoder.decode(text)
    if strict:
        validate_canonicaljson(value)
    return canonical(value)


def identifier_is_valid(kind: str, text: str) -> bool:
    try:
        if kind == "server":
            parse_and_validate_server_name(text)
        elif kind == "room":
            RoomID.from_string(text)
            return RoomID.is_valid(text)
        else:
            parsed = {"user": UserID, "alias": RoomAlias}[kind].from_string(text)
            parse_and_validate_server_name(parsed.domain)
        return True
    except Exception:
        return False


class _ACLEvent:
    """As much of an `m.room.server_acl` event as Synapse looks at."""

    def __init__(self, content: dict):
        self.content = content


def server_acl_allows(content: dict, server: str) -> bool:
    evaluator = server_acl_evaluator_from_event(_ACLEvent(content))  # type: ignore[arg-type]
    # As `FederationServer.check_server_matches_acl` is called: without the port.
    return evaluator.server_matches_acl_event(parse_server_name(server)[0])
