"""The differences between Synapse and MatrixCore that the specification explains, each with its section.

Where the specification is silent or says what Synapse does, a difference is a defect of ours and has no place here. An
explanation is as narrow as can be: it names the question, and what about the event brings it about.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from canonicaljson import encode_canonical_json
from signedjson.key import decode_verify_key_bytes
from signedjson.sign import verify_signed_json
from synapse.types import UserID
from unpaddedbase64 import decode_base64

from malformed import has_surrogates
from reference import is_level, levels


@dataclass
class Case:
    """A difference, as explanations look at it."""

    ask: str
    version: int
    question: dict[str, Any]
    synapse: dict[str, Any]
    ours: dict[str, Any]
    pdu: dict[str, Any]
    """The event that the question is about."""
    state: list[tuple[str, str | None, str, Mapping[str, Any]]]
    """The state that it was checked against: type, state key, sender, content."""

    @property
    def said(self) -> dict[str, Any]:
        """The event as it was sent."""
        return json.loads(self.question["json"])

    @property
    def content(self) -> dict[str, Any]:
        content = self.pdu.get("content")
        return content if isinstance(content, dict) else {}

    @property
    def we_refuse(self) -> bool:
        return self.ours.get("allowed") is False or "error" in self.ours

    def our_error(self, text: str) -> bool:
        return text in str(self.ours.get("error", ""))

    def our_reason(self, text: str) -> bool:
        return text in str(self.ours.get("reason", ""))


Explanation = tuple[str, Callable[[Case], bool]]


# MARK: Reading an event


def _not_an_identifier(case: Case) -> bool:
    return case.ask == "event" and any(
        case.our_error(text)
        for text in (
            "is not a valid user ID",
            "is not a valid room ID",
            "is not a valid event ID",
            "holds what is not a valid event ID",
        )
    )


def _too_many_links(case: Case) -> bool:
    return case.ask == "event" and (
        case.our_error("prev_events is too large")
        and len(case.pdu["prev_events"]) > 20
        or case.our_error("auth_events is too large")
        and len(case.pdu["auth_events"]) > 10
    )


def _content_is_a_number(case: Case) -> bool:
    # Synapse reads a large number as an object of its number type's own.
    return case.ask == "event" and case.our_error("content is not an object")


def _without_signatures(case: Case) -> bool:
    # Synapse reads it and refuses it later, for the signature it does not have.
    return case.ask == "event" and case.our_error("signatures is not an object") and not case.pdu["signatures"]


def _hash_over_other_keys(case: Case) -> bool:
    differing = [key for key in case.synapse if case.synapse[key] != case.ours.get(key)]
    about_hash = case.ask == "content hash valid" or (case.ask == "event" and differing == ["content_hash"])
    return about_hash and bool({"age_ts", "outlier", "destinations"} & case.pdu.keys())


def _create_event_with_room_id(case: Case) -> bool:
    # Synapse does not read it; ours is refused by rule 1.2.
    return (
        case.ask == "event" and case.version >= 12 and case.pdu.get("type") == "m.room.create" and "room_id" in case.pdu
    )


def _create_event_among_auth_events(case: Case) -> bool:
    # Synapse does not read it; ours is refused by rule 3.2, since the selection algorithm leaves the create event out.
    return (
        case.ask == "event"
        and case.version >= 12
        and "auth_events must not contain the create event" in str(case.synapse.get("error"))
    )


def _unsigned_counted(case: Case) -> bool:
    # Synapse counts the `"unsigned":{}` that it adds itself.
    size = len(encode_canonical_json({key: value for key, value in case.pdu.items() if key != "unsigned"}))
    return (
        case.ask == "event"
        and "event too large" in str(case.synapse.get("error"))
        and size <= 65536 < size + len('"unsigned":{},')
    )


# MARK: Rules


def _member_is_no_user(case: Case) -> bool:
    key = case.pdu.get("state_key")
    return (
        case.ask == "authorize"
        and case.our_reason("is not a user id")
        and isinstance(key, str)
        and (not UserID.is_valid(key) or len(key.encode()) > 255)
    )


def _redacts_no_event(case: Case) -> bool:
    # Synapse lets a redaction through that names nothing.
    return (
        case.ask == "authorize"
        and case.version <= 2
        and case.pdu["type"] == "m.room.redaction"
        and not isinstance(case.pdu.get("redacts"), str)
    )


def _one_good_signature(case: Case) -> bool:
    # Synapse fails on a key or a signature that it cannot read, and gives up at one that is wrong, though another is right.
    if case.ask != "authorize" or case.we_refuse or "third_party_invite" not in case.content:
        return False
    signed = case.content["third_party_invite"]["signed"]
    waiting = [
        content for type, key, _, content in case.state if (type, key) == ("m.room.third_party_invite", signed["token"])
    ]
    return bool(waiting) and any(_is_signed(signed, key) for key in _public_keys(waiting[0]))


def _public_keys(content: Mapping[str, Any]) -> list[Any]:
    keys = content.get("public_keys")
    entries = [entry for entry in keys if isinstance(entry, Mapping)] if isinstance(keys, (list, tuple)) else []
    return [content.get("public_key"), *(entry.get("public_key") for entry in entries)]


def _is_signed(signed: dict[str, Any], key: Any) -> bool:
    """Whether one of the signatures is by this key."""
    for server, signatures in signed["signatures"].items():
        for key_id in signatures:
            try:
                verify_signed_json(signed, server, decode_verify_key_bytes(key_id, decode_base64(key)))
                return True
            except Exception:
                continue
    return False


def _surrogate_in_unsigned(case: Case) -> bool:
    # Synapse drops what it does not know of `unsigned` before it looks for text that cannot be written as UTF-8.
    return (
        case.ask == "event" and case.our_error("half of a surrogate pair") and has_surrogates(case.said.get("unsigned"))
    )


# MARK: Values


def _replaced_value(case: Case) -> bool:
    """Of a key that is written twice Synapse forgets the first value, before it looks for what may not stand in an event."""
    if case.ask != "canonical" or "canonical" not in case.synapse or "error" not in case.ours:
        return False
    repeated = False

    def remember(members: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        repeated |= len({key for key, _ in members}) < len(members)
        return dict(members)

    json.loads(case.question["json"], object_pairs_hook=remember)
    return repeated


def _longer_than_identifiers(case: Case) -> bool:
    return case.ask == "identifier" and not case.ours.get("valid") and len(case.question["text"].encode()) > 255


def _nul_in_localpart(case: Case) -> bool:
    return case.ask == "identifier" and not case.ours.get("valid") and "\0" in case.question["text"]


def _end_of_line_after_hash(case: Case) -> bool:
    return case.ask == "identifier" and case.question["kind"] == "room" and case.question["text"].endswith("\n")


def _server_name(case: Case) -> tuple[str, str]:
    """The host and what stands behind it."""
    if case.ask != "identifier":
        return "", ""
    text = case.question["text"]
    name = text if case.question["kind"] == "server" else text.partition(":")[2]
    host, colon, port = name.partition(":")
    return host, port if colon else ""


def _port_is_no_digits(case: Case) -> bool:
    host, port = _server_name(case)
    return (
        bool(host)
        and not host.startswith("[")
        and not case.ours.get("valid")
        and port != ""
        and not re.fullmatch("[0-9]{1,5}", port)
    )


def _octet_over_255(case: Case) -> bool:
    host, _ = _server_name(case)
    is_address = re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){3}", host)
    return bool(is_address) and not case.ours.get("valid") and any(int(octet) > 255 for octet in host.split("."))


def _empty_label(case: Case) -> bool:
    host, _ = _server_name(case)
    return bool(case.ours.get("valid")) and "" in host.split(".")


def _push_by_event_id(case: Case) -> bool:
    # Synapse looks into the event as servers exchange it, which has had no `event_id` since room version 3.
    keys = [condition.get("key") for rule in case.question.get("rules", []) for condition in rule.get("conditions", [])]
    return case.ask == "push" and case.version >= 3 and "event_id" in keys


def _display_name_as_pattern(case: Case) -> bool:
    # Synapse takes a display name with an asterisk for a pattern.
    return case.ask == "push" and any(character in str(case.question.get("display_name")) for character in "*?")


def _words_of_other_scripts(case: Case) -> bool:
    # To Synapse letters of all scripts make words.
    return case.ask == "push" and not str(case.content.get("body")).isascii()


def _leading_zero_in_address(case: Case) -> bool:
    # Rust takes no address with a leading zero for one, the grammar of server names does.
    host = str(case.question.get("server")).partition(":")[0]
    return (
        case.ask == "server acl"
        and case.ours.get("allowed") is False
        and bool(re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){3}", host))
        and any(octet.startswith("0") and octet != "0" for octet in host.split("."))
    )


# MARK: Power levels


def _odd_levels(case: Case) -> bool:
    """Booleans, digits of other scripts, `1_0`: Python's `int` takes them, the formats of the specification do not."""
    if case.ask != "authorize" or case.version >= 10 or case.pdu["type"] != "m.room.power_levels" or not case.we_refuse:
        return False
    return not all(map(is_level, levels(case.content)))


