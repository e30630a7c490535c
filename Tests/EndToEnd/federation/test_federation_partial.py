"""Large rooms of other servers: one is in them at once, and their members come later."""

import asyncio
import ssl
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from across import agree, arrives, becomes, in_room, membership, message_ids, same_messages, until
from homeserver import MatrixFailure
from host import Host
from visitor import now

LAZY = {"room": {"state": {"lazy_load_members": True}}}
COUNT = 120


class Asked:
    """The server under test where a host sends to it: at the port for servers."""

    def __init__(self, server):
        self.name, self.base = server.name, f"https://{server.name}"


@pytest_asyncio.fixture
async def host(authority):
    """await host(omits=True) -> a server with a room of many members."""
    context = ssl.create_default_context(cafile=str(authority.path))
    made = []

    async def start(**more):
        one = await Host(authority, COUNT, host="127.0.0.4", names=("127.0.0.4",), **more).start()
        one.session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=120), connector=aiohttp.TCPConnector(ssl=context))
        made.append(one)
        return one

    yield start
    for one in made:
        one.opened.set()
        await one.stop()


async def tell(host, server, *events):
    """The host sends events of its room -> what the server says became of them."""
    host.resident.server = Asked(server)
    return await host.resident.send(*events)


def count(host, name):
    return sum(1 for _, path, _ in host.asked if f"/{name}/" in path)


async def members(client, room):
    return (await client.get(in_room(room, "joined_members")))["joined"]


def joined(answer, room):
    return answer["rooms"]["join"].get(room) if "rooms" in answer and "join" in answer["rooms"] else None


async def test_one_is_in_a_large_room_before_its_members_are_known(martlet, person, host):
    host = await host()
    host.opened.clear()
    alice = await person(martlet, "alice")
    eager = await alice.sync(checked=False)
    await alice.join(host.room, via=[host.name])
    assert any("omit_members=true" in path for _, path, _ in host.asked), host.asked

    # Who loads members lazily is in the room, and the others do not see it yet.
    first = await alice.sync(filter=LAZY, checked=False)
    assert joined(first, host.room), first
    eager = await alice.sync(eager["next_batch"], checked=False)
    assert not joined(eager, host.room), eager

    # One speaks, and is heard; one hears, and knows who speaks.
    said = await alice.send(host.room, "hello")
    await until("the message at the host", lambda: arrived(host, said))
    hello = host.say("hello yourself", host.member(77))
    assert await tell(host, martlet, hello) == {host.resident.id(hello): {}}
    later = await alice.sync(first["next_batch"], filter=LAZY, timeout=10_000, checked=False)
    while not any(e["event_id"] == host.resident.id(hello) for e in joined(later, host.room)["timeline"]["events"]):
        later = await alice.sync(later["next_batch"], filter=LAZY, timeout=10_000, checked=False)
    state = {(e["type"], e["state_key"]): e["content"] for e in joined(later, host.room)["state"]["events"]}
    assert state["m.room.member", host.member(77)]["displayname"] == "Member 77", state

    # Who asks for the members waits for them.
    asking = asyncio.create_task(members(alice, host.room))
    await asyncio.sleep(0.5)
    assert not asking.done()
    host.opened.set()
    found = await asyncio.wait_for(asking, 30)
    assert set(found) == {host.owner, alice.user, *map(host.member, range(COUNT))}
    assert count(host, "send_join") == 1

    # Then the others see the room too, as if they came into it now, and those who saw it before hear how many are there.
    whole = await until("the whole room", lambda: shown(alice, eager["next_batch"], host.room))
    told = {e["state_key"] for e in whole["state"]["events"] if e["type"] == "m.room.member"}
    told |= {e["state_key"] for e in whole["timeline"]["events"] if e["type"] == "m.room.member"}
    assert told == set(found)
    last = await alice.sync(later["next_batch"], filter=LAZY, checked=False)
    assert joined(last, host.room)["summary"]["m.joined_member_count"] == len(found), last
    assert set(last["device_lists"]["changed"]) >= {host.member(number) for number in range(COUNT)}
    assert await message_ids(alice, host.room) == [host.resident.id(hello), said]


async def arrived(host, event_id):
    return any(host.resident.id(pdu) == event_id for pdu in host.received)


async def shown(client, since, room):
    return joined(await client.sync(since, checked=False), room)


@pytest.mark.parametrize("martlet", ["postgres", "sqlite"], indirect=True)
async def test_members_are_fetched_after_a_restart_too(martlet, person, host):
    host = await host()
    host.opened.clear()
    alice = await person(martlet, "alice")
    await alice.join(host.room, via=[host.name])
    said = host.say("before", host.member(3))
    assert await tell(host, martlet, said) == {host.resident.id(said): {}}
    await martlet.kill()
    await martlet.start()
    assert joined(await alice.sync(filter=LAZY, checked=False), host.room)
    assert not joined(await alice.sync(checked=False), host.room)
    host.opened.set()
    assert len(await members(alice, host.room)) == COUNT + 2
    await martlet.restart()
    assert len(await members(alice, host.room)) == COUNT + 2
    assert await message_ids(alice, host.room) == [host.resident.id(said)]


