"""Each `rc_…` option on each endpoint that it limits: what is refused, for how long, and whom it does not concern. Limits are in memory."""

import json

import pytest
from aiohttp import web

from homeserver import OUT_OF_THE_WAY, Client, Homeserver
from partner import Authority, Partner
from synapse import federated

V3, V1 = "/_matrix/client/v3", "/_matrix/client/v1"
TWICE = {"per_second": 0.001, "burst_count": 2}
TEXT = {"msgtype": "m.text", "body": "x"}
REASON = {"reason": "odd"}

# What may be done twice: option -> {name: (the number of the attempt, the own room's path, the own id, an event) -> method, path, body}.
MESSAGES = {
    "message": lambda n, room, user, event: ("PUT", f"{room}/send/m.room.message/t{n}", TEXT),
    "state": lambda n, room, user, event: ("PUT", f"{room}/state/org.example/", {"n": n}),
    "redaction": lambda n, room, user, event: ("PUT", f"{room}/redact/{event}/r{n}", {}),
    "redaction as a message": lambda n, room, user, event: ("PUT", f"{room}/send/m.room.redaction/s{n}", {"redacts": event}),
    "invite": lambda n, room, user, event: ("POST", f"{room}/invite", {"user_id": f"@friend{n}:test.example"}),
    "ban": lambda n, room, user, event: ("POST", f"{room}/ban", {"user_id": f"@foe{n}:test.example"}),
    "own member event": lambda n, room, user, event: (
        "PUT", f"{room}/state/m.room.member/{user}", {"membership": "join", "displayname": f"n{n}"}),
    "display name": lambda n, room, user, event: ("PUT", f"{V3}/profile/{user}/displayname", {"displayname": f"n{n}"}),
    "display name taken away": lambda n, room, user, event: ("DELETE", f"{V3}/profile/{user}/displayname", None),
    "avatar": lambda n, room, user, event: ("PUT", f"{V3}/profile/{user}/avatar_url", {"avatar_url": f"mxc://x/{n}"}),
    "room": lambda n, room, user, event: ("POST", f"{V3}/createRoom", {}),
}
OTHERS = {
    "rc_invites.per_room": {"invite": MESSAGES["invite"]}, "rc_invites.per_issuer": {"invite": MESSAGES["invite"]},
    "rc_room_creation": {"room": MESSAGES["room"]},
    "rc_user_directory": {"search": lambda n, room, user, event: ("POST", f"{V3}/user_directory/search", {"search_term": "bob"})},
    "rc_reports": {
        "event": lambda n, room, user, event: ("POST", f"{room}/report/{event}", REASON),
        "room": lambda n, room, user, event: ("POST", f"{room}/report", REASON),
        "user": lambda n, room, user, event: ("POST", f"{V3}/users/{user}/report", REASON)},
    "rc_media_create": {"address of an upload": lambda n, room, user, event: ("POST", "/_matrix/media/v1/create", {})},
    "rc_presence.per_user": {"presence": lambda n, room, user, event: ("PUT", f"{V3}/presence/{user}/status", {"presence": "online"})},
}
CASES = [("rc_message", name, attempt) for name, attempt in MESSAGES.items()] + [
    (option, name, attempt) for option, attempts in OTHERS.items() for name, attempt in attempts.items()]


def options(name, value):
    """{"rc_invites": {"per_room": value, …the rest out of the way}} of "rc_invites.per_room"."""
    section, _, part = name.partition(".")
    if not part:
        return {section: value}
    parts = {"rc_invites": ("per_room", "per_user", "per_issuer"), "rc_joins": ("local", "remote"),
             "rc_login": ("address", "account", "failed_attempts"), "rc_presence": ("per_user",)}[section]
    return {section: {each: value if each == part else OUT_OF_THE_WAY for each in parts}}


async def refused_for_long(client, method, path, body=None):
    status, headers, content = await client.raw(method, path, body)
    answer = json.loads(content)
    assert (status, answer["errcode"]) == (429, "M_LIMIT_EXCEEDED"), content
    assert 0 < int(headers["Retry-After"]) <= 3600 and answer["retry_after_ms"] > 0
    return answer


@pytest.mark.parametrize("option, name, attempt", CASES, ids=[f"{option}: {name}" for option, name, _ in CASES])
async def test_what_users_do(started, option, name, attempt):
    # The limit begins when the room is there: with a restart, which empties the buckets.
    server = await started()
    alice, bob, admin = await server.register("alice"), await server.register("bob"), await server.register("admin", admin=True)
    room = {client: await client.create_room(name="a room") for client in (alice, bob)}
    said = {client: await client.send(room[client], "hello") for client in (alice, bob)}
    await server.stop()
    server.write_config(**options(option, TWICE))
    await server.start()

    def call(client, n):
        return client.raw(*attempt(n, client.room(room[client]), client.user, said[client]))

    assert [(await call(alice, n))[0] for n in range(2)] == [200, 200]
    await refused_for_long(alice, *attempt(2, alice.room(room[alice]), alice.user, said[alice]))
    assert (await call(bob, 10))[0] == 200
    override = f"/_synapse/admin/v1/users/{alice.user}/override_ratelimit"
    await admin.post(override, {"messages_per_second": 0, "burst_count": 0})
    assert [(await call(alice, n))[0] for n in range(3, 6)] == [200, 200, 200]
    for client in (alice, bob, admin):
        await client.close()