def _levels_are_no_object(case: Case) -> bool:
    """An empty list or text where an object belongs, which Python takes for one without entries."""
    return (
        case.ask == "authorize"
        and case.version < 10
        and case.pdu["type"] == "m.room.power_levels"
        and case.we_refuse
        and any(
            name in case.content and not isinstance(case.content[name], dict)
            for name in ("users", "events", "notifications")
        )
    )


def _users_are_no_user_ids(case: Case) -> bool:
    users = case.content.get("users")
    return (
        case.ask == "authorize"
        and case.pdu["type"] == "m.room.power_levels"
        and case.our_reason("users is not an object of integers by user id")
        and isinstance(users, dict)
        and any(not UserID.is_valid(user) or len(user.encode()) > 255 for user in users)
    )


def _other_power_levels(case: Case) -> bool:
    """Synapse compares with the event of the same state key, where there is none."""
    return (
        case.ask == "authorize"
        and case.we_refuse
        and case.pdu["type"] == "m.room.power_levels"
        and case.pdu.get("state_key") not in (None, "")
    )


def _power_levels_message(case: Case) -> bool:
    """Synapse fails on an event of this type without a state key."""
    return (
        case.ask == "authorize"
        and case.pdu["type"] == "m.room.power_levels"
        and "state_key" not in case.pdu
        and case.synapse.get("crashed") is True
    )


