"""Knocking, and rooms that are open to the members of another one."""

import pytest

from across import agree, arrives, becomes, gone, in_room, section
from homeserver import MatrixFailure

KNOCK = ["7", "8", "9", "10", "11", "12"]
RESTRICTED = ["8", "9", "10", "11", "12"]
KNOCK_RESTRICTED = ["10", "11", "12"]


async def knock(client, room, via, reason):
    return await client.post(f"/_matrix/client/v3/knock/{room}?via={via}&server_name={via}", {"reason": reason})


def allow(rule, *rooms):
    return {"join_rule": rule, "allow": [{"type": "m.room_membership", "room_id": room} for room in rooms]}


async def refused(call, status=403):
    with pytest.raises(MatrixFailure) as failure:
        await call
    assert failure.value.status == status, failure.value


@pytest.mark.parametrize("version", KNOCK)
async def test_who_knocks_is_let_in_or_not(sides, person, version):
    here, there = sides
    alice = await person(here, "alice")
    bob, carol, dave = [await person(there, name) for name in ("bob", "carol", "dave")]
    room = await alice.create_room(preset="private_chat", room_version=version, name="Den")
    await refused(knock(bob, room, here.name, "too early"))
    await alice.state(room, "m.room.join_rules", {"join_rule": "knock"})
    await refused(bob.join(room, via=[here.name]))

    for guest in (bob, carol, dave):
        await knock(guest, room, here.name, f"it is {guest.user}")
        await becomes(alice, room, guest.user, "knock")
    stripped = (await section(bob, room, "knock"))["knock_state"]["events"]
    assert {"name": "Den"} in [e["content"] for e in stripped]
    assert (await alice.get(in_room(room, f"state/m.room.member/{bob.user}")))["reason"] == f"it is {bob.user}"

    await alice.invite(room, bob.user)
    await section(bob, room, "invite")
    await bob.join(room)
    await becomes(alice, room, bob.user, "join")
    await arrives(alice, room, await bob.send(room, "thanks"))

    await carol.leave(room)
    await becomes(alice, room, carol.user, "leave")
    await alice.post(in_room(room, "kick"), {"user_id": dave.user})
    await becomes(bob, room, dave.user, "leave")
    await gone(dave, room, "knock")
    await agree(room, alice, bob)


@pytest.mark.parametrize("version", RESTRICTED)
async def test_members_of_a_space_join_its_rooms(sides, person, version):
    here, there = sides
    alice, bob, carol = await person(here, "alice"), await person(there, "bob"), await person(there, "carol")
    space = await alice.create_room(preset="public_chat", room_version=version, creation_content={"type": "m.space"})
    room = await alice.create_room(preset="private_chat", room_version=version, initial_state=[
        {"type": "m.room.join_rules", "state_key": "", "content": allow("restricted", space)}])
    await bob.join(space, via=[here.name])
    await refused(carol.join(room, via=[here.name]))
    await bob.join(room, via=[here.name])
    await becomes(alice, room, bob.user, "join")
    member = await alice.get(in_room(room, f"state/m.room.member/{bob.user}"))
    assert member["join_authorised_via_users_server"] == alice.user
    # Now their own server lets others of it in, or has them let in.
    dave = await person(there, "dave")
    await dave.join(space, via=[here.name])
    await dave.join(room, via=[here.name])
    await becomes(alice, room, dave.user, "join")
    # Who is invited needs no space.
    await alice.invite(room, carol.user)
    await becomes(bob, room, carol.user, "invite")
    await carol.join(room)
    await becomes(alice, room, carol.user, "join")
    await bob.leave(space)
    await becomes(alice, space, bob.user, "leave")
    await bob.leave(room)
    await becomes(alice, room, bob.user, "leave")
    await refused(bob.join(room, via=[here.name]))
    await agree(room, alice, dave)


@pytest.mark.parametrize("version", KNOCK_RESTRICTED)
async def test_members_join_and_others_knock(sides, person, version):
    here, there = sides
    alice, bob, carol = await person(here, "alice"), await person(there, "bob"), await person(there, "carol")
    space = await alice.create_room(preset="public_chat", room_version=version, creation_content={"type": "m.space"})
    room = await alice.create_room(preset="private_chat", room_version=version, initial_state=[
        {"type": "m.room.join_rules", "state_key": "", "content": allow("knock_restricted", space)}])
    await bob.join(space, via=[here.name])
    await bob.join(room, via=[here.name])
    await becomes(alice, room, bob.user, "join")
    await refused(carol.join(room, via=[here.name]))
    await knock(carol, room, here.name, "please")
    await becomes(bob, room, carol.user, "knock")
    await alice.invite(room, carol.user)
    await becomes(bob, room, carol.user, "invite")
    await carol.join(room)
    await agree(room, alice, bob, carol)
