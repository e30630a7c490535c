"""What people do in a room: drafts of events, mostly sensible, often forbidden, sometimes odd."""

from collections.abc import Callable
from typing import Any

import malformed
from invites import answer_third_party_invite, third_party_invite
from people import chance, member, membership, powerful, someone
from pushes import message_content
from reference import LEVEL_PROPERTIES, StateMap
from rooms import Draft, Room

Action = Callable[[Room, StateMap], Draft]

JOIN_RULES = ("public", "invite", "knock", "restricted", "knock_restricted", "private", "nonsense")
# The ways in which room versions before 10 allow or do not allow to write a power level.
ODD_LEVELS: list[Any] = [
    "10", " 50 ", "+50", "-1", "0050", "\t100\n", "1_0", "", " ", "5.0", "1e2", "0x10", "--1", "+ 5", "\u0661",
    "\u00a050", "50\u2003", 50.0, 50.9, -0.9, 99.99, 1e2, 1e300, 2**53, 2**63, 10**30, None, True, False, [], [50],
    {}, "NaN", "9" * 30,
]


# MARK: The beginning of a room


def create(room: Room, state: StateMap) -> Draft:
    rng = room.rng
    content: dict[str, Any] = {"room_version": room.version.identifier}
    if not room.version.implicit_room_creator or chance(rng, 0.2):
        content["creator"] = room.creator.user_id
    if chance(rng, 0.1):
        content["m.federate"] = rng.choice((True, False, False, "false", None, 0))
    if chance(rng, 0.1):
        content["creator"] = rng.choice(("@bob:one.example", "bob", None, 5))
    if chance(rng, 0.1):
        content["room_version"] = rng.choice(("1", "99", 10, None, "12"))
    if chance(rng, 0.1):
        del content[rng.choice(list(content))]
    if room.version.msc4289_creator_power_enabled and chance(rng, 0.6):
        content["additional_creators"] = [person.user_id for person in rng.sample(room.people, k=rng.randint(0, 2))]
        if chance(rng, 0.15):
            content["additional_creators"] = rng.choice(
                (
                    "@bob:one.example", {}, None, ["bob"], [5],
                    ["@bob:one.example"] * 2,
                    ["@" + "b" * 250 + ":one.example"], ["@bob:"], ["@bob:one.example", None], ["@:one.example"],
                )
            )
    if chance(rng, 0.1):
        content["predecessor"] = {"room_id": "!old:one.example", "event_id": "$old"}
    draft = Draft("m.room.create", content, room.creator, "")
    if chance(rng, 0.03):
        draft.state_key = rng.choice((None, "x"))
    if chance(rng, 0.03):
        draft.sender = room.people[2]
    return draft


def creator_joins(room: Room, state: StateMap) -> Draft:
    return membership(room, room.creator, room.creator, "join")


def first_power_levels(room: Room, state: StateMap) -> Draft:
    rng = room.rng
    users = {} if room.version.msc4289_creator_power_enabled else {room.creator.user_id: 100}
    content: dict[str, Any] = {"users": users}
    for person in rng.sample(room.people[1:], k=rng.randint(0, 3)):
        users[person.user_id] = rng.choice((0, 10, 25, 50, 50, 75, 100, 100))
    if room.version.msc4289_creator_power_enabled:
        create_event = room.state_event(state, "m.room.create")
        creators = create_event.content.get("additional_creators", []) if create_event else []
        for creator in creators if isinstance(creators, list) else []:
            if isinstance(creator, str) and chance(rng, 0.9):
                users.pop(creator, None)
    if chance(rng, 0.8):
        content |= {"users_default": 0, "events_default": 0, "state_default": 50, "ban": 50, "kick": 50, "redact": 50}
        content["invite"] = rng.choice((0, 50))
    if chance(rng, 0.5):
        content["events"] = {"m.room.power_levels": rng.choice((50, 100)), "m.room.name": rng.choice((0, 50))}
    if chance(rng, 0.3):
        content["notifications"] = {"room": rng.choice((0, 20, 50, 100))}
    return Draft("m.room.power_levels", content, room.creator, "")


def first_join_rules(room: Room, state: StateMap) -> Draft:
    rule = room.rng.choice(
        ("public", "public", "public", "invite", "knock", "restricted", "restricted", "knock_restricted")
    )
    return Draft("m.room.join_rules", join_rules_content(room, rule), room.creator, "")


# MARK: Messages and state