async def test_other_servers_are_let_in_elsewhere_meanwhile(martlet, person, host):
    host = await host()
    host.opened.clear()
    alice = await person(martlet, "alice")
    await alice.join(host.room, via=[host.name])
    said = await alice.send(host.room, "hello")
    heard = host.say("hello yourself", host.member(3))
    await tell(host, martlet, heard)
    room = quote(host.room, safe="")
    joining = f"/v1/make_join/{room}/{quote(host.member(COUNT), safe='')}"

    async def ask(path, **query):
        host.resident.server = Asked(martlet)
        status, answer = await host.resident.get(path, query)
        return status, answer.get("errcode")

    assert await ask(joining, ver="10") == (404, "M_NOT_FOUND")
    assert await ask(f"/v1/state_ids/{room}", event_id=said) == (403, "M_UNABLE_DUE_TO_PARTIAL_STATE")
    assert await ask(f"/v1/event/{quote(said, safe='')}") == (200, None)
    assert await ask(f"/v1/event/{quote(host.resident.id(heard), safe='')}") == (404, "M_NOT_FOUND")
    host.opened.set()
    await members(alice, host.room)
    assert await ask(joining, ver="10") == (200, None)
    assert await ask(f"/v1/state_ids/{room}", event_id=said) == (200, None)
    assert await ask(f"/v1/event/{quote(host.resident.id(heard), safe='')}") == (200, None)


async def test_one_leaves_a_room_whose_members_are_not_known(martlet, person, host):
    host = await host()
    host.opened.clear()
    alice = await person(martlet, "alice")
    await alice.join(host.room, via=[host.name])
    await alice.leave(host.room)
    leave = await until("the leave at the host", lambda: last_leave(host, alice.user))
    assert leave["sender"] == alice.user
    # Who comes back gets the room as a whole.
    host.resident.follow(leave)
    host.resident.state["m.room.member", alice.user] = host.resident.id(leave)
    await alice.join(host.room, via=[host.name])
    assert any("omit_members=false" in path for _, path, _ in host.asked), host.asked
    assert len(await members(alice, host.room)) == COUNT + 2


async def last_leave(host, user):
    leaves = [pdu for pdu in host.received if pdu.get("state_key") == user and pdu["content"]["membership"] == "leave"]
    return leaves[-1] if leaves else None


async def test_the_past_of_a_room_can_be_read_before_its_members_are_known(martlet, person, host):
    host = await host()
    host.opened.clear()
    told = [host.say(f"message {number}", host.member(number)) for number in range(12)]
    host.instead["backfill"] = lambda request: pages(host, request)
    alice = await person(martlet, "alice")
    await alice.join(host.room, via=[host.name])
    wanted = quote('{"lazy_load_members":true}')
    page = await alice.get(in_room(host.room, f"messages?dir=b&limit=10&filter={wanted}"), checked=False)
    texts = [e["content"]["body"] for e in page["chunk"] if e["type"] == "m.room.message"]
    assert texts == [f"message {number}" for number in range(11, 11 - len(texts), -1)] and len(texts) >= 9, page
    names = {e["state_key"] for e in page["state"]}
    assert names >= {e["sender"] for e in page["chunk"] if e["type"] == "m.room.message"}, page
    host.opened.set()
    assert len(await members(alice, host.room)) == COUNT + 2
    assert (await message_ids(alice, host.room))[:12] == [host.resident.id(event) for event in reversed(told)]


async def pages(host, request):
    limit = int(request.query["limit"])
    found, front = [], request.query.getall("v")
    while front and len(found) < limit:
        id = front.pop(0)
        event = host.resident.events.get(id)
        if event and event not in found:
            found.append(event)
            front += event["prev_events"]
    return web.json_response({"origin": host.name, "origin_server_ts": now(), "pdus": found})


async def test_a_server_that_leaves_nobody_out_hands_over_the_whole_room(martlet, person, host):
    host = await host(omits=False)
    alice = await person(martlet, "alice")
    since = (await alice.sync(checked=False))["next_batch"]
    await alice.join(host.room, via=[host.name])
    assert joined(await alice.sync(since, checked=False), host.room)
    assert len(await members(alice, host.room)) == COUNT + 2
    assert count(host, "state_ids") == 0


# Beside the real Synapse


async def crowd(server, person, room, size):
    people = [await person(server, "member") for _ in range(size)]
    for one in people:
        await one.join(room)
    return people


@pytest.mark.parametrize("version", ["9", "11", "12"])
async def test_a_room_of_synapse_is_the_same_here_when_its_members_have_come(martlet, synapse, person, version):
    bob = await person(synapse, "bob")
    room = await bob.create_room(preset="public_chat", room_version=version, name="Crowd")
    people = await crowd(synapse, person, room, 8)
    alice = await person(martlet, "alice")
    await alice.join(room, via=[synapse.name])
    said = [await alice.send(room, "hello"), await people[5].send(room, "hello yourself")]
    await becomes(bob, room, alice.user, "join")
    for client, other in [(alice, said[1]), (bob, said[0])]:
        await arrives(client, room, other)
    await agree(room, alice, bob)
    await same_messages(room, said, alice, bob)
    await people[2].leave(room)
    await becomes(alice, room, people[2].user, "leave")
    await agree(room, alice, bob)


async def test_two_of_this_server_come_into_a_room_of_synapse_at_once(martlet, synapse, person):
    bob = await person(synapse, "bob")
    room = await bob.create_room(preset="public_chat")
    await crowd(synapse, person, room, 5)
    alice, carol = await person(martlet, "alice"), await person(martlet, "carol")
    await asyncio.gather(alice.join(room, via=[synapse.name]), carol.join(room, via=[synapse.name]))
    await agree(room, alice, bob)
    assert await membership(bob, room, carol.user) == "join"
    said = await carol.send(room, "two of us")
    await arrives(bob, room, said)
    await arrives(alice, room, said)
    with pytest.raises(MatrixFailure):
        await carol.post(in_room(room, "kick"), {"user_id": bob.user})
