"""What a client asks of users and rooms of other servers: keys, profiles, aliases and room lists, with a partner that answers, lies and stalls."""

import asyncio
import time
from urllib.parse import quote

import pytest
from aiohttp import web

from homeserver import MatrixFailure
from partner import endless, slow
from test_federation_keys import town  # noqa: F401

CLIENT = "/_matrix/client/v3"
FEDERATION = "/_matrix/federation/v1"


def device_keys(user, device, key="AAAA"):
    return {"user_id": user, "device_id": device, "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": {f"ed25519:{device}": key, f"curve25519:{device}": key}, "signatures": {user: {f"ed25519:{device}": "c2ln"}}}


def answers(body, status=200):
    async def handler(request):
        return web.json_response(body, status=status)
    return handler


async def refused(call):
    with pytest.raises(MatrixFailure) as failure:
        await call
    return failure.value.status, failure.value.errcode


# Keys


async def test_keys_of_another_servers_user(town):  # noqa: F811
    server, partner = await town(), await town.partner()
    alice = await server.register("alice")
    rita, asked = f"@rita:{partner.name}", []

    async def query(request):
        asked.append((request.headers["Authorization"].split(" ")[0], await request.json()))
        return web.json_response({"device_keys": {
            rita: {"PHONE": {**device_keys(rita, "PHONE"), "unsigned": {"device_display_name": "Rita's phone"}},
                   "FALSE": device_keys(rita, "OTHER"), "WRONG": 5},
            alice.user: {"FAKE": device_keys(alice.user, "FAKE")}, f"@stranger:{partner.name}": {"X": device_keys(rita, "X")}}})

    partner.handlers[f"{FEDERATION}/user/keys/query"] = query
    answer = await alice.post(f"{CLIENT}/keys/query", {"device_keys": {rita: [], alice.user: []}})
    assert answer["device_keys"] == {alice.user: {}, rita: {
        "PHONE": {**device_keys(rita, "PHONE"), "unsigned": {"device_display_name": "Rita's phone"}}}}
    assert answer["failures"] == {}
    assert asked == [("X-Matrix", {"device_keys": {rita: []}})]
    await alice.close()


async def test_servers_that_do_not_answer_are_named_in_time(town):  # noqa: F811
    server = await town()
    alice = await server.register("alice")
    partners = {kind: await town.partner() for kind in ("good", "slow", "endless", "refusing", "senseless")}
    path = f"{FEDERATION}/user/keys/query"
    users = {kind: f"@u:{partner.name}" for kind, partner in partners.items()}
    partners["good"].handlers[path] = answers({"device_keys": {users["good"]: {"D": device_keys(users["good"], "D")}}})
    partners["slow"].handlers[path] = slow
    partners["endless"].handlers[path] = endless
    partners["refusing"].handlers[path] = answers({"errcode": "M_FORBIDDEN", "error": "no"}, 403)
    partners["senseless"].handlers[path] = answers([1, 2])
    begun = time.monotonic()
    gone = "@u:localhost:1"
    answer = await alice.post(f"{CLIENT}/keys/query", {"timeout": 2000, "device_keys": {user: [] for user in [*users.values(), gone]}})
    assert time.monotonic() - begun < 8
    assert set(answer["device_keys"]) - {users["senseless"]} == {users["good"]}
    failed = {partners[kind].name for kind in ("slow", "endless", "refusing", "senseless")} | {"localhost:1"}
    assert set(answer["failures"]) == failed
    # A server that is left alone for a while costs no time.
    begun = time.monotonic()
    answer = await alice.post(f"{CLIENT}/keys/query", {"device_keys": {gone: []}})
    assert set(answer["failures"]) == {"localhost:1"} and time.monotonic() - begun < 9
    await alice.close()