EXPLANATIONS: list[Explanation] = [
    ("Appendices §Identifier Grammar, Rooms §Event IDs", _not_an_identifier),
    ("Rooms §Event format: at most 20 prev_events, 10 auth_events", _too_many_links),
    ("Rooms §Event format: content is an object", _content_is_a_number),
    ("Rooms §Event format: signatures are required", _without_signatures),
    (
        "Server-Server API §Calculating the content hash for an event: without unsigned, signatures, hashes",
        _hash_over_other_keys,
    ),
    ("Rooms v12 §Authorisation rules, rule 1.2", _create_event_with_room_id),
    ("Rooms v12 §Authorisation rules, rule 3.2", _create_event_among_auth_events),
    ("Appendices §Canonical JSON: UTF-8", _surrogate_in_unsigned),
    ("Client-Server API §Size limits: the event as it was sent", _unsigned_counted),
    ("Appendices §User Identifiers: who has a membership is a user", _member_is_no_user),
    ("Rooms v1 §Authorisation rules, rule 11.3", _redacts_no_event),
    (
        "Rooms §Authorisation rules, rule 4.4.1.7 (v1: 5.3.1.7, v12: 5.4.1.7): any signature, any public key",
        _one_good_signature,
    ),
    ("Appendices §Canonical JSON: the text itself is held to it", _replaced_value),
    ("Appendices §Common Identifier Format: at most 255 bytes", _longer_than_identifiers),
    ("Appendices §User Identifiers, §Room IDs, §Room Aliases: no NUL in localparts", _nul_in_localpart),
    ("Appendices §Room IDs: the hash and nothing behind it", _end_of_line_after_hash),
    ("Appendices §Server Name: port = 1*5DIGIT", _port_is_no_digits),
    ("Appendices §Server Name: IPv4 literals are numbers from 0 to 255", _octet_over_255),
    ("Appendices §Server Name: dns-name = 1*255dns-char", _empty_label),
    ("Client-Server API §Push Rules, event_match: a property of the event, as clients know it", _push_by_event_id),
    (
        "Client-Server API §Push Rules, event_match: word boundaries are what is not in [A-Z], [a-z], [0-9] or _",
        _words_of_other_scripts,
    ),
    (
        "Client-Server API §Push Rules, contains_display_name: the body contains the display name",
        _display_name_as_pattern,
    ),
    ("Appendices §Server Name: IPv4address = 1*3DIGIT ...", _leading_zero_in_address),
    ("Rooms v1 §Deprecated event content schemas: power levels as strings, as floats", _odd_levels),
    ("Client-Server API §m.room.power_levels: users, events, notifications are objects", _levels_are_no_object),
    ("Rooms §Authorisation rules, rule 10.1 (v12: 10.3): keys that are valid user IDs", _users_are_no_user_ids),
    (
        "Rooms §Authorisation rules, rule 10.2 (v12: 10.5): the previous m.room.power_levels event in the room",
        _other_power_levels,
    ),
    ("Rooms §Authorisation rules, rule 10: no rule asks for a state_key", _power_levels_message),
]


def section(difference: Any) -> str | None:
    """The section of the specification that explains a difference; `None` where it is a defect."""
    parts = difference.about if isinstance(difference.about, tuple) else (difference.about,)
    pdu = next((part for part in parts if isinstance(part, dict)), {})
    case = Case(
        ask=difference.question["ask"],
        version=int(difference.version),
        question=difference.question,
        synapse=difference.synapse if isinstance(difference.synapse, dict) else {},
        ours=difference.matrix_core if isinstance(difference.matrix_core, dict) else {},
        pdu=pdu,
        state=next((part for part in parts if isinstance(part, list)), []),
    )
    for text, explains in EXPLANATIONS:
        if explains(case):
            return text
    return None
