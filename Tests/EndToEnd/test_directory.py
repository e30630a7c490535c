"""Names of rooms, the room directory, spaces, the user directory, tags, and how clients find the server."""

import base64
import hashlib
import hmac
import time
from urllib.parse import quote

import pytest

from homeserver import MatrixFailure

V1 = "/_matrix/client/v1"
V3 = "/_matrix/client/v3"
UNSTABLE = "/_matrix/client/unstable"

PUBLISHING = {"room_list_publication_rules": [{"action": "allow"}]}


async def refused(awaitable, status, errcode):
    with pytest.raises(MatrixFailure) as failure:
        await awaitable
    assert (failure.value.status, failure.value.errcode) == (status, errcode), failure.value


def q(text):
    return quote(text, safe="")


# Aliases


async def test_who_gives_and_takes_aliases(server, people):
    alice, bob, carol = await people("alice", "bob", "carol")
    root = await server.register("root", admin=True)
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    names = [f"#{name}:{server.name}" for name in ("☕", "bobs", "third")]
    await alice.put(f"{V3}/directory/room/{q(names[0])}", {"room_id": room})
    await bob.put(f"{V3}/directory/room/{q(names[1])}", {"room_id": room})
    await refused(carol.put(f"{V3}/directory/room/{q(names[2])}", {"room_id": room}), 403, "M_FORBIDDEN")
    await root.put(f"{V3}/directory/room/{q(names[2])}", {"room_id": room})
    for path in (V3, UNSTABLE + "/org.matrix.msc2432"):
        assert set((await bob.get(f"{path}/rooms/{q(room)}/aliases"))["aliases"]) == set(names)
    await refused(carol.get(f"{V3}/rooms/{q(room)}/aliases"), 403, "M_FORBIDDEN")
    assert len((await root.get(f"{V3}/rooms/{q(room)}/aliases"))["aliases"]) == 3
    await refused(bob.call("DELETE", f"{V3}/directory/room/{q(names[0])}"), 403, "M_FORBIDDEN")
    await alice.state(room, "m.room.canonical_alias", {"alias": names[1], "alt_aliases": names[:2]})
    await bob.call("DELETE", f"{V3}/directory/room/{q(names[1])}")
    await alice.call("DELETE", f"{V3}/directory/room/{q(names[0])}")
    content = await alice.get(f"{alice.room(room)}/state/m.room.canonical_alias")
    assert content["alt_aliases"] == [names[1]] or "alt_aliases" not in content
    await refused(alice.get(f"{V3}/directory/room/{q(names[0])}"), 404, "M_NOT_FOUND")
    await refused(alice.call("DELETE", f"{V3}/directory/room/{q(names[0])}"), 404, "M_NOT_FOUND")
    await root.close()


async def test_the_operators_rules_about_aliases_and_the_directory(configured):
    server = await configured(
        alias_creation_rules=[{"user_id": "@alice:*", "alias": "#cats*", "action": "allow"}],
        room_list_publication_rules=[{"user_id": "@alice:*", "action": "allow"}])
    alice, bob = await server.register("alice"), await server.register("bob")
    room = await alice.create_room(preset="public_chat", room_alias_name="cats-and-more")
    await refused(alice.put(f"{V3}/directory/room/{q('#dogs:' + server.name)}", {"room_id": room}), 403, "M_FORBIDDEN")
    await refused(alice.post(V3 + "/createRoom", {"room_alias_name": "dogs"}), 403, "M_FORBIDDEN")
    await alice.put(f"{V3}/directory/list/room/{q(room)}", {"visibility": "public"})
    other = await bob.create_room(preset="public_chat")
    await refused(bob.put(f"{V3}/directory/list/room/{q(other)}", {"visibility": "public"}), 403, "M_FORBIDDEN")
    # The room itself nobody forbids: it is made, and not listed.
    unlisted = await bob.create_room(visibility="public")
    assert (await bob.get(f"{V3}/directory/list/room/{q(unlisted)}"))["visibility"] == "private"
    await alice.close()
    await bob.close()


# The room directory