async def test_one_time_keys_of_another_servers_devices(town):  # noqa: F811
    server, partner = await town(), await town.partner()
    alice = await server.register("alice")
    rita = f"@rita:{partner.name}"
    key = {"key": "a2V5", "signatures": {rita: {"ed25519:PHONE": "c2ln"}}}
    asked = []

    async def claim(request):
        asked.append(await request.json())
        return web.json_response({"one_time_keys": {
            rita: {"PHONE": {"signed_curve25519:AAAA": key}, "LAPTOP": {"curve25519:X": "a2V5"}, "MORE": {"signed_curve25519:B": key}},
            alice.user: {"PHONE": {"signed_curve25519:AAAA": key}}}})

    partner.handlers[f"{FEDERATION}/user/keys/claim"] = claim
    wanted = {rita: {"PHONE": "signed_curve25519", "LAPTOP": "signed_curve25519"}, "@gone:localhost:1": {"X": "signed_curve25519"}}
    answer = await alice.post(f"{CLIENT}/keys/claim", {"one_time_keys": wanted, "timeout": 5000})
    assert answer["one_time_keys"] == {rita: {"PHONE": {"signed_curve25519:AAAA": key}}}
    assert list(answer["failures"]) == ["localhost:1"]
    assert asked == [{"one_time_keys": {rita: wanted[rita]}}]
    await alice.close()


async def test_other_servers_do_not_ask_through_us(town):  # noqa: F811
    server, partner, third = await town(), await town.partner(), await town.partner()
    rita = f"@rita:{third.name}"
    status, body = await partner.ask(server, "POST", f"{FEDERATION}/user/keys/query", content={"device_keys": {rita: []}})
    assert (status, body["device_keys"]) == (200, {}) or status == 400
    await partner.ask(server, "POST", f"{FEDERATION}/user/keys/claim", content={"one_time_keys": {rita: {"A": "signed_curve25519"}}})
    await partner.ask(server, "GET", f"{FEDERATION}/query/profile", {"user_id": rita})
    await partner.ask(server, "GET", f"{FEDERATION}/query/directory", {"room_alias": f"#a:{third.name}"})
    assert third.asked == []


# Profiles


async def test_profiles_of_other_servers_users(town):  # noqa: F811
    server, partner = await town(), await town.partner()
    alice = await server.register("alice")
    rita = f"@rita ä:{partner.name}"
    asked = []

    async def profile(request):
        asked.append(request.query["user_id"])
        return web.json_response({"displayname": "Rita", "avatar_url": f"mxc://{partner.name}/abc", "m.tz": "Europe/Rome"})

    partner.handlers[f"{FEDERATION}/query/profile"] = profile
    path = f"{CLIENT}/profile/{quote(rita, safe='')}"
    assert await alice.get(path) == {"displayname": "Rita", "avatar_url": f"mxc://{partner.name}/abc", "m.tz": "Europe/Rome"}
    assert await alice.get(path + "/displayname") == {"displayname": "Rita"}
    assert await alice.get(path + "/m.tz") == {"m.tz": "Europe/Rome"}
    assert await refused(alice.get(path + "/x.y")) == (404, "M_NOT_FOUND")
    assert asked == [rita]
    partner.handlers[f"{FEDERATION}/query/profile"] = answers({"errcode": "M_NOT_FOUND", "error": "nobody"}, 404)
    assert await refused(alice.get(f"{CLIENT}/profile/{quote('@nobody:' + partner.name)}")) == (404, "M_NOT_FOUND")
    assert (await refused(alice.put(path + "/displayname", {"displayname": "x"})))[0] in (400, 403)
    await alice.close()


async def test_profiles_are_shown_as_the_operator_wishes(town):  # noqa: F811
    partner = await town.partner()
    partner.handlers[f"{FEDERATION}/query/profile"] = answers({"displayname": "Rita"})
    rita = f"{CLIENT}/profile/{quote('@rita:' + partner.name)}"
    limited = await town(limit_profile_requests_to_users_who_share_rooms=True, require_auth_for_profile_requests=True)
    alice, bob = await limited.register("alice"), await limited.register("bob")
    assert await refused(alice.get(rita)) == (403, "M_FORBIDDEN")
    bobs = f"{CLIENT}/profile/{quote(bob.user)}/displayname"
    assert await refused(alice.get(bobs)) == (403, "M_FORBIDDEN")
    assert await bob.get(bobs) == {"displayname": "bob"}
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    assert await alice.get(bobs) == {"displayname": "bob"}
    assert partner.asked == []
    for client in (alice, bob):
        await client.close()
    closed = await town(federation_domain_whitelist=["somebody.example"])
    carol = await closed.register("carol")
    assert await refused(carol.get(rita)) == (403, "M_FORBIDDEN")
    assert await refused(carol.get(f"{CLIENT}/publicRooms?server={partner.name}")) == (403, "M_FORBIDDEN")
    assert partner.asked == []
    await carol.close()


# Aliases and room lists