async def test_joins_and_invites_of_one_user(started):
    server = await started(**options("rc_joins.local", TWICE), **options("rc_invites.per_user", TWICE))
    alice, bob = await server.register("alice"), await server.register("bob")
    rooms = [await alice.create_room(preset="public_chat") for _ in range(3)]
    for room in rooms[:2]:
        await bob.join(room)
    # Who is there already comes in as often as they like.
    await bob.join(rooms[0])
    for path in (f"{V3}/join/{rooms[2]}", f"{V3}/rooms/{rooms[2]}/join"):
        await refused_for_long(bob, "POST", path, {})
    await refused_for_long(bob, "PUT", f"{V3}/rooms/{rooms[2]}/state/m.room.member/{bob.user}", {"membership": "join"})
    for number in range(2):
        await alice.invite(await alice.create_room(), bob.user)
    await refused_for_long(alice, "POST", f"{V3}/rooms/{await alice.create_room()}/invite", {"user_id": bob.user})
    for client in (alice, bob):
        await client.close()


async def test_joins_through_other_servers(tmp_path):
    authority = Authority(tmp_path / "authority")
    one, other = servers = [
        federated(Homeserver, tmp_path / name, "sqlite", authority, address, rc_joins={"local": OUT_OF_THE_WAY, "remote": TWICE})
        for name, address in (("one", "127.0.0.2"), ("other", "127.0.0.3"))]
    try:
        for server in servers:
            await server.start()
        alice, bob, carol = await one.register("alice"), await other.register("bob"), await other.register("carol")
        rooms = [await alice.create_room(preset="public_chat") for _ in range(3)]
        for room in rooms[:2]:
            await bob.join(room, via=[one.name])
        for path in (f"{V3}/join/{rooms[2]}", f"{V3}/rooms/{rooms[2]}/join"):
            await refused_for_long(bob, "POST", f"{path}?via={one.name}&server_name={one.name}", {})
        # What is here already is no concern of other servers: rooms of this one, and those into which somebody else has come.
        await bob.join(await carol.create_room(preset="public_chat"))
        await carol.join(rooms[2], via=[one.name])
        await bob.join(rooms[2], via=[one.name])
        for client in (alice, bob, carol):
            await client.close()
    finally:
        for server in servers:
            await server.destroy()
            server.cable.end()


async def test_invites_by_address(started, tmp_path):
    """Those that an identity server keeps, those that it finds, and those of a new room count together, before it is asked."""
    partner = await Partner(Authority(tmp_path / "authority")).start()
    kept = []

    async def hashes(request):
        return web.json_response({"algorithms": ["none"], "lookup_pepper": "p"})

    async def lookup(request):
        known = {"bob@example.org email": bob.user}
        return web.json_response({"mappings": {address: known[address] for address in (await request.json())["addresses"] if address in known}})

    async def keep(request):
        kept.append((await request.json())["address"])
        return web.json_response({"token": f"t{len(kept)}", "display_name": "x...", "public_keys": [
            {"public_key": "key", "key_validity_url": f"https://{partner.name}/_matrix/identity/v2/pubkey/isvalid"}], "public_key": "key"})

    partner.handlers |= {"/_matrix/identity/v2/hash_details": hashes, "/_matrix/identity/v2/lookup": lookup,
                         "/_matrix/identity/v2/store-invite": keep}
    server = await started(rc_third_party_invite=TWICE, ip_range_blacklist=[], use_insecure_ssl_client_just_for_testing_do_not_use=True)
    alice, bob, carol = [await server.register(name) for name in ("alice", "bob", "carol")]
    room, hers = await alice.create_room(), await carol.create_room()

    def address(name):
        return {"medium": "email", "address": f"{name}@example.org", "id_server": partner.name, "id_access_token": "t0ken"}

    await alice.post(f"{alice.room(room)}/invite", address("dave"))
    await alice.post(f"{alice.room(room)}/invite", address("bob"))
    assert room in (await bob.sync())["rooms"]["invite"]
    asked = len(partner.asked)
    await refused_for_long(alice, "POST", f"{alice.room(room)}/invite", address("erin"))
    await refused_for_long(alice, "POST", f"{V3}/createRoom", {"invite_3pid": [address("erin")]})
    assert len(partner.asked) == asked and kept == ["dave@example.org"]
    # That does not keep her from inviting whom she knows, nor others from anything.
    await alice.invite(room, carol.user)
    await carol.post(f"{carol.room(hers)}/invite", address("frank"))
    assert kept == ["dave@example.org", "frank@example.org"]
    for client in (alice, bob, carol):
        await client.close()
    await partner.stop()


