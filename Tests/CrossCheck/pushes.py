"""Push rules: random rules tried on the events of a random room."""

import json
import random
from collections.abc import Mapping
from typing import Any

from synapse import event_auth
from synapse.events import EventBase
from synapse.push.bulk_push_rule_evaluator import _flatten_dict
from synapse.synapse_rust.push import FilteredPushRules, PushRule, PushRuleEvaluator, PushRules

from comparison import Comparison
from reference import StateMap
from rooms import Room

KINDS = ("override", "content", "room", "sender", "underride")
KEYS = (
    "type", "content.body", "content.msgtype", "content.membership", "content.displayname", "content", "room_id",
    "sender", "state_key", "redacts", "depth", "origin", "content.m\\.mentions.user_ids", "content.m\\.mentions.room",
    "content.m.mentions.room", "content.odd\\.key\\\\.x", "content.odd\\\\.key", "content.list", "content.number",
    "content.users.@alice:one\\.example", "event_id", "", ".", "content.",
)
PATTERNS = (
    "m.room.message", "m.room.*", "*", "", "?", "hello", "HELLO", "h?llo", "hel*", "*lo", "bob", "b*b", "hello bob",
    "lo b", "@room", "@*:one.example", "*:*", "m.text", "join", "é", "É", "straße", "STRASSE", "ı", "*l*o*", "**",
    "[a-z]ello", "h.llo", "\\*", "o?b", "hello*", "* *", "_", "well_being", "being", "x",
)
BODIES = (
    "hello", "Hello, Bob!", "hello bob", "say hello to bob", "@room", "@room: hello", "othello", "hello_bob", "É",
    "straße", "", " ", "a\nhello\nb", "well_being", "hello\u2003bob", "HELLO", "İx", "x" * 50, "bobbob bob", "*",
    "hello?", "@bob:one.example", "1", "\U0001f600 hello",
)
ACTIONS = (
    [], ["notify"], ["notify", {"set_tweak": "highlight"}], ["notify", {"set_tweak": "highlight", "value": False}],
    ["notify", {"set_tweak": "sound", "value": "ring"}], ["dont_notify"],
)


def message_content(rng: random.Random, room: Room) -> dict[str, Any]:
    """A message that rules find something in."""
    content: dict[str, Any] = {"msgtype": rng.choice(("m.text", "m.text", "m.notice")), "body": rng.choice(BODIES)}
    if rng.random() < 0.3:
        content["m.mentions"] = rng.choice(
            ({"room": True}, {"user_ids": [rng.choice(room.people).user_id]}, {}, {"room": "true"}, {"user_ids": "x"})
        )
    if rng.random() < 0.1:
        content["m.relates_to"] = {"rel_type": rng.choice(("m.replace", "m.thread")), "event_id": "$x"}
    if rng.random() < 0.2:
        content["odd.key\\"] = {"x": "hello"}
        content["odd\\"] = {"key": "hello"}
        content["list"] = rng.choice((["hello", 1, None, True, 1.5, ["x"]], [], "hello"))
        content["number"] = rng.choice((1, 0, -1, 2**53 - 1, True, None, "1"))
    return content


def condition(rng: random.Random, room: Room) -> dict[str, Any]:
    kind = rng.choice(
        (
            "event_match", "event_match", "event_match", "event_property_is", "event_property_contains",
            "contains_display_name", "room_member_count", "sender_notification_permission", "unknown",
        )
    )
    result: dict[str, Any] = {"kind": kind}
    if kind == "event_match":
        result |= {
            "key": rng.choice(KEYS),
            "pattern": rng.choice((*PATTERNS, room.room_id, rng.choice(room.people).user_id)),
        }
    elif kind in ("event_property_is", "event_property_contains"):
        value = rng.choice(("hello", 1, True, None, "m.text", rng.choice(room.people).user_id, "", -1, 0, False))
        result |= {"key": rng.choice(KEYS), "value": value}
    elif kind == "room_member_count":
        result["is"] = rng.choice(
            ("2", "==2", "<2", ">2", ">=2", "<=2", "1", ">0", "", "x", "=2", "2 ", "02", "==", "+2", "<>2", "-1")
        )
        if rng.random() < 0.1:
            del result["is"]
    elif kind == "sender_notification_permission":
        result["key"] = rng.choice(("room", "room", "m.room.name", "x"))
    return result