async def test_aliases_of_other_servers(town):  # noqa: F811
    server, partner = await town(), await town.partner()
    alice = await server.register("alice")
    alias = f"#room/é:{partner.name}"
    known = {alias: {"room_id": f"!abc:{partner.name}", "servers": [partner.name, "third.example", "not a server", 5]}}

    async def directory(request):
        found = known.get(request.query["room_alias"])
        return web.json_response(found or {"errcode": "M_NOT_FOUND", "error": "?"}, status=200 if found else 404)

    partner.handlers[f"{FEDERATION}/query/directory"] = directory
    path = CLIENT + "/directory/room/"
    assert await alice.get(path + quote(alias, safe="")) == {
        "room_id": f"!abc:{partner.name}", "servers": [partner.name, "third.example"]}
    assert await refused(alice.get(path + quote(f"#other:{partner.name}", safe=""))) == (404, "M_NOT_FOUND")
    partner.handlers[f"{FEDERATION}/query/directory"] = answers({"errcode": "M_UNKNOWN", "error": "broken"}, 400)
    assert (await refused(alice.get(path + quote(alias, safe=""))))[0] == 502
    partner.handlers[f"{FEDERATION}/query/directory"] = directory
    # A canonical alias may be another server's if it names the room.
    room = await alice.create_room()
    assert await refused(alice.state(room, "m.room.canonical_alias", {"alt_aliases": [alias]})) == (400, "M_BAD_ALIAS")
    known[alias]["room_id"] = room
    await alice.state(room, "m.room.canonical_alias", {"alt_aliases": [alias]})
    await alice.close()


async def test_room_lists_of_other_servers(town):  # noqa: F811
    server, partner = await town(), await town.partner()
    alice = await server.register("alice")
    rooms = [{"room_id": f"!{name}:{partner.name}", "name": name, "num_joined_members": 2, "world_readable": False, "guest_can_join": True}
             for name in ("alpha", "beta")]
    asked = []

    async def listing(request):
        asked.append((request.method, dict(request.query), await request.json() if request.method == "POST" else None))
        if request.method == "POST" and not partner.searches:
            return web.json_response({"errcode": "M_UNRECOGNIZED"}, status=404)
        return web.json_response({"chunk": rooms + [{"room_id": 5}], "next_batch": "next", "total_room_count_estimate": 2})

    partner.searches = True
    partner.handlers[f"{FEDERATION}/publicRooms"] = listing
    path = f"{CLIENT}/publicRooms?server={quote(partner.name)}"
    answer = await alice.get(path + "&limit=10&since=abc")
    assert answer == {"chunk": rooms, "next_batch": "next", "total_room_count_estimate": 2}
    assert asked.pop() == ("GET", {"include_all_networks": "false", "limit": "10", "since": "abc"}, None)
    answer = await alice.post(path, {"limit": 5, "since": "def", "filter": {"generic_search_term": "ALPHA"}})
    assert answer["chunk"] == rooms
    assert asked.pop() == ("POST", {}, {"limit": 5, "since": "def", "include_all_networks": False, "filter": {"generic_search_term": "ALPHA"}})
    partner.searches = False
    answer = await alice.post(path, {"filter": {"generic_search_term": "ALPHA"}})
    assert [room["name"] for room in answer["chunk"]] == ["alpha"]
    partner.handlers[f"{FEDERATION}/publicRooms"] = answers({"chunk": {}})
    assert (await refused(alice.get(path)))[0] == 502
    for body in ({"limit": -1}, {"limit": "x"}, {"filter": []}):
        assert (await refused(alice.post(path, body)))[0] == 400
    assert (await refused(alice.get(f"{CLIENT}/publicRooms?server=not%20a%20name")))[0] == 400
    await alice.close()


async def test_many_questions_at_once_do_not_hold_up_the_others(town):  # noqa: F811
    server, partner = await town(), await town.partner()
    alice = await server.register("alice")
    partner.handlers[f"{FEDERATION}/user/keys/query"] = slow
    asking = [asyncio.create_task(alice.post(f"{CLIENT}/keys/query", {"timeout": 3000, "device_keys": {f"@u{n}:{partner.name}": []}}))
              for n in range(80)]
    await asyncio.sleep(0.5)
    begun = time.monotonic()
    await alice.get(f"{CLIENT}/account/whoami")
    assert time.monotonic() - begun < 2
    for answer in await asyncio.gather(*asking):
        assert list(answer["failures"]) == [partner.name]
    await alice.close()
