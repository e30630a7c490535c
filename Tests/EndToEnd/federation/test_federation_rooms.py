"""Rooms that people of two servers share, in every room version and made on either side."""

import asyncio

import pytest

from across import (VERSIONS, agree, arrive_everywhere, arrives, becomes, content, gone, has_state, in_room, membership, redacted,
                    same_messages, section)
from homeserver import MatrixFailure

pytestmark = pytest.mark.parametrize("version", VERSIONS)


async def test_talk_and_state_go_both_ways(sides, person, version):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    name = "den" + alice.user[6:].split(":")[0] + version
    room = await alice.create_room(preset="public_chat", room_version=version, name="Den", room_alias_name=name)
    await bob.join(f"#{name}:{here.name}")
    await becomes(alice, room, bob.user, "join")
    assert (await content(bob, room, "m.room.create")).get("room_version") == version

    hello = await alice.send(room, "hello")
    answer = await bob.send(room, "hello yourself")
    await arrive_everywhere(room, [hello, answer], alice, bob)
    assert (await arrives(bob, room, hello))["content"]["body"] == "hello"

    levels = await content(alice, room, "m.room.power_levels")
    levels["users"] = {**levels.get("users", {}), bob.user: 50}
    await alice.state(room, "m.room.power_levels", levels)
    await alice.state(room, "m.room.topic", {"topic": "of alice"})
    await has_state(bob, room, "m.room.power_levels", levels)
    await bob.state(room, "m.room.name", {"name": "Bob's den"})
    await has_state(alice, room, "m.room.name", {"name": "Bob's den"})
    await has_state(bob, room, "m.room.topic", {"topic": "of alice"})

    await bob.put(in_room(room, f"redact/{hello}/r1"), {"reason": "a moderator may"})
    await redacted(alice, room, hello)
    await alice.put(in_room(room, f"redact/{answer}/r1"), {})
    await redacted(bob, room, answer)
    await agree(room, alice, bob)
    await same_messages(room, [hello, answer], alice, bob)


async def test_invites_are_accepted_refused_and_taken_back(sides, person, version):
    here, there = sides
    alice = await person(here, "alice")
    bob, carol, dave = [await person(there, name) for name in ("bob", "carol", "dave")]
    room = await alice.create_room(preset="private_chat", room_version=version, name="Den", topic="of few")
    for guest in (bob, carol, dave):
        await alice.invite(room, guest.user)
    stripped = (await section(bob, room, "invite"))["invite_state"]["events"]
    found = {(e["type"], e["state_key"]): e["content"] for e in stripped}
    assert found["m.room.name", ""] == {"name": "Den"} and found["m.room.create", ""].get("room_version") == version, found
    assert found["m.room.member", bob.user]["membership"] == "invite"

    await bob.join(room)
    await becomes(alice, room, bob.user, "join")
    message = await bob.send(room, "here I am")
    await arrives(alice, room, message)

    await section(carol, room, "invite")
    await carol.leave(room)
    await becomes(alice, room, carol.user, "leave")

    await section(dave, room, "invite")
    await alice.post(in_room(room, "kick"), {"user_id": dave.user, "reason": "a mistake"})
    await becomes(bob, room, dave.user, "leave")
    await gone(dave, room, "invite")

    # A member of the other server invites one of this server.
    erin = await person(here, "erin")
    await bob.invite(room, erin.user)
    await section(erin, room, "invite")
    await erin.join(room)
    await becomes(bob, room, erin.user, "join")
    await agree(room, alice, bob, erin)


async def test_members_are_kicked_banned_and_come_back(sides, person, version):
    here, there = sides
    alice, bob, carol = await person(here, "alice"), await person(there, "bob"), await person(there, "carol")
    room = await alice.create_room(preset="public_chat", room_version=version)
    for guest in (bob, carol):
        await guest.join(room, via=[here.name])
    await becomes(alice, room, carol.user, "join")

    await alice.post(in_room(room, "kick"), {"user_id": bob.user, "reason": "out"})
    await section(bob, room, "leave")
    await becomes(carol, room, bob.user, "leave")
    await bob.join(room, via=[here.name])
    await becomes(alice, room, bob.user, "join")

    await alice.post(in_room(room, "ban"), {"user_id": bob.user, "reason": "for good"})
    await becomes(carol, room, bob.user, "ban")
    with pytest.raises(MatrixFailure) as failure:
        await bob.join(room, via=[here.name])
    assert failure.value.status == 403, failure.value
    await alice.post(in_room(room, "unban"), {"user_id": bob.user})
    await becomes(carol, room, bob.user, "leave")
    await bob.join(room, via=[here.name])
    await becomes(alice, room, bob.user, "join")
    await bob.leave(room)
    await becomes(alice, room, bob.user, "leave")
    assert await membership(alice, room, carol.user) == "join"
    await agree(room, alice, carol)


async def test_the_last_of_a_server_leaves_and_comes_back(sides, person, version):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    room = await alice.create_room(preset="public_chat", room_version=version)
    await bob.join(room, via=[here.name])
    await bob.leave(room)
    await becomes(alice, room, bob.user, "leave")
    missed = [await alice.send(room, f"missed {number}") for number in range(3)]
    await alice.state(room, "m.room.topic", {"topic": "while bob was away"})
    await bob.join(room, via=[here.name])
    await becomes(alice, room, bob.user, "join")
    heard = await alice.send(room, "welcome back")
    await arrives(bob, room, heard)
    await has_state(bob, room, "m.room.topic", {"topic": "while bob was away"})
    await agree(room, alice, bob)
    await same_messages(room, missed + [heard], alice, bob)


async def test_both_sides_write_at_once(sides, person, version):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    room = await alice.create_room(preset="public_chat", room_version=version, power_level_content_override={"state_default": 0})
    await bob.join(room, via=[here.name])
    await becomes(alice, room, bob.user, "join")

    async def write(who, other):
        sent = []
        for number in range(5):
            sent.append(await who.send(room, f"{who.user} {number}"))
            await who.state(room, "m.room.topic", {"topic": f"{who.user} {number}"})
            await who.state(room, "test.counter", {"number": number}, key=f"of {who.user}")
        return sent

    sent = sum(await asyncio.gather(write(alice, bob), write(bob, alice)), [])
    await arrive_everywhere(room, sent, alice, bob)
    found = await agree(room, alice, bob)
    assert ("test.counter", f"of {alice.user}") in found and ("test.counter", f"of {bob.user}") in found
    await same_messages(room, sent, alice, bob)
