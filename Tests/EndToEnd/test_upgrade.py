"""Room upgrades, as the members of a room see them."""

from urllib.parse import quote

import pytest

from homeserver import MatrixFailure

V3 = "/_matrix/client/v3"


async def refused(awaitable, status, errcode):
    with pytest.raises(MatrixFailure) as failure:
        await awaitable
    assert (failure.value.status, failure.value.errcode) == (status, errcode), failure.value


async def upgrade(client, room, version, **more):
    return (await client.post(f"{client.room(room)}/upgrade", {"new_version": version, **more}))["replacement_room"]


async def read(client, room, type):
    return await client.get(f"{client.room(room)}/state/{type}")


@pytest.mark.parametrize("versions", [("10", "11"), ("11", "12"), ("12", "12")])
async def test_a_room_is_replaced(people, server, versions):
    alice, bob = await people("alice", "bob")
    old = await alice.create_room(preset="public_chat", room_version=versions[0], name="Den", room_alias_name="den")
    await bob.join(old)
    await alice.post(f"{alice.room(old)}/ban", {"user_id": "@mallory:test.example", "reason": "spam"})
    await bob.put(f"{V3}/user/{bob.user}/account_data/m.direct", {alice.user: [old]})
    await bob.put(f"{V3}/user/{bob.user}/rooms/{quote(old, safe='')}/tags/u.work", {"order": 0.25})
    await bob.put(f"{V3}/pushrules/global/room/{quote(old, safe='')}", {"actions": ["notify"]})
    since = (await alice.sync())["next_batch"]

    new = await upgrade(alice, old, versions[1])
    joined = (await alice.sync(since))["rooms"]["join"]
    tombstone = next(e for e in joined[old]["timeline"]["events"] if e["type"] == "m.room.tombstone")
    assert tombstone["content"]["replacement_room"] == new
    create = joined[new]["timeline"]["events"][0]
    assert create["type"] == "m.room.create" and create["content"]["room_version"] == versions[1]
    predecessor = {"room_id": old} if versions[1] == "12" else {"room_id": old, "event_id": tombstone["event_id"]}
    assert create["content"]["predecessor"] == predecessor
    assert (await read(alice, new, "m.room.name"))["name"] == "Den"
    assert (await alice.get(f"{alice.room(new)}/state/m.room.member/@mallory:test.example"))["reason"] == "spam"

    # The old room is closed, and its name goes to the new one.
    await refused(bob.send(old, "late"), 403, "M_FORBIDDEN")
    assert await read(alice, old, "m.room.canonical_alias") == {}
    assert await read(alice, new, "m.room.canonical_alias") == {"alias": "#den:test.example"}
    assert (await bob.get(f"{V3}/directory/room/{quote('#den:test.example', safe='')}"))["room_id"] == new

    # What Bob has set goes along, and is there after a restart.
    await server.restart()
    await bob.join("#den:test.example")
    assert (await bob.get(f"{V3}/user/{bob.user}/account_data/m.direct")) == {alice.user: [old, new]}
    assert "u.work" in (await bob.get(f"{V3}/user/{bob.user}/rooms/{quote(new, safe='')}/tags"))["tags"]
    rules = (await bob.get(V3 + "/pushrules/"))["global"]["room"]
    assert {rule["rule_id"] for rule in rules} == {old, new}


async def test_additional_creators(people):
    alice, bob = await people("alice", "bob")
    old = await alice.create_room(preset="public_chat", room_version="11")
    await refused(upgrade(alice, old, "12", additional_creators=["nobody"]), 400, "M_BAD_JSON")
    new = await upgrade(alice, old, "12", additional_creators=[bob.user])
    assert (await read(alice, new, "m.room.create"))["additional_creators"] == [bob.user]
    levels = await read(alice, new, "m.room.power_levels")
    assert alice.user not in levels.get("users", {}) and bob.user not in levels.get("users", {})


async def test_what_cannot_be_replaced(people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat", room_version="10")
    await bob.join(room)
    await refused(upgrade(alice, room, "no such version"), 400, "M_UNSUPPORTED_ROOM_VERSION")
    await refused(alice.post(f"{alice.room(room)}/upgrade", {}), 400, "M_MISSING_PARAM")
    await refused(upgrade(bob, room, "11"), 403, "M_FORBIDDEN")
    await refused(upgrade(alice, "!fail:unknown", "11"), 404, "M_NOT_FOUND")
    await refused(alice.state(room, "m.room.tombstone", {"replacement_room": room}), 400, "M_INVALID_PARAM")
    await alice.send(room, "nothing happened")


async def test_a_repeated_request_makes_no_second_room(people):
    alice = await people("alice")
    room = await alice.create_room(room_version="11")
    first = await upgrade(alice, room, "12")
    assert await upgrade(alice, room, "12") == first
