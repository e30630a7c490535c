"""Damage: values and texts as no well-meaning server sends them."""

import json
import random
from typing import Any

STRANGE_TEXT = [
    "", " ", "\u0000", "é", "e\u0301", "\u2028", "\U0001f600", "\ufffd", "\ud800", "a" * 300, "é" * 200, "@", "@:",
    ":", "$", "!", "\\", '"', "\x7f\x1f\b\f\t/", "constructor", "@alice:one.example", "@nobody:nowhere.example",
]

NUMBERS = [
    0, -1, 1, 50, 100,
    2**53 - 1,
    -(2**53) + 1,
    2**53,
    -(2**53),
    2**63 - 1,
    -(2**63),
    2**63, 2**64, 10**40, 0.0, -0.0, 1.0, 50.0, 50.5, -0.5, 1e3, 1e16, 1.5e16, 12345678901234567.0, 1e21, 1e22, 1e300,
    1e-5, 1e-7, 0.0001, 5e-324, 123456.789,
]


def strange_text(rng: random.Random) -> str:
    return rng.choice(STRANGE_TEXT)


def value(rng: random.Random, depth: int = 0) -> Any:
    """Any JSON value."""
    kind = rng.randrange(8 if depth < 3 else 6)
    if kind == 0:
        return rng.choice((None, True, False))
    if kind in (1, 2):
        return rng.choice(NUMBERS) if rng.random() < 0.7 else rng.randrange(-(10**6), 10**6)
    if kind in (3, 4, 5):
        return (
            strange_text(rng)
            if rng.random() < 0.6
            else "".join(
                chr(rng.choice((rng.randrange(32, 127), rng.randrange(0x1FFFF)))) for _ in range(rng.randrange(6))
            ).replace("\ud800", "")
        )
    if kind == 6:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {
        strange_text(rng) if rng.random() < 0.4 else rng.choice("abcdefgh"): value(rng, depth + 1)
        for _ in range(rng.randrange(4))
    }


def damage(pdu: dict[str, Any], rng: random.Random) -> str:
    """Damages a PDU in one place; says where."""
    kind = rng.random()
    if kind < 0.25:
        key = rng.choice(list(pdu))
        del pdu[key]
        return f"without {key}"
    if kind < 0.55:
        key = rng.choice(list(pdu))
        pdu[key] = value(rng)
        return f"{key} = {pdu[key]!r}"
    if kind < 0.65:
        key = rng.choice(
            (
                "age_ts", "unsigned", "membership", "prev_state", "extra", "state_key", "event_id", "redacts",
                "room_id", "",
            )
        )
        pdu[key] = value(rng)
        return f"with {key} = {pdu[key]!r}"
    if kind < 0.72:
        key = rng.choice(("type", "state_key", "sender", "room_id"))
        sigil = {"sender": "@", "room_id": "!"}.get(key, "")
        length = rng.choice((245, 254, 255, 256, 300))
        letter = rng.choice(("a", "é"))
        text = sigil + letter * ((length - 20) // len(letter.encode())) + ":one.example"
        pdu[key] = text + "x" * (length - len(text.encode()))
        return f"{key} of {len(pdu[key].encode())} bytes"
    if kind < 0.76:
        pdu["content"] = {"body": "x" * rng.choice((64_000, 65_000, 65_200, 65_536, 70_000))}
        return "very large"
    if kind < 0.82:
        key = rng.choice(("prev_events", "auth_events"))
        element = rng.choice(
            (
                "$x", "x", "", 1, None, ["$x"], ["$x", {}], ["$x", {"sha256": "x"}], ["$x", {"sha256": 1}],
                ["$x", {}, {}], {},
            )
        )
        pdu[key] = list(pdu.get(key) or []) + [element] * rng.choice((1, 1, 10, 20))
        return f"{key} with {element!r}"
    if kind < 0.88:
        pdu["depth"] = rng.choice(NUMBERS)
        return f"depth {pdu['depth']!r}"
    if kind < 0.92:
        pdu["hashes"] = rng.choice(
            (
                {}, {"sha256": 1}, {"sha256": "!"}, {"md5": "x"}, {"sha256": "abc", "md5": "x"},
                {"sha256": "abc", "md5": 1},
            )
        )
        return f"hashes {pdu['hashes']!r}"
    if kind < 0.96:
        pdu["signatures"] = rng.choice(
            ({}, {"a": {}}, {"a": {"b": "c"}}, {"a": {"b": 1}}, {"a": 1}, {"a": {"b": None}})
        )
        return f"signatures {pdu['signatures']!r}"
    if isinstance(pdu.get("content"), dict):
        pdu["content"][rng.choice(list(pdu["content"]) or ["x"])] = value(rng)
    return "content changed"


def spell(pdu: Any, rng: random.Random) -> str:
    """A JSON text of the value: one of the many."""
    chance = rng.random()
    if chance < 0.5:
        return json.dumps(pdu, ensure_ascii=has_surrogates(pdu), separators=(",", ":"))
    if isinstance(pdu, dict) and chance < 0.8:
        items = list(pdu.items())
        rng.shuffle(items)
        pdu = dict(items)
    return json.dumps(pdu, ensure_ascii=chance < 0.9 or has_surrogates(pdu), indent=rng.choice((None, None, 1, "\t")))


def has_surrogates(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
        return False
    except UnicodeEncodeError:
        return True
