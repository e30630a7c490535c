"""Rooms of every version: what is sent, seen and redacted in them is what their version says."""

import re
import urllib.parse

import pytest

from homeserver import MatrixFailure

V3 = "/_matrix/client/v3"
VERSIONS = [str(number) for number in range(1, 13)]


def event_id(version):
    """The form of an event ID in a room of this version."""
    if version in ("1", "2"):
        return r"\$[A-Za-z]{18}:test\.example"
    return r"\$[A-Za-z0-9+/]{43}" if version == "3" else r"\$[A-Za-z0-9_-]{43}"


def quoted(text):
    return urllib.parse.quote(text, safe="")


async def test_the_capabilities_name_them_all(people):
    alice = await people("alice")
    versions = (await alice.get(V3 + "/capabilities"))["capabilities"]["m.room_versions"]
    assert versions["available"] == {version: "stable" for version in VERSIONS}
    assert versions["default"] in VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_room_lives(people, version):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(room_version=version, preset="private_chat", name="Old times", invite=[bob.user])
    assert re.fullmatch(r"![A-Za-z0-9_-]{43}" if version == "12" else r"![A-Za-z]{18}:test\.example", room)
    create = await alice.get(f"{alice.room(room)}/state/m.room.create")
    assert create["room_version"] == version
    assert create.get("creator") == (alice.user if int(version) < 11 else None)

    await bob.join(room)
    sent = await bob.send(room, "hello")
    assert re.fullmatch(event_id(version), sent)
    await alice.state(room, "m.room.topic", {"topic": "then"})
    event = await alice.get(f"{alice.room(room)}/event/{quoted(sent)}")
    assert event["event_id"] == sent and event["content"]["body"] == "hello" and event["room_id"] == room

    # Bob redacts his own message, though not Alice's.
    other = await alice.send(room, "mine")
    with pytest.raises(MatrixFailure) as failure:
        await bob.put(f"{bob.room(room)}/redact/{quoted(other)}/t1", {})
    assert failure.value.status == 403
    redaction = (await bob.put(f"{bob.room(room)}/redact/{quoted(sent)}/t2", {"reason": "typo"}))["event_id"]
    event = await alice.get(f"{alice.room(room)}/event/{quoted(sent)}")
    assert event["content"] == {} and event["unsigned"]["redacted_because"]["event_id"] == redaction
    shown = await alice.get(f"{alice.room(room)}/event/{quoted(redaction)}")
    assert shown["redacts"] == sent and shown["content"] == {"reason": "typo", "redacts": sent}

    page = [event["event_id"] for event in await alice.messages(room)]
    assert page[:2] == [redaction, other] and sent in page


async def test_rooms_come_back_after_a_restart(server, people):
    alice = await people("alice")
    rooms = [await alice.create_room(room_version=version) for version in VERSIONS]
    before = [await alice.send(room, "before") for room in rooms]
    await server.restart()
    for room, earlier in zip(rooms, before):
        later = await alice.send(room, "after")
        assert [event["event_id"] for event in await alice.messages(room)][:2] == [later, earlier]


@pytest.mark.parametrize("version", VERSIONS)
async def test_power_levels_are_integers_whatever_old_rooms_accept(people, version):
    alice = await people("alice")
    room = await alice.create_room(room_version=version)
    levels = await alice.get(f"{alice.room(room)}/state/m.room.power_levels")
    with pytest.raises(MatrixFailure) as failure:
        await alice.state(room, "m.room.power_levels", {**levels, "ban": "50"})
    assert (failure.value.status, failure.value.errcode) == (400, "M_BAD_JSON")
    await alice.state(room, "m.room.power_levels", {**levels, "ban": 60})


@pytest.mark.parametrize("version", VERSIONS)
async def test_knocking_needs_version_7(people, version):
    alice, bob = await people("alice", "bob")
    rule = {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}
    room = await alice.create_room(room_version=version, initial_state=[rule])
    if int(version) >= 7:
        assert (await bob.post(f"{V3}/knock/{quoted(room)}", {}))["room_id"] == room
    else:
        with pytest.raises(MatrixFailure) as failure:
            await bob.post(f"{V3}/knock/{quoted(room)}", {})
        assert failure.value.status == 403