async def test_the_room_directory(configured):
    server = await configured(**PUBLISHING)
    alice, bob = await server.register("alice"), await server.register("bob")
    rooms = {}
    for index in range(7):
        rooms[index] = await alice.create_room(visibility="public", name=f"Room {index}", topic="Wombles" if index == 3 else "à la française")
    space = await alice.create_room(visibility="public", creation_content={"type": "m.space"})
    await bob.join(rooms[5])
    listed = await bob.get(V3 + "/publicRooms")
    assert listed["chunk"][0]["room_id"] == rooms[5] and listed["chunk"][0]["num_joined_members"] == 2
    assert {room["room_id"] for room in listed["chunk"]} == {*rooms.values(), space} and listed["total_room_count_estimate"] == 8
    entry = next(room for room in listed["chunk"] if room["room_id"] == rooms[0])
    assert entry["name"] == "Room 0" and entry["join_rule"] == "public" and entry["world_readable"] is False

    seen, token = [], None
    while True:
        page = await bob.post(V3 + "/publicRooms", {"limit": 3, **({"since": token} if token else {})})
        assert len(page["chunk"]) <= 3
        seen += [room["room_id"] for room in page["chunk"]]
        token = page.get("next_batch")
        if not token:
            break
    assert seen == [room["room_id"] for room in listed["chunk"]]
    back, token = [], page["prev_batch"]
    while token:
        page = await bob.post(V3 + "/publicRooms", {"limit": 3, "since": token})
        back = [room["room_id"] for room in page["chunk"]] + back
        token = page.get("prev_batch")
    assert back == seen[:6]

    async def search(term=None, **filter):
        body = {"filter": {**({"generic_search_term": term} if term else {}), **filter}}
        return [room["room_id"] for room in (await bob.post(f"{V3}/publicRooms?server={server.name}", body))["chunk"]]

    assert await search("wombles") == [rooms[3]]
    assert len(await search("FRANÇAISE")) == 6 and await search("100%") == []
    assert await search(room_types=["m.space"]) == [space] and space not in await search(room_types=[None])

    await refused(bob.put(f"{V3}/directory/list/room/{q(rooms[5])}", {"visibility": "private"}), 403, "M_FORBIDDEN")
    await alice.put(f"{V3}/directory/list/room/{q(rooms[5])}", {"visibility": "private"})
    assert (await bob.get(f"{V3}/directory/list/room/{q(rooms[5])}"))["visibility"] == "private"
    assert rooms[5] not in [room["room_id"] for room in (await bob.get(V3 + "/publicRooms"))["chunk"]]
    await refused(bob.get(f"{V3}/directory/list/room/{q('!no:' + server.name)}"), 404, "M_NOT_FOUND")
    await refused(bob.put(f"{V3}/directory/list/appservice/irc/{q(rooms[0])}", {"visibility": "public"}), 403, "M_FORBIDDEN")
    for body in ({"limit": -1}, {"since": "nonsense"}, {"third_party_instance_id": "x"}):
        await refused(bob.post(V3 + "/publicRooms", body), 400, "M_INVALID_PARAM")

    await server.restart()
    assert len((await bob.get(V3 + "/publicRooms"))["chunk"]) == 7
    await alice.close()
    await bob.close()


async def test_who_sees_the_room_directory(configured):
    from homeserver import Client

    closed, open_ = await configured(**PUBLISHING), await configured(allow_public_rooms_without_auth=True, enable_room_list_search=False)
    stranger = Client(closed)
    await refused(stranger.get(V3 + "/publicRooms"), 401, "M_MISSING_TOKEN")
    guestless = Client(open_)
    assert (await guestless.get(V3 + "/publicRooms"))["chunk"] == []
    await stranger.close()
    await guestless.close()


# Summaries, spaces and mutual rooms


