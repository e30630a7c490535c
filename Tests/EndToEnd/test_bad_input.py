"""Everything from the network is hostile: the specification's error, its status, and nothing stored."""

import pytest

from homeserver import MatrixFailure

V3 = "/_matrix/client/v3"


async def stored(client, room):
    """The ids of the room's events: what the server keeps, without what changes by itself (`age`)."""
    return [event["event_id"] for event in await client.messages(room)]



async def answer_of(client, method, path, body=None, data=None):
    import json
    status, _, content = await client.raw(method, path, body, data=data)
    return status, json.loads(content)["errcode"]


BODIES = [
    ("not JSON", b"{nonsense", 400, "M_NOT_JSON"),
    ("an empty string", b'""', 400, "M_BAD_JSON"),
    ("a list", b"[1,2]", 400, "M_BAD_JSON"),
    ("invalid UTF-8", b'{"a":"\xff\xfe"}', 400, "M_NOT_JSON"),
    ("nesting without end", b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", 400, None),
    ("NaN", b'{"a":NaN}', 400, "M_NOT_JSON"),
]

ENDPOINTS = [
    ("POST", "/createRoom"), ("POST", "/login"), ("POST", "/register"), ("POST", "/keys/upload"), ("POST", "/keys/query"),
    ("POST", "/keys/claim"), ("POST", "/user/{user}/filter"), ("PUT", "/user/{user}/account_data/com.example"),
    ("PUT", "/profile/{user}/displayname"), ("POST", "/rooms/{room}/invite"), ("PUT", "/rooms/{room}/send/m.room.message/1"),
    ("PUT", "/rooms/{room}/state/com.example/"), ("PUT", "/rooms/{room}/typing/{user}"), ("PUT", "/sendToDevice/com.example/1"),
    ("POST", "/refresh"),
]


async def test_malformed_bodies(server, people):
    alice = await people("alice")
    room = await alice.create_room()
    before = await stored(alice, room)
    for method, path in ENDPOINTS:
        path = V3 + path.format(user=alice.user, room=room)
        for what, body, status, errcode in BODIES:
            got = await answer_of(alice, method, path, data=body)
            assert got[0] == status and (errcode is None or got[1] == errcode), (method, path, what, got)
    assert await stored(alice, room) == before
    assert len((await alice.get(V3 + "/joined_rooms"))["joined_rooms"]) == 1


WRONG = [
    ("POST", "/createRoom", {"name": 1}, 400),
    ("POST", "/createRoom", {"invite": "@a:b"}, 400),
    ("POST", "/createRoom", {"invite": ["nonsense"]}, 400),
    ("POST", "/createRoom", {"preset": "nonsense"}, 400),
    ("POST", "/createRoom", {"room_version": "nonsense"}, 400),
    ("POST", "/createRoom", {"room_version": 11}, 400),
    ("POST", "/createRoom", {"room_alias_name": "a:b"}, 400),
    ("POST", "/createRoom", {"initial_state": {}}, 400),
    ("POST", "/createRoom", {"power_level_content_override": {"users": {"@a:b": "x"}}}, 400),
    ("POST", "/login", {}, 400),
    ("POST", "/login", {"type": "m.login.nonsense"}, 400),
    ("POST", "/login", {"type": "m.login.password", "identifier": 7, "password": "x"}, 400),
    ("POST", "/login", {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"}, "password": "wrong"}, 403),
    ("POST", "/rooms/{room}/invite", {}, 400),
    ("POST", "/rooms/{room}/invite", {"user_id": "nonsense"}, 400),
    ("POST", "/rooms/{room}/invite", {"user_id": 5}, 400),
    ("PUT", "/rooms/{room}/state/m.room.power_levels/", {"users": 5}, 400),
    ("PUT", "/rooms/{room}/send/m.room.message/x", {"body": 1.5}, 400),
    ("PUT", "/rooms/{room}/send/m.room.message/x", {"body": 2**60}, 400),
    ("PUT", "/rooms/{room}/send/m.room.message/x", {"msgtype": "m.text", "body": "x" * 70000}, 413),
    # What no client can show, and what would shut the own server out.
    ("PUT", "/rooms/{room}/send/m.room.message/y", {}, 400),
    ("PUT", "/rooms/{room}/send/m.room.message/y", {"msgtype": "m.text", "body": 3}, 400),
    ("PUT", "/rooms/{room}/send/m.room.message/y", {"msgtype": "m.text", "body": "x", "m.mentions": []}, 400),
    ("PUT", "/rooms/{room}/send/m.room.message/y", {"msgtype": "m.text", "body": "x", "m.mentions": {"user_ids": [3]}}, 400),
    ("PUT", "/rooms/{room}/send/org.example/y", {"m.mentions": {"room": "yes"}}, 400),
    ("PUT", "/rooms/{room}/state/m.room.name", {"name": 3}, 400),
    ("PUT", "/rooms/{room}/state/m.room.topic", {}, 400),
    ("PUT", "/rooms/{room}/state/m.room.server_acl", {"allow": ["elsewhere.example"]}, 400),
    ("PUT", "/rooms/{room}/state/m.room.server_acl", {"allow": ["*"], "deny": ["test.example"]}, 400),
    ("PUT", "/rooms/!nowhere:test.example/send/m.room.message/x", {"body": "x"}, 403),
    ("GET", "/rooms/nonsense/messages?dir=b", None, 400),
    ("GET", "/rooms/{room}/messages?dir=x", None, 400),
    ("GET", "/rooms/{room}/messages?dir=b&limit=-1", None, 400),
    ("GET", "/rooms/{room}/messages?dir=b&from=nonsense", None, 400),
    ("GET", "/rooms/{room}/event/nonsense", None, 404),
    ("GET", "/sync?filter=%7Bnonsense", None, 400),
    ("GET", "/sync?timeout=abc", None, 400),
    ("GET", "/sync?filter=999", None, 400),
    ("POST", "/join/nonsense", {}, 400),
    ("POST", "/join/%23nobody:test.example", {}, 404),
    ("GET", "/directory/room/%23nobody:test.example", None, 404),
    ("GET", "/profile/@nobody:test.example", None, 404),
    ("PUT", "/profile/@bob:test.example/displayname", {"displayname": "x"}, 403),
    ("PUT", "/profile/{user}/displayname", {"displayname": 7}, 400),
    ("PUT", "/user/@bob:test.example/account_data/x", {}, 403),
    ("POST", "/user/{user}/filter", {"room": {"timeline": {"limit": "x"}}}, 400),
    ("POST", "/keys/query", {"device_keys": []}, 400),
    ("POST", "/keys/claim", {"one_time_keys": {"@a:b": 5}}, 400),
    ("POST", "/keys/upload", {"device_keys": {"user_id": "@bob:test.example"}}, 400),
    ("PUT", "/rooms/{room}/typing/@bob:test.example", {"typing": True}, 400),
    ("POST", "/rooms/{room}/receipt/m.nonsense/$x", {}, 400),
    ("PUT", "/sendToDevice/com.example/2", {"messages": []}, 400),
]


async def test_wrong_values(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room()
    before = await stored(alice, room)
    failures = []
    for method, path, body, status in WRONG:
        try:
            got = (200, await alice.call(method, V3 + path.format(user=alice.user, room=room), body))
        except MatrixFailure as failure:
            got = (failure.status, failure.body)
            assert isinstance(failure.body, dict) and failure.errcode and "error" in failure.body, (path, failure.body)
        if got[0] != status:
            failures.append((method, path, body if len(str(body)) < 200 else "…", status, got))
    assert not failures, "\n".join(map(str, failures))
    assert await stored(alice, room) == before


async def test_unknown_paths_and_methods(server, people):
    alice = await people("alice")
    assert await answer_of(alice, "GET", "/_matrix/client/v3/nonsense") == (404, "M_UNRECOGNIZED")
    assert await answer_of(alice, "GET", "/nonsense") == (404, "M_UNRECOGNIZED")
    assert await answer_of(alice, "DELETE", V3 + "/createRoom") == (405, "M_UNRECOGNIZED")
    status, headers, _ = await alice.raw("OPTIONS", V3 + "/createRoom")
    assert status in (200, 204) and headers["Access-Control-Allow-Origin"] == "*"


async def test_every_answer_can_be_read_by_a_browser(server, anonymous):
    for path in ("/_matrix/client/versions", V3 + "/account/whoami", "/_matrix/client/v3/nonsense"):
        _, headers, _ = await anonymous.raw("GET", path)
        assert headers["Access-Control-Allow-Origin"] == "*" and headers["Content-Type"].startswith("application/json")


async def test_a_power_level_too_low(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    for attempt in (bob.state(room, "m.room.name", {"name": "mine"}),
                    bob.post(f"{bob.room(room)}/kick", {"user_id": alice.user}),
                    bob.post(f"{bob.room(room)}/ban", {"user_id": alice.user})):
        with pytest.raises(MatrixFailure) as refused:
            await attempt
        assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")


async def test_an_alias_taken(server, people):
    alice, bob = await people("alice", "bob")
    await alice.create_room(room_alias_name="den")
    with pytest.raises(MatrixFailure) as refused:
        await bob.create_room(room_alias_name="den")
    assert (refused.value.status, refused.value.errcode) == (400, "M_ROOM_IN_USE")
    assert (await bob.get(V3 + "/joined_rooms"))["joined_rooms"] == []


async def test_a_user_name_taken_or_invalid(server, people, anonymous):
    await people("alice")
    for name, errcode in (("alice", "M_USER_IN_USE"), ("Bad Name", "M_INVALID_USERNAME"), ("ä", "M_INVALID_USERNAME"), ("", "M_INVALID_USERNAME")):
        with pytest.raises(MatrixFailure) as refused:
            await anonymous.post(V3 + "/register", {"username": name, "password": "x", "auth": {"type": "m.login.dummy"}})
        assert (refused.value.status, refused.value.errcode) == (400, errcode), name


async def test_an_encoded_slash_stays_inside_its_parameter(server, people):
    alice = await people("alice")
    room = await alice.create_room()
    await alice.put(f"{alice.room(room)}/state/com.example/a%2Fb", {"x": 1})
    assert await alice.get(f"{alice.room(room)}/state/com.example/a%2Fb") == {"x": 1}
    assert await answer_of(alice, "GET", f"{alice.room(room)}/state/com.example/a/b") == (404, "M_UNRECOGNIZED")


async def test_oversized_bodies(server, people):
    alice = await people("alice")
    status, errcode = await answer_of(alice, "POST", V3 + "/createRoom", data=b'{"name":"' + b"x" * 60_000_000 + b'"}')
    assert (status, errcode) == (413, "M_TOO_LARGE")
