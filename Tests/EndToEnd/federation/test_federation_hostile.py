"""Servers that mean harm: nothing is accepted that should not be, memory stays bounded, and other rooms do not notice."""

import asyncio
import time
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from across import arrives, content, event, in_room, message_ids, state, until
from homeserver import MatrixFailure
from partner import endless, slow
from visitor import FEDERATION, Town, Visitor, missing, now

# Of what a server is made to keep in memory by one request. Bytes.
MEMORY = 64 << 20


@pytest_asyncio.fixture
async def town(authority):
    """await town() -> another server."""
    made = []

    async def start():
        one = await Town(authority, host="127.0.0.4", names=("127.0.0.4",)).start()
        one.name = f"127.0.0.4:{one.port}"
        made.append(one)
        return one

    yield start
    for one in made:
        await one.stop()


class Asked:
    """The server under test where a partner asks it: at the port for servers."""

    def __init__(self, server):
        self.name, self.base = server.name, f"https://{server.name}"


@pytest_asyncio.fixture
async def visit(martlet, person, town, authority):
    """await visit(version) -> alice of Martlet with a public room, and a visitor in it."""
    import ssl
    context = ssl.create_default_context(cafile=str(authority.path))

    async def start(version="10", partner=None, **options):
        alice = await person(martlet, "alice")
        room = await alice.create_room(preset="public_chat", room_version=version, **options)
        partner = partner or await town()
        if partner.session is None:
            partner.session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=120), connector=aiohttp.TCPConnector(ssl=context))
        visitor = Visitor(partner, Asked(martlet), room, version)
        return alice, await visitor.join()

    return start


