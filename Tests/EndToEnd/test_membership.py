"""Who comes into rooms, and how: knocking, restricted rooms, guests, invites, forgetting, reports, rooms for new accounts."""

import asyncio
from urllib.parse import quote

import pytest

from homeserver import Client, Homeserver, MatrixFailure

V3 = "/_matrix/client/v3"


async def refused(awaitable, status, errcode):
    with pytest.raises(MatrixFailure) as failure:
        await awaitable
    assert (failure.value.status, failure.value.errcode) == (status, errcode), failure.value


async def membership(client, room, user):
    return (await client.get(f"{client.room(room)}/state/m.room.member/{user}"))["membership"]


def types(events):
    return [event["type"] for event in events]


@pytest.fixture
def make_server(database, tmp_path):
    """make_server(option=value, …) -> a running server with other options."""
    made = []

    async def make(**overrides):
        homeserver = Homeserver(tmp_path / f"server{len(made)}", database, **overrides)
        made.append(homeserver)
        return await homeserver.start()

    make.made = made
    return make


async def test_knocking(people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(name="Den", initial_state=[{"type": "m.room.join_rules", "content": {"join_rule": "knock"}}])
    path = f"{V3}/knock/{quote(room, safe='')}"
    assert (await bob.post(path + "?via=test.example", {"reason": "please"}))["room_id"] == room
    state = (await bob.sync())["rooms"]["knock"][room]["knock_state"]["events"]
    assert "m.room.create" in types(state) and "m.room.name" in types(state)
    own = [e for e in state if e["type"] == "m.room.member" and e["state_key"] == bob.user]
    assert [e["content"]["membership"] for e in own] == ["knock"] and own[0]["content"]["reason"] == "please"
    await bob.leave(room)
    assert await membership(alice, room, bob.user) == "leave"
    await bob.post(path)
    await alice.invite(room, bob.user)
    await refused(bob.post(path), 403, "M_FORBIDDEN")
    await bob.join(room)
    await refused(bob.post(f"{V3}/knock/{quote('!none:test.example', safe='')}"), 404, "M_NOT_FOUND")


async def test_restricted_rooms(people):
    alice, bob, carol = await people("alice", "bob", "carol")
    space = await alice.create_room(preset="public_chat", creation_content={"type": "m.space"})
    rule = {"join_rule": "knock_restricted", "allow": [{"type": "m.room_membership", "room_id": space}]}
    room = await alice.create_room(initial_state=[{"type": "m.room.join_rules", "content": rule}])
    await bob.join(space)
    await bob.join(room)
    member = await alice.get(f"{alice.room(room)}/state/m.room.member/{bob.user}")
    assert member["join_authorised_via_users_server"] == alice.user
    await refused(carol.join(room), 403, "M_FORBIDDEN")
    await carol.post(f"{V3}/knock/{quote(room, safe='')}")


async def test_reasons_and_content_of_a_join(people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room, foo="bar")
    assert (await alice.get(f"{alice.room(room)}/state/m.room.member/{bob.user}"))["foo"] == "bar"
    for action, by in [("kick", alice), ("ban", alice), ("unban", alice)]:
        await by.post(f"{by.room(room)}/{action}", {"user_id": bob.user, "reason": action})
        assert (await alice.get(f"{alice.room(room)}/state/m.room.member/{bob.user}"))["reason"] == action
    await bob.post(f"{bob.room(room)}/join", {"reason": "back"})
    await bob.post(f"{bob.room(room)}/leave", {"reason": "bye"})
    await alice.post(f"{alice.room(room)}/invite", {"user_id": bob.user, "reason": "come"})
    invite = (await bob.sync())["rooms"]["invite"][room]["invite_state"]["events"]
    assert [e["content"].get("reason") for e in invite if e.get("state_key") == bob.user] == ["come"]
    await refused(alice.post(f"{alice.room(room)}/ban", {"user_id": bob.user, "reason": 5}), 400, "M_BAD_JSON")


async def test_membership_by_state_event(people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    key = quote(bob.user, safe="")
    await bob.put(f"{bob.room(room)}/state/m.room.member/{key}", {"membership": "join", "displayname": "Overridden"})
    assert (await alice.get(f"{alice.room(room)}/state/m.room.member/{key}"))["displayname"] == "Overridden"
    await alice.put(f"{alice.room(room)}/state/m.room.member/{key}", {"membership": "ban"})
    await alice.put(f"{alice.room(room)}/state/m.room.member/{key}", {"membership": "leave"})
    await refused(alice.put(f"{alice.room(room)}/state/m.room.member/{key}", {"membership": "dance"}), 400, "M_BAD_JSON")
    await refused(alice.put(f"{alice.room(room)}/state/m.room.member/nobody", {"membership": "invite"}), 400, "M_INVALID_PARAM")


async def test_a_forgotten_room_is_gone_until_the_user_comes_back(people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    await refused(bob.post(f"{bob.room(room)}/forget"), 400, "M_UNKNOWN")
    await bob.leave(room)
    assert await bob.get(f"{bob.room(room)}/messages?dir=b")
    await bob.post(f"{bob.room(room)}/forget")
    await refused(bob.get(f"{bob.room(room)}/messages?dir=b"), 403, "M_FORBIDDEN")
    everything = await bob.sync(filter={"room": {"include_leave": True}})
    assert room not in everything.get("rooms", {}).get("leave", {})
    await bob.join(room)
    assert room in (await bob.sync())["rooms"]["join"]


async def test_who_blocks_invites(people):
    alice, bob = await people("alice", "bob")
    early, late = await alice.create_room(), await alice.create_room()
    await alice.invite(early, bob.user)
    config = f"{V3}/user/{bob.user}/account_data/m.invite_permission_config"
    await bob.put(config, {"default_action": "block"})
    await refused(alice.invite(late, bob.user), 403, "M_INVITE_BLOCKED")
    await refused(alice.create_room(invite=[bob.user]), 403, "M_INVITE_BLOCKED")
    state = f"{alice.room(late)}/state/m.room.member/{quote(bob.user, safe='')}"
    await refused(alice.put(state, {"membership": "invite"}), 403, "M_INVITE_BLOCKED")
    assert "invite" not in (await bob.sync()).get("rooms", {})
    await bob.put(config, {})
    await alice.invite(late, bob.user)
    assert set((await bob.sync())["rooms"]["invite"]) == {early, late}


async def test_invites_of_ignored_users_are_not_shown(people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room()
    since = (await bob.sync())["next_batch"]
    await bob.put(f"{V3}/user/{bob.user}/account_data/m.ignored_user_list", {"ignored_users": {alice.user: {}}})
    await alice.invite(room, bob.user)
    assert "invite" not in (await bob.sync()).get("rooms", {})
    assert "invite" not in (await bob.sync(since)).get("rooms", {})


async def test_reports(people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    event = await alice.send(room, "rude")
    path = f"{alice.room(room)}/report/{quote(event, safe='')}"
    await alice.post(path, {"reason": "rude", "score": -100})
    await refused(bob.post(path, {}), 404, "M_NOT_FOUND")
    await refused(alice.post(path, {"score": "much"}), 400, "M_BAD_JSON")
    await bob.post(f"{bob.room(room)}/report", {"reason": "all of it"})
    await refused(bob.post(f"{bob.room('!none:test.example')}/report", {"reason": "x"}), 404, "M_NOT_FOUND")
    await bob.post(f"{V3}/users/{alice.user}/report", {"reason": "rude"})
    await bob.post(f"{V3}/users/@nobody:test.example/report", {"reason": "rude"})


async def test_canonical_aliases_must_point_to_the_room(people):
    alice = await people("alice")
    room = await alice.create_room(room_alias_name="here")
    other = await alice.create_room(room_alias_name="there")
    await alice.state(room, "m.room.canonical_alias", {"alias": "#here:test.example"})
    for wrong in ["#there:test.example", "#nowhere:test.example"]:
        await refused(alice.state(room, "m.room.canonical_alias", {"alias": wrong}), 400, "M_BAD_ALIAS")
        body = {"initial_state": [{"type": "m.room.canonical_alias", "content": {"alias": wrong}}]}
        await refused(alice.create_room(**body), 400, "M_BAD_ALIAS")
    assert other != room


async def guest(server):
    anonymous = Client(server)
    answer = await anonymous.post(V3 + "/register?kind=guest", {})
    await anonymous.close()
    return Client(server, answer["access_token"], answer["user_id"], answer["device_id"])


async def test_guests(make_server):
    server = await make_server(allow_guest_access=True)
    try:
        alice = await server.register("alice")
        visitor, other = await guest(server), await guest(server)
        assert (await visitor.get(V3 + "/account/whoami"))["is_guest"] is True
        room = await alice.create_room(preset="public_chat")
        await refused(visitor.join(room), 403, "M_GUEST_ACCESS_FORBIDDEN")
        await alice.state(room, "m.room.guest_access", {"guest_access": "can_join"})
        await visitor.join(room)
        await other.join(room)
        await visitor.send(room, "hello")
        await visitor.put(f"{V3}/profile/{visitor.user}/displayname", {"displayname": "creeper"})
        assert (await alice.get(f"{alice.room(room)}/state/m.room.member/{visitor.user}"))["displayname"] == "creeper"
        await refused(visitor.create_room(), 403, "M_GUEST_ACCESS_FORBIDDEN")
        await refused(visitor.invite(room, alice.user), 403, "M_GUEST_ACCESS_FORBIDDEN")
        await refused(visitor.put(f"{V3}/profile/{visitor.user}/avatar_url", {"avatar_url": "mxc://a/b"}), 403, "M_GUEST_ACCESS_FORBIDDEN")

        # One becomes a person, and stays when guests have to go.
        anonymous = Client(server)
        name = visitor.user[1:].split(":")[0]
        body = {"username": name, "password": "a long password", "auth": {"type": "m.login.dummy"}}
        await refused(anonymous.post(V3 + "/register", {**body, "guest_access_token": other.token}), 403, "M_FORBIDDEN")
        answer = await anonymous.post(V3 + "/register", {**body, "guest_access_token": visitor.token})
        assert answer["user_id"] == visitor.user
        await anonymous.close()
        assert (await visitor.get(V3 + "/account/whoami"))["is_guest"] is False

        await alice.state(room, "m.room.guest_access", {"guest_access": "forbidden"})
        for _ in range(100):
            if await membership(alice, room, other.user) == "leave":
                break
            await asyncio.sleep(0.05)
        assert await membership(alice, room, other.user) == "leave"
        assert await membership(alice, room, visitor.user) == "join"
        for client in (alice, visitor, other):
            await client.close()
    finally:
        for made in make_server.made:
            await made.destroy()


async def test_guests_are_not_wanted_by_default(anonymous):
    await refused(anonymous.post(V3 + "/register?kind=guest", {}), 403, "M_FORBIDDEN")


async def test_new_accounts_are_put_into_rooms(make_server):
    server = await make_server(auto_join_rooms=["#lobby:test.example", "#gone:elsewhere.example"])
    try:
        alice, bob = await server.register("alice"), await server.register("bob")
        room = (await alice.get(f"{V3}/directory/room/{quote('#lobby:test.example', safe='')}"))["room_id"]
        for client in (alice, bob):
            assert (await client.get(V3 + "/joined_rooms"))["joined_rooms"] == [room]
            await client.close()
    finally:
        for made in make_server.made:
            await made.destroy()


async def test_invites_by_address_do_not_reach_into_the_local_network(people):
    alice = await people("alice")
    room = await alice.create_room()
    body = {"medium": "email", "address": "bob@example.org", "id_server": "127.0.0.1:1", "id_access_token": "t"}
    await refused(alice.post(f"{alice.room(room)}/invite", body), 502, "M_UNKNOWN")
    await refused(alice.post(f"{alice.room(room)}/invite", {**body, "id_server": "a/b"}), 400, "M_INVALID_PARAM")
    await refused(alice.post(f"{alice.room(room)}/invite", {"medium": "email", "address": "x"}), 400, "M_MISSING_PARAM")
