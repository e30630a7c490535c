"""Both sides go on while the line between them is cut, and agree when it is mended."""

import asyncio

import pytest

from across import agree, arrives, becomes, content, hear_each_other, in_room, membership, message_ids, same_messages, until
from homeserver import MatrixFailure

versions = pytest.mark.parametrize("version", ["10", "12"])


async def shared_room(person, here, there, version, **levels):
    """-> a room with two people of each side, in which everyone may set state."""
    alice, anna = await person(here, "alice"), await person(here, "anna")
    bob, ben = await person(there, "bob"), await person(there, "ben")
    room = await alice.create_room(preset="public_chat", room_version=version, power_level_content_override={"state_default": 0, **levels})
    for guest in (anna, bob, ben):
        await guest.join(room, via=[here.name])
    await asyncio.gather(*(becomes(one, room, ben.user, "join") for one in (alice, anna, bob)))
    return room, alice, anna, bob, ben


class cut:
    """with cut(one, other): no line between them."""

    def __init__(self, *servers):
        self.servers = servers

    def __enter__(self):
        for server in self.servers:
            server.cable.cut()

    def __exit__(self, *_):
        for server in self.servers:
            server.cable.mend()


async def write(client, room, count=8):
    sent = []
    for number in range(count):
        sent.append(await client.send(room, f"{client.user} says {number}"))
        if number % 3 == 0:
            await client.state(room, "m.room.topic", {"topic": f"{client.user} thinks {number}"})
            await client.state(room, "test.mine", {"number": number}, key=f"of {client.user}")
    return sent


@versions
async def test_both_write_while_the_line_is_cut(sides, person, version):
    here, there = sides
    room, alice, anna, bob, ben = await shared_room(person, here, there, version)
    sent = [await alice.send(room, "before")]
    await arrives(ben, room, sent[0])
    with cut(here, there):
        for part in await asyncio.gather(write(alice, room), write(bob, room), write(ben, room)):
            sent += part
        sent.append(await anna.send(room, "is anybody there?"))
    sent += await hear_each_other(room, alice, bob)
    await agree(room, alice, anna, bob, ben)
    await same_messages(room, sent, alice, ben)


@versions
async def test_a_moderator_acts_while_the_line_is_cut(sides, person, version):
    here, there = sides
    room, alice, anna, bob, ben = await shared_room(person, here, there, version, users_default=10, kick=50, ban=50)
    levels = await content(alice, room, "m.room.power_levels")
    levels["users"] = {**levels.get("users", {}), bob.user: 50}
    await alice.state(room, "m.room.power_levels", levels)

    async def powerful():
        return (await content(ben, room, "m.room.power_levels"))["users"].get(bob.user) == 50
    await until("bob's power", powerful)
    with cut(here, there):
        # The one is banned here, and acts there as if nothing were.
        await alice.post(in_room(room, "ban"), {"user_id": bob.user})
        await bob.post(in_room(room, "kick"), {"user_id": anna.user})
        await bob.state(room, "m.room.name", {"name": "Bob's"})
        await ben.state(room, "m.room.topic", {"topic": "of ben"})
        await alice.state(room, "m.room.topic", {"topic": "of alice"})
    await hear_each_other(room, alice, ben)
    await agree(room, alice, ben)
    for witness in (alice, ben):
        assert await membership(witness, room, bob.user) == "ban"


@versions
async def test_one_side_stands_still(sides, person, version):
    here, there = sides
    room, alice, anna, bob, ben = await shared_room(person, here, there, version)
    there.freeze()
    try:
        # What is sent to the frozen server waits there, and is carried out together with what comes from the other one.
        waiting = [asyncio.create_task(write(bob, room, 3)), asyncio.create_task(write(ben, room, 3))]
        sent = await write(alice, room)
    finally:
        there.thaw()
    for part in await asyncio.gather(*waiting):
        sent += part
    sent += await hear_each_other(room, alice, bob)
    await agree(room, alice, anna, bob, ben)
    await same_messages(room, sent, alice, bob)


async def test_much_is_said_during_a_long_cut(sides, person):
    here, there = sides
    room, alice, anna, bob, ben = await shared_room(person, here, there, "11")
    older = await alice.send(room, "before")
    await arrives(bob, room, older)
    with cut(here, there):
        sent = await write(alice, room, 40)
        sent.append(await bob.send(room, "alone"))
    # More than the servers send each other unasked: much of it is fetched.
    later = await hear_each_other(room, alice, bob)
    await agree(room, alice, anna, bob, ben)
    await same_messages(room, [older, *sent, *later], alice, bob)
    # It stands where it was said: who reads backwards comes by it before what is older.
    for reader in (alice, bob):
        found = await message_ids(reader, room)
        assert found.index(sent[0]) < found.index(older), "what was missed stands before what came before it"


@versions
async def test_joins_wait_for_the_line(sides, person, version):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    room = await alice.create_room(preset="public_chat", room_version=version)
    with cut(here, there):
        with pytest.raises(MatrixFailure) as failure:
            await bob.join(room, via=[here.name])
        assert failure.value.status in (404, 502, 503), failure.value
    await until_joined(bob, room, here)
    await becomes(alice, room, bob.user, "join")
    await agree(room, alice, bob)


async def until_joined(client, room, via):
    """The server may take the other one for gone a moment longer."""
    await until(f"{client.user} in {room}", lambda: client.join(room, via=[via.name]))
