"""Invites to people who are known by an address only, and what comes of them."""

import random
from typing import Any

from people import chance, member, membership, someone
from reference import StateMap
from rooms import Draft, Room


def third_party_invite(room: Room, state: StateMap) -> Draft:
    rng = room.rng
    token = f"token{len(room.tokens)}"
    room.tokens.append(token)
    key = room.identity_server.public_key
    content: dict[str, Any] = {"display_name": "c...", "key_validity_url": "https://id.example/valid"}
    kind = rng.random()
    if kind < 0.4:
        content["public_key"] = key
    elif kind < 0.8:
        content["public_key"] = room.servers[0].public_key
        content["public_keys"] = [{"public_key": room.servers[1].public_key}, {"public_key": key}]
    else:
        content["public_keys"] = rng.choice(
            ([], [{"public_key": "short"}, {"public_key": key}], [{}], None, [5], {"public_key": key})
        )
        if chance(rng, 0.3):
            content["public_key"] = rng.choice((None, 5, "", "!!"))
    draft = Draft("m.room.third_party_invite", content, member(room, state), token)
    if chance(rng, 0.05):
        draft.state_key = rng.choice((None, "@alice:one.example", ""))
    return draft


def answer_third_party_invite(room: Room, state: StateMap) -> Draft:
    rng = room.rng
    target = someone(room, state, None, "leave", "invite", "ban")
    token = rng.choice(room.tokens) if room.tokens and chance(rng, 0.9) else "unknown"
    waiting = room.state_event(state, "m.room.third_party_invite", token)
    senders = [person for person in room.people if waiting and person.user_id == waiting.sender]
    sender = senders[0] if senders and chance(rng, 0.9) else rng.choice(room.people)
    signer = room.identity_server if chance(rng, 0.9) else rng.choice(room.servers)
    signed = signer.sign({"mxid": target.user_id, "token": token})
    if chance(rng, 0.15):
        rng.choice(SIGNED_DAMAGE)(signed, rng)
    invite: Any = {"display_name": "c...", "signed": signed}
    if chance(rng, 0.05):
        invite = rng.choice(({}, None, [], "x", {"signed": None}, {"signed": []}, {"signed": {}}))
    draft = membership(room, sender, target, "invite")
    draft.content["third_party_invite"] = invite
    return draft


def _other_mxid(signed: dict, rng: random.Random) -> None:
    signed["mxid"] = rng.choice(("@bob:one.example", None, 5))


def _other_token(signed: dict, rng: random.Random) -> None:
    signed["token"] = rng.choice(("unknown", None, 5, []))


def _no_key(signed: dict, rng: random.Random) -> None:
    del signed[rng.choice(list(signed))]


def _odd_signatures(signed: dict, rng: random.Random) -> None:
    good = signed["signatures"]
    signed["signatures"] = rng.choice(
        (
            {}, None, [], {"id.example": {}}, {"id.example": {"ed25519:0": "AAAA"}},
            {"a": {"rsa:1": "x"}} | good,
            {"a": {"ed25519:1": "bad"}} | good,
        )
    )


def _more(signed: dict, rng: random.Random) -> None:
    signed["more"] = 1


SIGNED_DAMAGE = [_other_mxid, _other_token, _no_key, _odd_signatures, _more]
