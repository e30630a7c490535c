"""Upgrades of rooms and trees of spaces that reach over two servers."""

from urllib.parse import quote

import pytest

from across import VERSIONS, agree, arrives, becomes, content, has_state, in_room, until
from test_federation_access import RESTRICTED, allow


# From each version to the next one.
@pytest.mark.parametrize("before, after", zip(VERSIONS, VERSIONS[1:] + ["12"]))
async def test_members_follow_an_upgraded_room(sides, person, before, after):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    name = "moving" + alice.user[6:].split(":")[0]
    old = await alice.create_room(preset="public_chat", room_version=before, name="Den", room_alias_name=name)
    await bob.join(f"#{name}:{here.name}")
    await becomes(alice, old, bob.user, "join")
    new = (await alice.post(in_room(old, "upgrade"), {"new_version": after}))["replacement_room"]

    async def tombstone():
        return (await content(bob, old, "m.room.tombstone"))["replacement_room"] == new
    await until("the tombstone", tombstone)
    await bob.join(new, via=[here.name])
    await becomes(alice, new, bob.user, "join")
    create = await content(bob, new, "m.room.create")
    assert create["room_version"] == after and create["predecessor"]["room_id"] == old
    await has_state(bob, new, "m.room.name", {"name": "Den"})
    await arrives(alice, new, await bob.send(new, "moved in"))

    async def moved():
        found = await bob.get(f"/_matrix/client/v3/directory/room/{quote(f'#{name}:{here.name}', safe='')}")
        return found["room_id"] == new
    # Where an alias leads is remembered for some seconds.
    await until("the alias in the new room", moved)
    await agree(new, alice, bob)
    await agree(old, alice, bob)


async def tree(client, root, **query):
    q = "&".join(f"{k}={v}" for k, v in query.items())
    answer = await client.get(f"/_matrix/client/v1/rooms/{quote(root, safe='')}/hierarchy?{q}")
    return {room["room_id"]: room for room in answer["rooms"]}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_tree_of_spaces_is_seen_from_both_sides(sides, person, version):
    here, there = sides
    alice, bob, carol = await person(here, "alice"), await person(there, "bob"), await person(there, "carol")
    room = {"room_version": version}
    space = {"creation_content": {"type": "m.space"}, **room}
    root = await alice.create_room(preset="public_chat", name="Root", **space)
    inner = await alice.create_room(preset="public_chat", name="Inner", **space)
    open_room = await alice.create_room(preset="public_chat", name="Open", topic="for all", **room)
    closed = await alice.create_room(preset="private_chat", name="Closed", **room)
    # A room for the members of a space; where versions know no such rule, one of the oldest that does.
    members_only = await alice.create_room(
        preset="private_chat", name="Members", room_version=version if version in RESTRICTED else RESTRICTED[0], initial_state=[
            {"type": "m.room.join_rules", "state_key": "", "content": allow("restricted", root)}])
    away = await bob.create_room(preset="public_chat", name="Away", **room)
    for parent, child, server in [(root, inner, here), (inner, open_room, here), (root, closed, here), (root, members_only, here),
                                  (root, away, there)]:
        await alice.state(parent, "m.space.child", {"via": [server.name], "suggested": child == inner}, key=child)

    # Who is in it sees what is on both servers. Each server asks the other.
    assert {root, inner, open_room, closed, members_only, away} == set(await tree(alice, root))
    await bob.join(root, via=[here.name])
    await becomes(alice, root, bob.user, "join")

    async def whole():
        return set(await tree(bob, root)) == {root, inner, open_room, members_only, away}
    await until("the whole tree", whole)
    rooms = await tree(bob, root)
    assert rooms[open_room]["name"] == "Open" and rooms[open_room]["topic"] == "for all"
    assert rooms[root]["room_type"] == "m.space" and len(rooms[root]["children_state"]) == 4
    assert set(await tree(bob, root, suggested_only="true")) == {root, inner}
    assert set(await tree(bob, root, max_depth=1)) == {root, inner, members_only, away}
    await carol.join(open_room, via=[here.name])
    assert set(await tree(carol, open_room)) == {open_room}


async def test_a_room_shows_itself_over_the_border(sides, person):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    room = await alice.create_room(preset="public_chat", name="Seen", topic="from afar")
    answer = await bob.get(f"/_matrix/client/v1/room_summary/{quote(room, safe='')}?via={here.name}", checked=False)
    assert (answer["name"], answer["topic"], answer["join_rule"]) == ("Seen", "from afar", "public")
    assert answer["membership"] == "leave" and answer["num_joined_members"] == 1