def message(room: Room, state: StateMap) -> Draft:
    type = room.rng.choice(("m.room.message", "m.room.message", "m.room.encrypted", "m.reaction", "org.example.custom"))
    return Draft(type, message_content(room.rng, room), member(room, state))


def simple_state(room: Room, state: StateMap) -> Draft:
    rng = room.rng
    name, content = rng.choice(
        (
            ("m.room.name", {"name": f"name {rng.randrange(5)}"}),
            ("m.room.topic", {"topic": f"topic {rng.randrange(5)}"}),
            (
                "m.room.history_visibility",
                {"history_visibility": rng.choice(("shared", "joined", "invited", "world_readable"))},
            ),
            ("m.room.guest_access", {"guest_access": "can_join"}),
            ("m.room.canonical_alias", {"alias": "#room:one.example"}),
            ("m.room.server_acl", {"allow": ["*"], "deny": ["evil.example"]}),
            ("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"}),
            ("org.example.state", {"x": rng.randrange(3)}),
        )
    )
    draft = Draft(name, dict(content), powerful(room, state), "")
    if name == "org.example.state":
        draft.state_key = rng.choice(
            ("", "x", draft.sender.user_id, room.rng.choice(room.people).user_id, "@", draft.sender.user_id + "_x")
        )
    return draft


def tombstone(room: Room, state: StateMap) -> Draft:
    return Draft(
        "m.room.tombstone", {"body": "moved", "replacement_room": "!new:one.example"}, powerful(room, state), ""
    )


def aliases(room: Room, state: StateMap) -> Draft:
    sender = room.rng.choice(room.people)
    draft = Draft("m.room.aliases", {"aliases": [f"#a:{sender.server.name}"]}, sender, sender.server.name)
    if chance(room.rng, 0.3):
        draft.state_key = room.rng.choice((None, "", "two.example", "elsewhere.example"))
    return draft


def redaction(room: Room, state: StateMap) -> Draft:
    rng = room.rng
    target: Any = rng.choice(room.nodes).event.event_id if room.nodes else "$x"
    if chance(rng, 0.15):
        target = rng.choice(("$elsewhere:two.example", "$x", "x", None, 5, "$a:b:c", ":", ""))
    draft = Draft("m.room.redaction", {"reason": "spam"}, someone(room, state, "join"))
    if room.version.updated_redaction_rules and chance(rng, 0.9):
        draft.content["redacts"] = target
    else:
        draft.top_level["redacts"] = target
    if chance(rng, 0.1):
        draft.content.pop("redacts", None)
        draft.top_level.pop("redacts", None)
    return draft


def second_create(room: Room, state: StateMap) -> Draft:
    draft = create(room, state)
    draft.sender = member(room, state)
    return draft


# MARK: Memberships


def join(room: Room, state: StateMap) -> Draft:
    rng = room.rng
    person = someone(room, state, None, "invite", "leave", "knock")
    draft = membership(room, person, person, "join")
    rules = room.state_event(state, "m.room.join_rules")
    restricted = rules is not None and "restricted" in str(rules.content.get("join_rule"))
    if chance(rng, 0.7 if restricted else 0.05):
        authoriser = powerful(room, state)
        draft.content["join_authorised_via_users_server"] = authoriser.user_id
        if authoriser.server is not person.server and chance(rng, 0.95):
            draft.cosigners.append(authoriser.server)
        if chance(rng, 0.05):
            draft.content["join_authorised_via_users_server"] = rng.choice(
                (None, "bob", "@bob", 5, "@nobody:one.example", "")
            )
    if chance(rng, 0.03):
        draft.sender = rng.choice(room.people)
    return draft


def invite(room: Room, state: StateMap) -> Draft:
    sender = member(room, state)
    return membership(room, sender, someone(room, state, None, "leave", "knock", "ban"), "invite")


def leave(room: Room, state: StateMap) -> Draft:
    person = someone(room, state, "join", "invite", "knock")
    return membership(room, person, person, "leave")


def kick(room: Room, state: StateMap) -> Draft:
    return membership(room, powerful(room, state), someone(room, state, "join", "invite", "knock"), "leave")


def ban(room: Room, state: StateMap) -> Draft:
    return membership(room, powerful(room, state), room.rng.choice(room.people), "ban")


def unban(room: Room, state: StateMap) -> Draft:
    return membership(room, powerful(room, state), someone(room, state, "ban"), "leave")


def knock(room: Room, state: StateMap) -> Draft:
    person = someone(room, state, None, "leave")
    draft = membership(room, person, person, "knock")
    if chance(room.rng, 0.05):
        draft.sender = room.rng.choice(room.people)
    return draft