async def test_room_summaries(server, people, anonymous):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat", name="Den", room_alias_name="den", initial_state=[
        {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}])
    for path in (f"{V1}/room_summary/{q(room)}", f"{V1}/room_summary/{q('#den:' + server.name)}",
                 f"{UNSTABLE}/im.nheko.summary/summary/{q(room)}", f"{UNSTABLE}/im.nheko.summary/rooms/{q(room)}/summary"):
        summary = await bob.get(path)
        assert summary["name"] == "Den" and summary["membership"] == "leave" and summary["num_joined_members"] == 1
        assert summary["encryption"] == "m.megolm.v1.aes-sha2" and summary["room_version"] and summary["join_rule"] == "public"
    assert "membership" not in await anonymous.get(f"{V1}/room_summary/{q(room)}")
    secret = await alice.create_room(preset="private_chat")
    await refused(bob.get(f"{V1}/room_summary/{q(secret)}"), 404, "M_NOT_FOUND")
    await refused(anonymous.get(f"{V1}/room_summary/{q(secret)}"), 404, "M_NOT_FOUND")
    await alice.invite(secret, bob.user)
    assert (await bob.get(f"{V1}/room_summary/{q(secret)}"))["membership"] == "invite"


async def test_a_space_is_walked_in_pages(server, people):
    alice, bob = await people("alice", "bob")
    space = await alice.create_room(preset="public_chat", creation_content={"type": "m.space"})
    children = []
    for order in ("b", "a", None):
        child = await alice.create_room(preset="public_chat", name=f"child {order}")
        await alice.state(space, "m.space.child", {"via": [server.name], **({"order": order} if order else {})}, child)
        children.append(child)
    hidden = await alice.create_room(preset="private_chat")
    await alice.state(space, "m.space.child", {"via": [server.name]}, hidden)
    path = f"{V1}/rooms/{q(space)}/hierarchy"
    whole = await bob.get(path)
    expected = [space, children[1], children[0], children[2]]
    assert [room["room_id"] for room in whole["rooms"]] == expected
    state = whole["rooms"][0]["children_state"]
    assert [event["state_key"] for event in state][:3] == expected[1:] and state[0]["content"]["order"] == "a"
    first = await bob.get(path + "?limit=2")
    second = await bob.get(f"{path}?limit=2&from={q(first['next_batch'])}")
    assert [room["room_id"] for room in first["rooms"] + second["rooms"]] == expected
    assert [room["room_id"] for room in (await bob.get(path + "?max_depth=0"))["rooms"]] == [space]
    await refused(alice.get(f"{path}?limit=2&from={q(first['next_batch'])}"), 400, "M_INVALID_PARAM")
    await refused(bob.get(f"{path}?limit=0"), 400, "M_INVALID_PARAM")
    await refused(bob.get(f"{path}?max_depth=-1"), 400, "M_INVALID_PARAM")
    await refused(bob.get(f"{V1}/rooms/{q(hidden)}/hierarchy"), 403, "M_FORBIDDEN")


