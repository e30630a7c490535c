"""The endpoints that chatting needs, behaviour by behaviour."""

import asyncio
import json

import pytest

from homeserver import Client, MatrixFailure

V3 = "/_matrix/client/v3"


async def refused(awaitable, status, errcode):
    with pytest.raises(MatrixFailure) as failure:
        await awaitable
    assert (failure.value.status, failure.value.errcode) == (status, errcode), failure.value


# Accounts


async def test_registration_by_user_interactive_auth(server, anonymous):
    status, _, body = await anonymous.raw("POST", V3 + "/register", {"username": "dora", "password": "secret words"})
    challenge = json.loads(body)
    assert status == 401 and {"stages": ["m.login.dummy"]} in challenge["flows"] and challenge["session"]
    done = await anonymous.post(V3 + "/register", {"auth": {"type": "m.login.dummy", "session": challenge["session"]}})
    assert done["user_id"] == "@dora:test.example" and done["access_token"] and done["device_id"]
    assert (await Client(server, done["access_token"]).get(V3 + "/account/whoami"))["user_id"] == "@dora:test.example"
    quiet = await anonymous.post(V3 + "/register", {"username": "eve", "password": "p" * 12, "inhibit_login": True, "auth": {"type": "m.login.dummy"}})
    assert "access_token" not in quiet
    await refused(anonymous.get(V3 + "/register/available?username=dora"), 400, "M_USER_IN_USE")
    assert (await anonymous.get(V3 + "/register/available?username=fresh"))["available"] is True


async def test_login_logout_and_soft_state(server, people, anonymous):
    alice = await people("alice")
    assert {"type": "m.login.password"} in (await anonymous.get(V3 + "/login"))["flows"]
    by_id = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}, "password": alice.password}
    second = await anonymous.post(V3 + "/login", {**by_id, "device_id": "PHONE", "initial_device_display_name": "phone"})
    assert second["device_id"] == "PHONE" and second["user_id"] == alice.user
    phone = Client(server, second["access_token"])
    assert (await phone.get(V3 + "/account/whoami")) == {"user_id": alice.user, "device_id": "PHONE", "is_guest": False}
    await phone.post(V3 + "/logout")
    await refused(phone.get(V3 + "/account/whoami"), 401, "M_UNKNOWN_TOKEN")
    await alice.post(V3 + "/logout/all")
    await refused(alice.get(V3 + "/account/whoami"), 401, "M_UNKNOWN_TOKEN")
    await refused(anonymous.get(V3 + "/account/whoami"), 401, "M_MISSING_TOKEN")