def rule(rng: random.Random, room: Room) -> dict[str, Any]:
    kind = rng.choice(KINDS)
    name = f"rule{rng.randrange(1000)}"
    result: dict[str, Any] = {"kind": kind, "id": name, "actions": rng.choice(ACTIONS)}
    if kind in ("override", "underride"):
        result["conditions"] = [condition(rng, room) for _ in range(rng.choice((1, 1, 1, 2)))]
    elif kind == "content":
        result["pattern"] = rng.choice(PATTERNS)
    elif kind == "room":
        result["id"] = rng.choice((room.room_id, room.room_id, "!other:one.example"))
    else:
        result["id"] = rng.choice(room.people).user_id
    return result


def compare(comparison: Comparison, room: Room, event: EventBase, state: StateMap, rng: random.Random) -> None:
    user = rng.choice(room.people)
    if user.user_id == event.sender:
        return
    rules: list[dict[str, Any]] = []
    for _ in range(rng.choice((0, 1, 2, 4))):
        new = rule(rng, room)
        if all((new["kind"], new["id"]) != (old["kind"], old["id"]) for old in rules):
            rules.append(new)
    events = [room.store.events[event_id] for event_id in state.values()]
    question = {
        "ask": "push",
        "event": event.event_id,
        "user": user.user_id,
        "rules": rules,
        "state": [e.event_id for e in events],
        "members": rng.choice((1, 2, 2, 3)),
        "display_name": rng.choice(("bob", "hello", "B*b", "", None, "É", "@room", "hello bob")),
    }
    try:
        expected = outcome(event, user.user_id, rules, events, question["members"], question["display_name"])
    except (OverflowError, TypeError):
        # A number that fits 64 bits no more, as rooms before version 10 may have one.
        return
    answer = comparison.ask(question)
    if "tweaks" in answer and answer["tweaks"].get("highlight") is False:
        # Said or not, it means the same.
        del answer["tweaks"]["highlight"]
    comparison.count_positive("push", expected["notifies"])
    comparison.check(question, expected, answer, event.get_pdu_json())


# MARK: The reference

PRIORITY_CLASSES = {"underride": 1, "sender": 2, "room": 3, "content": 4, "override": 5}


def outcome(
    event: EventBase, user: str, rules: list[dict], state: list[EventBase], members: int, display_name: str | None
) -> dict[str, Any]:
    """What the user's rules, most important first, and the predefined ones make of an event."""
    stored = [
        PushRule.from_db(
            f"global/{rule['kind']}/{rule['id']}",
            PRIORITY_CLASSES[rule["kind"]],
            json.dumps(conditions(rule)),
            json.dumps(rule["actions"]),
        )
        for rule in rules
    ]
    # With MSC4210, which the specification has taken over: the rules for mentions in the text are gone.
    everything = FilteredPushRules(PushRules(stored), {}, False, False, False, False, False, True, False)
    by_key = {(e.type, e.get_state_key()): e for e in state}
    evaluator = PushRuleEvaluator(
        _flatten_dict(event),
        "m.mentions" in event.content,
        members,
        event_auth.get_user_power_level(event.sender, by_key),
        notification_levels(by_key),
        {}, False, [], False, True, False,
    )
    actions = evaluator.run(everything, user, display_name, None)
    tweaks = {action["set_tweak"]: action.get("value", True) for action in actions if isinstance(action, Mapping)}
    if tweaks.get("highlight") is False:
        del tweaks["highlight"]
    notifies = "notify" in actions
    return {"notifies": notifies, "highlights": notifies and tweaks.get("highlight") is True, "tweaks": tweaks}


def conditions(rule: dict) -> list[dict]:
    """As the endpoint that takes a rule stores it."""
    match rule["kind"]:
        case "content":
            return [{"kind": "event_match", "key": "content.body", "pattern": rule["pattern"]}]
        case "room":
            return [{"kind": "event_match", "key": "room_id", "pattern": rule["id"]}]
        case "sender":
            return [{"kind": "event_match", "key": "sender", "pattern": rule["id"]}]
        case _:
            return rule["conditions"]


def notification_levels(state: Mapping[tuple[str, str], EventBase]) -> dict[str, int]:
    power_levels = state.get(("m.room.power_levels", ""))
    levels = power_levels.content.get("notifications", {}) if power_levels else {}
    return {key: int(level) for key, level in levels.items()}