async def test_mutual_rooms(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    await bob.create_room()
    for path in (V1 + "/mutual_rooms", UNSTABLE + "/uk.half-shot.msc2666/user/mutual_rooms"):
        answer = await alice.get(f"{path}?user_id={q(bob.user)}")
        assert answer["joined"] == [room] and answer["count"] == 1
    assert (await alice.get(f"{V1}/mutual_rooms?user_id={q('@nobody:' + server.name)}"))["joined"] == []
    await refused(alice.get(f"{V1}/mutual_rooms?user_id={q(alice.user)}"), 400, "M_INVALID_PARAM")
    await refused(alice.get(V1 + "/mutual_rooms"), 400, "M_MISSING_PARAM")


# The user directory


async def test_people_find_each_other(server, people):
    alice, bob, carol = await people("alice", "bob", "carol")

    async def found(client, term):
        results = await client.post(V3 + "/user_directory/search", {"search_term": term})
        return [user["user_id"] for user in results["results"]]

    await alice.put(f"{V3}/profile/{alice.user}/displayname", {"displayname": "Wonderland Alice"})
    assert await found(bob, "wonder") == []
    room = await alice.create_room(preset="private_chat", invite=[bob.user])
    await bob.join(room)
    assert await found(bob, "WONDER al") == [alice.user] and await found(carol, "wonder") == []
    await bob.leave(room)
    assert await found(bob, "wonder") == []
    await alice.state(room, "m.room.join_rules", {"join_rule": "public"})
    assert await found(carol, "wonder") == [alice.user]
    await server.restart()
    assert await found(carol, "wonder") == [alice.user]
    await alice.put(f"{V3}/profile/{alice.user}/displayname", {"displayname": "Queen"})
    assert await found(carol, "wonder") == [] and await found(carol, "queen") == [alice.user]
    await refused(carol.post(V3 + "/user_directory/search", {}), 400, "M_MISSING_PARAM")


async def test_where_everyone_is_searched(configured):
    server = await configured(user_directory={"search_all_users": True})
    alice, bob = await server.register("alice"), await server.register("bob")
    answer = await alice.post(V3 + "/user_directory/search", {"search_term": "@bo", "limit": 1})
    assert [user["user_id"] for user in answer["results"]] == [bob.user] and answer["limited"] is False
    await alice.close()
    await bob.close()


# Tags and account data


async def test_tags(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room()
    path = f"{V3}/user/{q(alice.user)}/rooms/{q(room)}/tags"
    await alice.put(f"{path}/u.work", {"order": 0.25})
    await alice.put(f"{path}/m.favourite", {})
    assert (await alice.get(path))["tags"] == {"u.work": {"order": 0.25}, "m.favourite": {}}
    first = await alice.sync()
    event = next(e for e in first["rooms"]["join"][room]["account_data"]["events"] if e["type"] == "m.tag")
    assert event["content"]["tags"]["u.work"] == {"order": 0.25}
    await alice.call("DELETE", f"{path}/u.work")
    await alice.call("DELETE", f"{path}/m.favourite")
    later = await alice.sync(first["next_batch"])
    event = later["rooms"]["join"][room]["account_data"]["events"][0]
    assert event["content"] == {"tags": {}} and (await alice.get(path))["tags"] == {}
    await refused(alice.put(f"{path}/{'x' * 256}", {}), 400, "M_INVALID_PARAM")
    await refused(bob.get(path), 403, "M_FORBIDDEN")
    await refused(bob.put(f"{V3}/user/{q(bob.user)}/rooms/{q(room)}/tags/u.x", {}), 403, "M_FORBIDDEN")


async def test_account_data_is_deleted(server, people):
    alice = await people("alice")
    path = f"/user/{q(alice.user)}/account_data/org.example"
    await alice.put(V3 + path, {"a": 1})
    since = (await alice.sync())["next_batch"]
    await alice.call("DELETE", f"{UNSTABLE}/org.matrix.msc3391{path}")
    await refused(alice.get(V3 + path), 404, "M_NOT_FOUND")
    assert (await alice.sync(since))["account_data"]["events"] == [{"type": "org.example", "content": {}}]


# Discovery, calls and bridges


async def test_discovery_and_calls(configured):
    from homeserver import Client

    server = await configured(
        turn_uris=["turn:turn.example.org"], turn_shared_secret="hush", turn_user_lifetime="1h", serve_server_wellknown=True,
        default_identity_server="https://id.example.org", extra_well_known_client_content={"org.example": {"a": [1, True]}})
    alice, stranger = await server.register("alice"), Client(server)
    told = await stranger.get("/.well-known/matrix/client")
    assert told["m.homeserver"]["base_url"] == server.base + "/" and told["m.identity_server"]["base_url"] == "https://id.example.org"
    assert told["org.example"] == {"a": [1, True]}
    assert (await stranger.get("/.well-known/matrix/server"))["m.server"] == server.name + ":443"
    await refused(stranger.get("/.well-known/matrix/support"), 404, "M_NOT_FOUND")
    turn = await alice.get(V3 + "/voip/turnServer")
    assert turn["uris"] == ["turn:turn.example.org"] and turn["ttl"] == 3600
    expiry, user = turn["username"].split(":", 1)
    assert user == alice.user and abs(int(expiry) - time.time() - 3600) < 60
    mac = hmac.new(b"hush", turn["username"].encode(), hashlib.sha1).digest()
    assert turn["password"] == base64.b64encode(mac).decode()
    await refused(stranger.get(V3 + "/voip/turnServer"), 401, "M_MISSING_TOKEN")
    assert await alice.get(V3 + "/thirdparty/protocols") == {}
    assert await alice.get(V3 + "/thirdparty/user/irc?nick=x") == [] and await alice.get(V3 + "/thirdparty/location") == []
    await refused(alice.get(V3 + "/thirdparty/protocol/irc"), 404, "M_NOT_FOUND")
    await alice.close()
    await stranger.close()