async def test_refresh_tokens_rotate(server, people, anonymous):
    alice = await people("alice")
    login = await anonymous.post(V3 + "/login", {
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"}, "password": alice.password, "refresh_token": True})
    assert login["expires_in_ms"] > 0
    first = await anonymous.post(V3 + "/refresh", {"refresh_token": login["refresh_token"]})
    fresh = Client(server, first["access_token"])
    assert (await fresh.get(V3 + "/account/whoami"))["device_id"] == login["device_id"]
    await refused(anonymous.post(V3 + "/refresh", {"refresh_token": login["refresh_token"]}), 401, "M_UNKNOWN_TOKEN")
    again = await anonymous.post(V3 + "/refresh", {"refresh_token": first["refresh_token"]})
    assert again["access_token"] != first["access_token"]
    await fresh.close()


async def test_a_wrong_shared_secret_makes_no_account(server, anonymous):
    nonce = (await anonymous.get("/_synapse/admin/v1/register"))["nonce"]
    body = {"nonce": nonce, "username": "mallory", "password": "x", "admin": True, "mac": "0" * 40}
    with pytest.raises(MatrixFailure) as failure:
        await anonymous.post("/_synapse/admin/v1/register", body)
    assert failure.value.status == 403
    assert (await anonymous.get(V3 + "/register/available?username=mallory"))["available"] is True


async def test_profiles_reach_the_rooms(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    await bob.put(f"{V3}/profile/{bob.user}/displayname", {"displayname": "Bob the builder"})
    assert (await alice.get(f"{V3}/profile/{bob.user}"))["displayname"] == "Bob the builder"
    member = await alice.get(f"{alice.room(room)}/state/m.room.member/{bob.user}")
    assert member["displayname"] == "Bob the builder" and member["membership"] == "join"
    members = (await alice.get(f"{alice.room(room)}/joined_members"))["joined"]
    assert members[bob.user]["display_name"] == "Bob the builder"


async def test_capabilities_versions_and_push_rules(server, people):
    alice = await people("alice")
    capabilities = (await alice.get(V3 + "/capabilities"))["capabilities"]
    assert capabilities["m.room_versions"]["default"] == "12" and capabilities["m.room_versions"]["available"]["10"] == "stable"
    assert "v1.11" in (await alice.get("/_matrix/client/versions"))["versions"]
    rules = (await alice.get(V3 + "/pushrules/"))["global"]
    assert rules["override"][0]["rule_id"] == ".m.rule.master" and len(rules["underride"]) >= 4
    assert rules == next(e for e in (await alice.sync())["account_data"]["events"] if e["type"] == "m.push_rules")["content"]["global"]


async def test_filters_are_kept(server, people):
    alice = await people("alice")
    made = await alice.post(f"{V3}/user/{alice.user}/filter", {"room": {"timeline": {"limit": 2}}})
    await server.restart()
    await alice.close()
    assert await alice.get(f"{V3}/user/{alice.user}/filter/{made['filter_id']}") == {"room": {"timeline": {"limit": 2}}}
    await alice.sync(filter=made["filter_id"])


# Rooms


@pytest.mark.parametrize("version", ["10", "11", "12"])
async def test_rooms_of_every_supported_version(server, people, version):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(room_version=version, name="Den", topic="talk", preset="public_chat", room_alias_name="den-" + version)
    assert (":" in room) == (version != "12")
    await bob.join(f"#den-{version}:test.example")
    create = await alice.get(f"{alice.room(room)}/state/m.room.create/?format=event")
    assert create["content"]["room_version"] == version and create["sender"] == alice.user
    assert ("creator" in create["content"]) == (version == "10")
    levels = await alice.get(f"{alice.room(room)}/state/m.room.power_levels")
    assert (alice.user in levels["users"]) == (version != "12")
    assert (await bob.get(f"{bob.room(room)}/state/m.room.canonical_alias"))["alias"] == f"#den-{version}:test.example"
    event = await bob.send(room, "hi")
    assert (await alice.get(f"{alice.room(room)}/event/{event}"))["content"]["body"] == "hi"


async def test_an_invited_user_may_join_and_others_may_not(server, people):
    alice, bob, carol = await people("alice", "bob", "carol")
    room = await alice.create_room(preset="private_chat")
    await alice.invite(room, bob.user)
    await bob.join(room)
    await refused(carol.join(room), 403, "M_FORBIDDEN")
    await refused(carol.messages(room), 403, "M_FORBIDDEN")
    await refused(carol.get(f"{carol.room(room)}/state"), 403, "M_FORBIDDEN")
    assert (await bob.get(V3 + "/joined_rooms"))["joined_rooms"] == [room]
    await bob.leave(room)
    assert (await bob.get(V3 + "/joined_rooms"))["joined_rooms"] == []
    members = (await alice.get(f"{alice.room(room)}/members"))["chunk"]
    assert {m["state_key"]: m["content"]["membership"] for m in members} == {alice.user: "join", bob.user: "leave"}


async def test_history_is_hidden_from_those_who_joined_later_when_the_room_says_so(server, people):
    alice, bob = await people("alice", "bob")
    hidden = {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}}
    room = await alice.create_room(preset="public_chat", initial_state=[hidden])
    secret = await alice.send(room, "before bob")
    await bob.join(room)
    seen = await alice.send(room, "after bob")
    ids = [e["event_id"] for e in await bob.messages(room)]
    assert seen in ids and secret not in ids
    await refused(bob.get(f"{bob.room(room)}/event/{secret}"), 404, "M_NOT_FOUND")
    timeline = (await bob.sync())["rooms"]["join"][room]["timeline"]["events"]
    assert secret not in [e["event_id"] for e in timeline]


async def test_redaction_strips_the_content_everywhere(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    event = await bob.send(room, "regretted words")
    redaction = (await alice.put(f"{alice.room(room)}/redact/{event}/t1", {"reason": "rude"}))["event_id"]
    shown = await bob.get(f"{bob.room(room)}/event/{event}")
    assert shown["content"] == {} and shown["unsigned"]["redacted_because"]["event_id"] == redaction
    page = {e["event_id"]: e for e in await bob.messages(room)}
    assert page[event]["content"] == {} and page[redaction]["content"]["reason"] == "rude"
    await server.restart()
    await bob.close()
    timeline = {e["event_id"]: e for e in (await bob.sync())["rooms"]["join"][room]["timeline"]["events"]}
    assert timeline[event]["content"] == {}
    mine = await alice.send(room, "alice's own")
    await refused(bob.put(f"{bob.room(room)}/redact/{mine}/t2", {}), 403, "M_FORBIDDEN")


async def test_the_same_state_twice_is_one_event(server, people):
    alice = await people("alice")
    room = await alice.create_room()
    first = await alice.state(room, "m.room.topic", {"topic": "x"})
    assert await alice.state(room, "m.room.topic", {"topic": "x"}) == first
    assert await alice.state(room, "m.room.topic", {"topic": "y"}) != first


async def test_aliases(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    await alice.put(V3 + "/directory/room/%23den:test.example", {"room_id": room})
    assert (await bob.get(V3 + "/directory/room/%23den:test.example"))["room_id"] == room
    assert (await alice.get(f"{alice.room(room)}/aliases"))["aliases"] == ["#den:test.example"]
    await refused(bob.put(V3 + "/directory/room/%23den:test.example", {"room_id": room}), 409, "M_UNKNOWN")
    await refused(bob.call("DELETE", V3 + "/directory/room/%23den:test.example"), 403, "M_FORBIDDEN")
    await alice.call("DELETE", V3 + "/directory/room/%23den:test.example")
    await refused(bob.get(V3 + "/directory/room/%23den:test.example"), 404, "M_NOT_FOUND")


async def test_concurrent_senders_are_all_there_once_and_in_one_order(server, people):
    everybody = await people(*[f"u{i}" for i in range(8)])
    room = await everybody[0].create_room(preset="public_chat")
    for person in everybody[1:]:
        await person.join(room)
    since = (await everybody[0].sync())["next_batch"]
    sent = await asyncio.gather(*[person.send(room, f"{i}") for i in range(10) for person in everybody])
    assert len(set(sent)) == 80
    orders = []
    for person in everybody[:2]:
        page = [e["event_id"] for e in await person.messages(room) if e["type"] == "m.room.message"]
        orders.append(page[::-1])
    timeline = (await everybody[0].sync(since, filter={"room": {"timeline": {"limit": 100}}}))["rooms"]["join"][room]["timeline"]["events"]
    assert orders[0] == orders[1] == [e["event_id"] for e in timeline] and set(orders[0]) == set(sent)


async def test_the_same_transaction_at_the_same_time_is_one_event(server, people):
    alice = await people("alice")
    room = await alice.create_room()
    assert len(set(await asyncio.gather(*[alice.send(room, "once", transaction="t") for _ in range(10)]))) == 1


# Keys


def device_keys(client):
    return {"user_id": client.user, "device_id": client.device, "algorithms": ["m.megolm.v1.aes-sha2"],
            "keys": {"ed25519:" + client.device: "key of " + client.user}, "signatures": {client.user: {"ed25519:" + client.device: "sig"}}}


async def test_keys_are_uploaded_queried_and_claimed_once(server, people):
    alice, bob = await people("alice", "bob")
    keys = {f"signed_curve25519:AAAA{i}": {"key": f"k{i}", "signatures": {}} for i in range(5)}
    counts = await bob.post(V3 + "/keys/upload", {"device_keys": device_keys(bob), "one_time_keys": keys,
                                                  "fallback_keys": {"signed_curve25519:FFFF": {"key": "f", "fallback": True, "signatures": {}}}})
    assert counts == {"one_time_key_counts": {"signed_curve25519": 5}}
    found = (await alice.post(V3 + "/keys/query", {"device_keys": {bob.user: []}}))["device_keys"][bob.user][bob.device]
    assert found["keys"] == device_keys(bob)["keys"]
    claim = {"one_time_keys": {bob.user: {bob.device: "signed_curve25519"}}}
    answers = await asyncio.gather(*[alice.post(V3 + "/keys/claim", claim) for _ in range(8)])
    ids = [next(iter(a["one_time_keys"][bob.user][bob.device])) for a in answers]
    assert sorted(set(ids)) == sorted([*keys, "signed_curve25519:FFFF"]) and ids.count("signed_curve25519:FFFF") == 3
    synced = await bob.sync()
    assert synced["device_one_time_keys_count"]["signed_curve25519"] == 0
    assert synced["device_unused_fallback_key_types"] == []


async def test_key_changes_between_two_tokens(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    begin = (await alice.sync())["next_batch"]
    await bob.post(V3 + "/keys/upload", {"device_keys": device_keys(bob)})
    end = (await alice.sync(begin))["next_batch"]
    assert (await alice.get(f"{V3}/keys/changes?from={begin}&to={end}"))["changed"] == [bob.user]