async def test_requests_for_keys(started):
    """What is too much is left out, and nobody is told; other messages, other devices and one's own devices are not concerned."""
    server = await started(rc_key_requests=TWICE)
    alice, bob, carol = [await server.register(name) for name in ("alice", "bob", "carol")]
    login = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}, "password": alice.password}
    answer = await alice.post(V3 + "/login", login)
    second = Client(server, answer["access_token"], alice.user, answer["device_id"], alice.password)
    number = iter(range(100))

    async def tell(client, kind, *users):
        content = {"request_id": str(next(number))}
        await client.put(f"{V3}/sendToDevice/{kind}/t{content['request_id']}", {"messages": {user.user: {"*": content} for user in users}})
        return content["request_id"]

    async def told(client):
        events = (await client.sync()).get("to_device", {"events": []})["events"]
        return [(event["type"], event["content"]["request_id"]) for event in events]

    request = "m.room_key_request"
    sent = [(request, await tell(alice, request, bob)) for _ in range(2)]
    for _ in range(2):
        await tell(alice, request, bob, carol)
    sent.append(("org.example", await tell(alice, "org.example", bob)))
    sent.append((request, await tell(second, request, bob)))
    sent.append((request, await tell(carol, request, bob)))
    assert await told(bob) == sent
    assert await told(carol) == []
    own = [(request, await tell(alice, request, alice)) for _ in range(3)]
    assert await told(second) == own
    for client in (alice, second, bob, carol):
        await client.close()


async def test_joins_of_one_room(started):
    server = await started(rc_joins_per_room=TWICE)
    alice, *others = [await server.register(name) for name in ("alice", "bob", "carol", "dave")]
    room = await alice.create_room(preset="public_chat")
    answers = [(await client.raw("POST", f"{V3}/join/{room}", {}))[0] for client in others]
    # The one who made it came in as well.
    assert answers.count(429) in (1, 2) and answers[-1] == 429
    await others[-1].join(await alice.create_room(preset="public_chat"))
    for client in (alice, *others):
        await client.close()


async def test_redactions_of_moderators_count_apart(started):
    server = await started(rc_message=TWICE, rc_admin_redaction={"per_second": 0.001, "burst_count": 3})
    alice, bob, admin = await server.register("alice"), await server.register("bob"), await server.register("admin", admin=True)
    await admin.post(f"/_synapse/admin/v1/users/{alice.user}/override_ratelimit", {"messages_per_second": 0, "burst_count": 0})
    room = await alice.create_room(preset="public_chat", power_level_content_override={"users": {bob.user: 50}})
    said = [await alice.send(room, str(n)) for n in range(4)]
    await bob.join(room)
    own = await bob.send(room, "the second message, after the join")
    for number, event in enumerate(said[:3]):
        await bob.put(f"{bob.room(room)}/redact/{event}/r{number}")
    await refused_for_long(bob, "PUT", f"{bob.room(room)}/redact/{said[3]}/r3", {})
    await refused_for_long(bob, "PUT", f"{bob.room(room)}/redact/{own}/r4", {})
    for client in (alice, bob, admin):
        await client.close()


async def test_before_there_is_an_account(started):
    server = await started(rc_registration=TWICE, rc_registration_token_validity=TWICE, allow_guest_access=True)
    anonymous = Client(server)

    def dummy(name):
        return {"username": name, "password": "a secret", "auth": {"type": "m.login.dummy"}}

    for name in ("alice", "bob"):
        await anonymous.post(V3 + "/register", dummy(name))
    await refused_for_long(anonymous, "POST", V3 + "/register", dummy("carol"))
    await refused_for_long(anonymous, "POST", V3 + "/register?kind=guest", {})
    # That does not keep an administrator from making accounts.
    await (await server.register("dave")).close()
    validity = V1 + "/register/m.login.registration_token/validity?token=guess"
    for _ in range(2):
        await anonymous.get(validity)
    await refused_for_long(anonymous, "GET", validity)
    await anonymous.close()


@pytest.mark.parametrize("part", ["address", "account", "failed_attempts"])
async def test_logins(started, part):
    server = await started(**options("rc_login." + part, TWICE))
    alice, bob, anonymous = await server.register("alice"), await server.register("bob"), Client(server)

    def login(client, password=None):
        return {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": client.user}, "password": password or client.password}

    for _ in range(2):
        status, _, _ = await anonymous.raw("POST", V3 + "/login", login(alice, "wrong" if part == "failed_attempts" else None))
        assert status == (403 if part == "failed_attempts" else 200)
    await refused_for_long(anonymous, "POST", V3 + "/login", login(alice))
    status, _, _ = await anonymous.raw("POST", V3 + "/login", login(bob))
    assert status == (429 if part == "address" else 200)
    for client in (alice, bob, anonymous):
        await client.close()