def odd_membership(room: Room, state: StateMap) -> Draft:
    person = member(room, state)
    draft = membership(room, person, room.rng.choice(room.people), "join")
    draft.content["membership"] = room.rng.choice(("", "JOIN", "joined", None, 5, True, ["join"], {}))
    if chance(room.rng, 0.3):
        del draft.content["membership"]
    return draft


# MARK: Power levels and join rules


def power_levels(room: Room, state: StateMap) -> Draft:
    """A change of one or two levels."""
    rng = room.rng
    sender = powerful(room, state)
    current = room.state_event(state, "m.room.power_levels")
    content = copied(current.content) if current and chance(rng, 0.95) else {}
    for _ in range(rng.choice((1, 1, 1, 2))):
        change_level(room, content)
    draft = Draft("m.room.power_levels", content, sender, "")
    if chance(rng, 0.02):
        draft.state_key = rng.choice((None, "x", sender.user_id))
    return draft


def change_level(room: Room, content: dict[str, Any]) -> None:
    rng = room.rng
    level: Any = rng.choice((-1, 0, 1, 25, 49, 50, 51, 75, 99, 100, 100, 101, 2**53 - 1))
    if chance(rng, 0.15):
        level = rng.choice(ODD_LEVELS)
    where = rng.random()
    if where < 0.45:
        users = inner(content, "users")
        user = rng.choice(room.people).user_id
        if chance(rng, 0.04):
            user = rng.choice(
                ("", "bob", "@bob", "@bob:", "@é:one.example", "@" + "b" * 300 + ":one.example", "@:one.example")
            )
        if chance(rng, 0.15):
            users.pop(user, None)
        else:
            users[user] = level
    elif where < 0.7:
        name = rng.choice(LEVEL_PROPERTIES)
        if chance(rng, 0.15):
            content.pop(name, None)
        else:
            content[name] = level
    elif where < 0.95:
        entries = inner(content, rng.choice(("events", "events", "notifications")))
        name = rng.choice(("m.room.power_levels", "m.room.name", "m.room.message", "m.room.member", "room", "x"))
        if chance(rng, 0.15):
            entries.pop(name, None)
        else:
            entries[name] = level
    elif where < 0.98:
        content[rng.choice(("users", "events", "notifications"))] = rng.choice(({}, [], None, "", 5, [["a", 1]]))
    else:
        content[rng.choice(("users", "extra"))] = malformed.value(rng)


def inner(content: dict[str, Any], name: str) -> dict[str, Any]:
    if not isinstance(content.get(name), dict):
        content[name] = {}
    return content[name]


def copied(value: Any) -> Any:
    """A copy that can be changed: Synapse's own objects cannot."""
    if hasattr(value, "items"):
        return {key: copied(element) for key, element in value.items()}
    if isinstance(value, (list, tuple)):
        return [copied(element) for element in value]
    return value


def join_rules_content(room: Room, rule: Any) -> dict[str, Any]:
    content: dict[str, Any] = {"join_rule": rule}
    if "restricted" in str(rule):
        content["allow"] = [{"type": "m.room_membership", "room_id": "!space:one.example"}]
    return content


def join_rules(room: Room, state: StateMap) -> Draft:
    rng = room.rng
    content = join_rules_content(room, rng.choice(JOIN_RULES))
    if chance(rng, 0.05):
        content["join_rule"] = rng.choice((None, 5, "PUBLIC", "", ["public"], True))
    if chance(rng, 0.05):
        content = {}
    return Draft("m.room.join_rules", content, powerful(room, state), "")


# How often each happens, as a share of all.
ACTIONS: list[tuple[Action, int]] = [
    (message, 8), (simple_state, 12), (tombstone, 1), (aliases, 3), (redaction, 4), (second_create, 1), (join, 20),
    (invite, 8), (leave, 5), (kick, 7), (ban, 8), (unban, 5), (knock, 5), (odd_membership, 1), (power_levels, 16),
    (join_rules, 7), (third_party_invite, 3), (answer_third_party_invite, 5),
]
BEGINNING: list[Action] = [create, creator_joins, first_power_levels, first_join_rules]


def next_action(room: Room) -> Action:
    if len(room.nodes) < len(BEGINNING):
        beginning = BEGINNING[len(room.nodes)]
        # Rooms without power levels or without join rules are rooms too.
        if beginning in (create, creator_joins) or room.rng.random() < 0.9:
            return beginning
    return room.rng.choices([action for action, _ in ACTIONS], [weight for _, weight in ACTIONS])[0]
