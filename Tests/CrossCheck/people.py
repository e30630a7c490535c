"""Who does something: mostly someone who may."""

import random

from reference import StateMap
from rooms import Draft, Person, Room


def chance(rng: random.Random, probability: float) -> bool:
    return rng.random() < probability


def someone(room: Room, state: StateMap, *memberships: str | None) -> Person:
    """Mostly one of those with such a membership."""
    fitting = room.with_membership(state, *memberships)
    if fitting and chance(room.rng, 0.85):
        return room.rng.choice(fitting)
    return room.rng.choice(room.people)


def member(room: Room, state: StateMap) -> Person:
    return someone(room, state, "join")


def powerful(room: Room, state: StateMap) -> Person:
    """Mostly one of the members with the highest power."""
    members = room.with_membership(state, "join")
    if not members or chance(room.rng, 0.25):
        return member(room, state)
    levels = room.state_event(state, "m.room.power_levels")
    users = levels.content.get("users", {}) if levels else {}

    def power(person: Person) -> float:
        level = users.get(person.user_id, 0) if hasattr(users, "get") else 0
        bonus = 1000 if person is room.creator else 0
        return bonus + (level if isinstance(level, (int, float)) else 0)

    members.sort(key=power, reverse=True)
    return room.rng.choice(members[:2])


def membership(room: Room, sender: Person, target: Person, value: str) -> Draft:
    draft = Draft("m.room.member", {"membership": value}, sender, target.user_id)
    if chance(room.rng, 0.2):
        draft.content["displayname"] = room.rng.choice(("Name", "é", None))
    if chance(room.rng, 0.015):
        draft.state_key = room.rng.choice(
            (None, "", "nobody", "@x", "@:one.example", "@nobody:one.example", target.user_id.upper())
        )
    return draft