def resident(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


async def unseen(client, room, id):
    status, _, body = await client.raw("GET", in_room(room, f"event/{quote(id, safe='')}"))
    assert status == 404, (status, body)


async def still_well(alice, visitor):
    """What is right still goes through, both ways."""
    good = visitor.event(content={"msgtype": "m.text", "body": "all is well"})
    answer = await visitor.send(good)
    assert answer[visitor.id(good)] == {}, answer
    await arrives(alice, visitor.room, visitor.id(good))
    await alice.send(visitor.room, "indeed")
    assert visitor.id(good) in await message_ids(alice, visitor.room)


async def refused(alice, visitor, *pdus):
    """None of the events is let in, and nothing of the state changes."""
    before = await state(alice, visitor.room)
    await visitor.send(*pdus)
    await still_well(alice, visitor)
    for pdu in pdus:
        await unseen(alice, visitor.room, visitor.id(pdu))
    assert await state(alice, visitor.room) == before


# Signatures and hashes


async def test_events_without_the_right_signature(visit):
    alice, visitor = await visit()
    stranger = Ed25519PrivateKey.generate()
    right = visitor.event(follows=False)
    wrong = [
        {**right, "signatures": {}},
        visitor.complete(right, key=stranger),
        visitor.complete(right, name="elsewhere.example"),
        {**right, "signatures": {visitor.partner.name: {"ed25519:other": "x" * 86}}},
        {**right, "origin_server_ts": right["origin_server_ts"] + 1},
        visitor.event(sender=alice.user, follows=False),
        visitor.event(sender="@somebody:elsewhere.example", follows=False),
    ]
    await refused(alice, visitor, *wrong)


async def test_an_event_with_another_content_than_was_hashed_is_redacted(visit):
    alice, visitor = await visit()
    sent = visitor.event(content={"msgtype": "m.text", "body": "as hashed"})
    changed = {**sent, "content": {"msgtype": "m.text", "body": "as changed"}}
    await visitor.send(changed)
    found = await arrives(alice, visitor.room, visitor.id(sent))
    assert found["content"] == {}
    await still_well(alice, visitor)


# Rooms


async def test_events_for_rooms_where_the_server_is_not(visit, person, martlet):
    alice, visitor = await visit()
    other = await alice.create_room(preset="public_chat", room_version="10")
    message = await alice.send(other, "private talk")
    for pdu in [visitor.event(room_id=other, follows=False), visitor.event(room_id="!nowhere:" + martlet.name, follows=False),
                visitor.event(room_id=other, prev_events=[message], follows=False)]:
        await visitor.send(pdu)
        await still_well(alice, visitor)
        await unseen(alice, other, visitor.id(pdu))
    assert await message_ids(alice, other) == [message]


async def test_an_event_does_not_reach_into_another_room(visit, town):
    partner = await town()
    alice, first = await visit(partner=partner)
    _, second = await visit(partner=partner)
    # It stands on what authorizes its sender in the other room.
    foreign = first.event(room_id=first.room, auth_events=[second.state[k] for k in [
        ("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.member", second.user)]], follows=False)
    await refused(alice, first, foreign)
    stranger = first.event(sender=second.user, follows=False, auth_events=[
        first.state["m.room.create", ""], first.state["m.room.power_levels", ""], second.state["m.room.member", second.user]])
    await refused(alice, first, stranger)


# The graph


async def test_auth_events_that_are_not_there(visit):
    alice, visitor = await visit()
    right = visitor.event(follows=False)
    nowhere = "$" + "A" * 43
    await refused(alice, visitor, visitor.event(auth_events=right["auth_events"] + [nowhere], follows=False))
    await refused(alice, visitor, visitor.event(auth_events=[nowhere], follows=False))
    await refused(alice, visitor, visitor.event(auth_events=[], follows=False))


async def test_auth_events_that_form_a_loop(visit):
    """Only where servers choose the IDs of events can there be one."""
    alice, visitor = await visit("1")
    first, second = f"$loop1-{now()}:{visitor.partner.name}", f"$loop2-{now()}:{visitor.partner.name}"
    right = visitor.event(follows=False)
    one = visitor.event(event_id=first, auth_events=right["auth_events"] + visitor.links([second]), follows=False)
    two = visitor.event(event_id=second, auth_events=right["auth_events"] + visitor.links([first]), follows=False)
    own = visitor.event(event_id=f"$own-{now()}:{visitor.partner.name}", follows=False,
                        auth_events=right["auth_events"] + visitor.links([f"$own-{now()}:{visitor.partner.name}"]))

    async def chain(request):
        return web.json_response({"auth_chain": [one, two, own] + [visitor.events[id] for id in visitor.state.values()]})

    visitor.partner.instead["event_auth"] = chain
    begun = time.monotonic()
    await visitor.send(one, two, own)
    assert time.monotonic() - begun < 30
    await still_well(alice, visitor)


async def test_previous_events_that_form_a_loop(visit):
    alice, visitor = await visit("1")
    first, second = f"$loop1-{now()}:{visitor.partner.name}", f"$loop2-{now()}:{visitor.partner.name}"
    visitor.event(event_id=first, prev_events=visitor.links([second]), follows=False)
    last = visitor.event(event_id=second, prev_events=visitor.links([first]), follows=False)
    begun = time.monotonic()
    await visitor.send(last)
    assert time.monotonic() - begun < 30
    await still_well(alice, visitor)


@pytest.mark.parametrize("which", ["prev_events", "auth_events"])
async def test_ten_thousand_links(visit, martlet, which):
    alice, visitor = await visit()
    many = [f"$made-up-{number:032d}" for number in range(10_000)]
    before = resident(martlet)
    begun = time.monotonic()
    await refused(alice, visitor, visitor.event(**{which: many}, follows=False))
    assert time.monotonic() - begun < 10 and resident(martlet) - before < MEMORY
    assert len(visitor.partner.asked) < 50


async def test_depths_beyond_measure(visit):
    alice, visitor = await visit()
    for depth in (2**53, 2**63 - 1, 2**63, 10**40, -1, 1.5, "1", None, True):
        await refused(alice, visitor, visitor.event(depth=depth, follows=False))
    # The greatest that there may be does not end the room.
    deep = visitor.event(depth=2**53 - 1, follows=False)
    await visitor.send(deep)
    for number in range(3):
        sent = await alice.send(visitor.room, f"after {number}")
        await arrives(alice, visitor.room, sent)
    last = visitor.event()
    await visitor.send(last)
    await arrives(alice, visitor.room, visitor.id(last))


async def test_a_past_that_nobody_has(visit, martlet):
    """Each event names previous ones that are not to be had: asked for a few times, not for ever."""
    alice, visitor = await visit()
    before = resident(martlet)
    for number in range(5):
        dangling = visitor.event(prev_events=[f"$gone-{number}-{k:036d}" for k in range(20)], follows=False, depth=visitor.depth + 5)
        await visitor.send(dangling)
    assert len(visitor.partner.asked) < 300, len(visitor.partner.asked)
    assert resident(martlet) - before < MEMORY
    await still_well(alice, visitor)


async def test_answers_full_of_rubbish(visit, martlet):
    alice, visitor = await visit()
    rubbish = [None, 1, "x", [], {}, {"type": "m.room.message"}, {**visitor.event(follows=False), "sender": 5}]

    async def events(request):
        return web.json_response({"events": rubbish * 300, "pdus": rubbish * 300, "auth_chain": rubbish * 300,
                                  "pdu_ids": ["$x", 1, None] * 300, "auth_chain_ids": ["$y", {}] * 300})

    for name in ("get_missing_events", "state_ids", "state", "event_auth", "event"):
        visitor.partner.instead[name] = events
    await visitor.send(visitor.event(prev_events=["$" + "B" * 43], follows=False))
    for name in ("get_missing_events", "state_ids", "state", "event_auth", "event"):
        del visitor.partner.instead[name]
    await still_well(alice, visitor)


# Rules


async def test_what_the_rules_forbid(visit):
    alice, visitor = await visit()
    levels = visitor.events[visitor.state["m.room.power_levels", ""]]["content"]
    forbidden = [
        visitor.event("m.room.power_levels", {**levels, "users": {visitor.user: 100}}, "", follows=False),
        visitor.event("m.room.topic", {"topic": "taken over"}, "", follows=False),
        visitor.event("m.room.create", {"creator": visitor.user, "room_version": "10"}, "", follows=False),
        visitor.event("m.room.member", {"membership": "ban"}, alice.user, follows=False),
        visitor.event("m.room.member", {"membership": "join"}, alice.user, follows=False),
        visitor.event("m.room.member", {"membership": "invite"}, f"@other:{visitor.partner.name}", sender=f"@ghost:{visitor.partner.name}",
                      follows=False),
        visitor.event(sender=f"@ghost:{visitor.partner.name}", follows=False),
    ]
    for pdu in forbidden:
        await refused(alice, visitor, pdu)


async def test_who_is_banned_says_nothing_any_more(visit):
    alice, visitor = await visit()
    fork, depth = list(visitor.latest), visitor.depth
    await alice.post(in_room(visitor.room, "ban"), {"user_id": visitor.user})
    # As if it had been said before the ban: allowed where it stands in the graph, and shown to nobody.
    late = visitor.event(prev_events=visitor.links(fork), depth=depth + 1, content={"msgtype": "m.text", "body": "from the past"})
    await visitor.send(late)
    after = await alice.send(visitor.room, "quiet here")
    assert await message_ids(alice, visitor.room) == [after]
    await unseen(alice, visitor.room, visitor.id(late))
    path = f"{quote(visitor.room, safe='')}/{quote(visitor.user, safe='')}"
    assert (await visitor.get(f"/v1/make_join/{path}", {"ver": "10"}))[0] == 403


async def test_sizes(visit):
    alice, visitor = await visit()
    for pdu in [visitor.event(content={"body": "x" * 66_000}, follows=False), visitor.event("t" * 300, {}, follows=False),
                visitor.event("m.room.topic", {}, "k" * 300, follows=False)]:
        await refused(alice, visitor, pdu)


async def test_json_that_is_no_canonical_json(visit):
    alice, visitor = await visit()
    deep = {}
    for _ in range(150):
        deep = {"a": deep}
    for bad in ({"n": 1.5}, {"n": 2**60}, deep):
        await refused(alice, visitor, visitor.event(content=bad, follows=False))


# Transactions


async def test_a_transaction_holds_so_much_and_no_more(visit):
    alice, visitor = await visit()
    for pdus, edus in [(51, 0), (0, 101)]:
        body = {"origin": visitor.partner.name, "origin_server_ts": now(),
                "pdus": [visitor.event(follows=False, origin_server_ts=number) for number in range(pdus)],
                "edus": [{"edu_type": "m.typing", "content": {}}] * edus}
        status, answer = await visitor.partner.ask(visitor.server, "PUT", f"{FEDERATION}/v1/send/many{pdus}", content=body)
        assert status == 400, answer
    await still_well(alice, visitor)


async def test_a_transaction_that_comes_again_is_answered_as_before(visit):
    alice, visitor = await visit()
    sent = visitor.event()
    answers = [await visitor.send(sent, transaction=f"twice{sent['origin_server_ts']}") for _ in range(2)]
    assert answers[0] == answers[1] == {visitor.id(sent): {}}
    await visitor.send(sent, sent)
    await arrives(alice, visitor.room, visitor.id(sent))
    assert await message_ids(alice, visitor.room) == [visitor.id(sent)]


@pytest.mark.parametrize("body", [[], 5, {}, {"pdus": {}}, {"pdus": [], "edus": {}}, {"pdus": [None, 3, "x", []], "edus": [None, 3, "x", []]},
                                  {"pdus": [{}], "edus": [{"edu_type": 5}, {"edu_type": "m.typing"}, {"edu_type": "m.receipt", "content": 7}]}])
async def test_bodies_of_another_shape(visit, body):
    alice, visitor = await visit()
    status, answer = await visitor.partner.ask(visitor.server, "PUT", f"{FEDERATION}/v1/send/shape{now()}", content=body)
    assert status in (200, 400), answer
    await still_well(alice, visitor)


# Time and memory


@pytest.mark.parametrize("endpoint", ["get_missing_events", "state_ids", "state", "event_auth", "event"])
async def test_answers_without_an_end_cost_little_and_hold_up_nobody(visit, martlet, endpoint):
    alice, visitor = await visit()
    other_alice, other = await visit()
    visitor.partner.instead[endpoint] = endless
    if endpoint in ("state", "event"):
        # They are asked for what a state consists of that is not known.
        many = 100 if endpoint == "state" else 5

        async def ids(request):
            return web.json_response({"pdu_ids": ["$" + f"{number:043d}" for number in range(many)], "auth_chain_ids": []})

        visitor.partner.instead["state_ids"] = ids
    before = resident(martlet)
    if endpoint == "event_auth":
        sent = visitor.event(auth_events=["$" + "C" * 43], follows=False)
    else:
        # A state is asked for at what comes before the events of a gap, not before what is sent.
        between = visitor.event(prev_events=["$" + "B" * 43], follows=False)
        sent = visitor.event(prev_events=[visitor.id(between)], follows=False)
    hanging = asyncio.create_task(visitor.send(sent))
    await asyncio.sleep(0.3)
    begun = time.monotonic()
    await still_well(other_alice, other)
    assert time.monotonic() - begun < 5
    await asyncio.wait([hanging], timeout=60)
    assert hanging.done(), "it never ends"
    assert any(f"/v1/{endpoint}/" in path for _, path, _ in visitor.partner.asked), visitor.partner.asked
    # The answer of a state may be large; the others may not.
    assert resident(martlet) - before < (4 * MEMORY if endpoint in ("state", "state_ids", "event_auth") else 2 * MEMORY)
    visitor.partner.instead.clear()
    await still_well(alice, visitor)


async def test_answers_that_come_a_byte_at_a_time(visit):
    alice, visitor = await visit()
    other_alice, other = await visit()
    visitor.partner.instead["get_missing_events"] = visitor.partner.instead["state_ids"] = slow
    hanging = asyncio.create_task(visitor.send(visitor.event(prev_events=["$" + "B" * 43], follows=False)))
    await asyncio.sleep(0.3)
    begun = time.monotonic()
    await still_well(other_alice, other)
    assert time.monotonic() - begun < 5
    await asyncio.wait([hanging], timeout=90)
    assert hanging.done(), "it never ends"
    visitor.partner.instead.clear()
    await still_well(alice, visitor)


async def test_requests_that_come_a_byte_at_a_time(visit, martlet, authority):
    import ssl
    alice, visitor = await visit()
    host, port = martlet.name.split(":")
    context = ssl.create_default_context(cafile=str(authority.path))
    lines = [await asyncio.open_connection(host, int(port), ssl=context) for _ in range(50)]
    for _, writer in lines:
        writer.write(b"PUT /_matrix/federation/v1/send/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n{")
    before = resident(martlet)
    for _ in range(20):
        for _, writer in lines:
            if not writer.is_closing():
                writer.write(b" ")
        await asyncio.sleep(0.05)
    await still_well(alice, visitor)
    assert resident(martlet) - before < MEMORY
    for _, writer in lines:
        writer.close()


@pytest.mark.parametrize("is_signed", [True, False])
async def test_requests_without_an_end(visit, martlet, is_signed):
    alice, visitor = await visit()
    path, sent, enough = f"{FEDERATION}/v1/send/endless", 0, 512 << 20

    async def body():
        nonlocal sent
        yield b'{"pdus":['
        while sent < enough:
            sent += 65536
            yield b" " * 65536

    headers = {"Authorization": visitor.partner.authorization("PUT", path, martlet.name, {})} if is_signed else {}
    before = resident(martlet)
    try:
        async with visitor.partner.session.put(f"{visitor.server.base}{path}", data=body(), headers=headers) as answer:
            assert answer.status in (401, 413), answer
    except (aiohttp.ClientError, ConnectionError):
        # The server has hung up.
        pass
    assert sent < enough and resident(martlet) - before < MEMORY
    await still_well(alice, visitor)


async def test_a_redirect_of_a_request_leads_nowhere(visit, town):
    alice, visitor = await visit()
    inside = await town()

    async def away(request):
        raise web.HTTPTemporaryRedirect(f"https://{inside.name}{request.path_qs}")

    for endpoint in ("get_missing_events", "state_ids", "event_auth", "event", "state"):
        visitor.partner.instead[endpoint] = away
    await visitor.send(visitor.event(prev_events=["$" + "B" * 43], follows=False))
    assert inside.asked == []
    visitor.partner.instead.clear()
    await still_well(alice, visitor)


# What others may read


async def test_who_is_not_in_a_room_reads_nothing_of_it(visit, town, martlet, authority):
    alice, visitor = await visit()
    room = await alice.create_room(preset="private_chat", room_version="10")
    secret = await alice.send(room, "secret")
    path = quote(room, safe="")
    for status, url, query in [
        (403, f"/v1/event/{quote(secret, safe='')}", None), (403, f"/v1/state/{path}", {"event_id": secret}),
        (403, f"/v1/state_ids/{path}", {"event_id": secret}), (403, f"/v1/event_auth/{path}/{quote(secret, safe='')}", None),
        (403, f"/v1/backfill/{path}", {"v": secret, "limit": "10"}), (403, f"/v1/timestamp_to_event/{path}", {"ts": "0", "dir": "f"}),
        (403, f"/v1/make_join/{path}/{quote(visitor.user, safe='')}", {"ver": "10"}), (404, f"/v1/hierarchy/{path}", None),
        (403, f"/v1/make_knock/{path}/{quote(visitor.user, safe='')}", {"ver": "10"}),
        (403, f"/v1/make_leave/{path}/{quote(visitor.user, safe='')}", None),
    ]:
        found, answer = await visitor.get(url, query)
        assert found == status and "secret" not in str(answer), (url, found, answer)
    found, answer = await visitor.partner.ask(
        visitor.server, "POST", f"{FEDERATION}/v1/get_missing_events/{path}", content={"earliest_events": [], "latest_events": [secret]})
    assert found == 403, answer
    # Nor by way of a room where it is.
    here = quote(visitor.room, safe="")
    for url, query in [(f"/v1/state/{here}", {"event_id": secret}), (f"/v1/state_ids/{here}", {"event_id": secret}),
                       (f"/v1/event_auth/{here}/{quote(secret, safe='')}", None)]:
        assert (await visitor.get(url, query))[0] == 404
    assert (await visitor.get(f"/v1/backfill/{here}", {"v": secret, "limit": "10"}))[1]["pdus"] == []


async def test_a_room_can_shut_a_server_out(visit):
    alice, visitor = await visit()
    message = await alice.send(visitor.room, "before")
    await alice.state(visitor.room, "m.room.server_acl", {"allow": ["*"], "deny": ["127.0.0.4"], "allow_ip_literals": True})
    path, user = quote(visitor.room, safe=""), quote(visitor.user, safe="")
    for url, query in [
        (f"/v1/state/{path}", {"event_id": message}), (f"/v1/state_ids/{path}", {"event_id": message}),
        (f"/v1/event_auth/{path}/{quote(message, safe='')}", None), (f"/v1/backfill/{path}", {"v": message, "limit": "10"}),
        (f"/v1/make_join/{path}/{user}", {"ver": "10"}), (f"/v1/make_leave/{path}/{user}", None),
        (f"/v1/make_knock/{path}/{user}", {"ver": "10"}),
    ]:
        status, answer = await visitor.get(url, query)
        assert (status, answer["errcode"]) == (403, "M_FORBIDDEN"), (url, answer)
    shut_out = visitor.event(content={"body": "let me in"})
    answer = await visitor.send(shut_out)
    assert answer[visitor.id(shut_out)]["error"]
    await unseen(alice, visitor.room, visitor.id(shut_out))
