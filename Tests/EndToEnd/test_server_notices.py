"""What the server tells its users without being asked: of terms and of limits, and what administrators have it say."""

import asyncio
import re
from urllib.parse import quote

import yaml

from homeserver import Client
from test_registration import listeners, refused, write_terms

V3 = "/_matrix/client/v3"
SEND = "/_synapse/admin/v1/send_server_notice"
SENDER = "@notices:test.example"


def notices(**more):
    return {"server_notices": {"system_mxid_localpart": "notices", **more}}


def terms(tmp_path, **more):
    return {"user_consent": {"version": "1.0", "template_dir": write_terms(tmp_path),
                             "server_notice_content": {"msgtype": "m.text", "body": "Read %(consent_uri)s", "more": ["100%", "%(consent_uri)s"]}, **more}}


async def invites(client):
    """-> the rooms of the server's to which somebody is invited, and the invites."""
    rooms = (await client.sync()).get("rooms", {}).get("invite", {})
    events = {room: [event for event in data["invite_state"]["events"] if event["type"] == "m.room.member" and event["state_key"] == client.user][0]
              for room, data in rooms.items()}
    return {room: event for room, event in events.items() if event["sender"] == SENDER}


async def notice_room(client):
    """-> the room to which somebody is invited, and into which they go."""
    [room] = await invites(client)
    await client.join(room)
    return room


async def said(client, room):
    """-> the contents of the notices of a room, newest first."""
    return [event["content"] for event in await client.messages(room) if event["type"] == "m.room.message"]


async def pinned(client, room):
    try:
        return (await client.get(f"{client.room(room)}/state/m.room.pinned_events"))["pinned"]
    except Exception:
        return []


def change(server, **options):
    """What is said in the configuration from the next start on."""
    config = {**yaml.safe_load(server.config.read_text()), **options}
    server.config.write_text(yaml.safe_dump({key: value for key, value in config.items() if value is not None}))


async def test_who_has_not_agreed_is_told_where_they_can(configured, tmp_path):
    server = await configured(**notices(), **terms(tmp_path, block_events_error="Read %(consent_uri)s first"),
                              listeners=lambda port: listeners(port))
    alice, bob, admin = await server.register("alice"), await server.register("bob"), await server.register("admin", admin=True)
    [(room, invite)] = (await invites(alice)).items()
    assert invite["content"]["membership"] == "invite"
    tags = await alice.get(f"{V3}/user/{quote(alice.user)}/rooms/{quote(room)}/tags")
    assert tags == {"tags": {"m.server_notice": {}}}
    # The invite stays, whatever is done.
    for call in (alice.leave(room), alice.state(room, "m.room.member", {"membership": "leave"}, alice.user)):
        failure = await refused(call)
        assert (failure.status, failure.errcode) == (403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM")
    # Who has not agreed enters this room, by whichever way, and no other.
    assert (await refused(alice.create_room())).errcode == "M_CONSENT_NOT_GIVEN"
    assert (await refused(alice.join("!nowhere:test.example"))).errcode == "M_CONSENT_NOT_GIVEN"
    await alice.post(f"{alice.room(room)}/join")
    [content] = await said(alice, room)
    uri = content["body"].removeprefix("Read ")
    assert content["more"] == ["100%", uri] and content["msgtype"] == "m.text"
    assert (await refused(alice.send(room, "thanks"))).errcode in ("M_CONSENT_NOT_GIVEN", "M_FORBIDDEN")
    # Once, also to several clients at once and after a restart.
    await asyncio.gather(*(bob.sync() for _ in range(4)))
    assert len(await invites(bob)) == 1
    [room_of_bob] = await invites(bob)
    await bob.state(room_of_bob, "m.room.member", {"membership": "join"}, bob.user)
    await server.restart()
    for client, its_room in ((alice, room), (bob, room_of_bob)):
        await client.sync()
        assert len(await said(client, its_room)) == 1 and await invites(client) == {}
    # Who agrees is not told any more; who has left is told of new terms in another room.
    status, _, page = await alice.raw("GET", uri[len(server.base):])
    fields = dict(re.findall(r'name="(\w)" value="([^"]*)"', page.decode()))
    assert status == 200 and (await alice.raw("POST", "/_matrix/consent", data=fields))[0] == 200
    await alice.create_room()
    assert (await refused(alice.send(room, "thanks"))).errcode == "M_FORBIDDEN"
    await alice.leave(room)
    folder = tmp_path / "terms" / "en"
    (folder / "2.0.html").write_text("<h1>Be nicer</h1>")
    change(server, user_consent={**yaml.safe_load(server.config.read_text())["user_consent"], "version": "2.0"})
    await server.restart()
    [another] = await invites(alice)
    assert another != room
    await bob.sync()
    assert len(await said(bob, room_of_bob)) == 2
    for client in (alice, bob, admin):
        await client.close()


async def test_guests_and_sliding_sync(configured, tmp_path):
    server = await configured(**notices(auto_join=True), **terms(tmp_path, send_server_notice_to_guests=True), allow_guest_access=True)
    anonymous = Client(server)
    for tells in (True, False):
        if not tells:
            change(server, user_consent={**yaml.safe_load(server.config.read_text())["user_consent"], "send_server_notice_to_guests": False})
            await server.restart()
        answer = await anonymous.post(V3 + "/register?kind=guest")
        guest = Client(server, answer["access_token"], answer["user_id"])
        # They need not be invited first.
        rooms = (await guest.sync()).get("rooms", {}).get("join", {})
        assert len(rooms) == (1 if tells else 0)
        await guest.close()
    alice = await server.register("alice")
    path = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
    answer = await alice.post(path, {"lists": {"all": {"ranges": [[0, 9]], "required_state": [["m.room.name", ""]], "timeline_limit": 5}}}, checked=False)
    [room] = answer["rooms"].values()
    assert room["name"] == "Server Notices" and [e for e in room["timeline"] if e["type"] == "m.room.message"]
    for client in (anonymous, alice):
        await client.close()


async def test_who_is_here_is_told_of_the_limit(configured):
    server = await configured(**notices(), limit_usage_by_mau=True, max_mau_value=1, admin_contact="mailto:admin@test.example")
    alice, bob = await server.register("alice"), await server.register("bob")
    assert await invites(alice) == {}
    # The list of devices is up to date, and so is who was here.
    await alice.get(V3 + "/devices")
    assert (await refused(bob.sync())).errcode == "M_RESOURCE_LIMIT_EXCEEDED"
    room = await notice_room(alice)
    events = [event for event in await alice.messages(room) if event["type"] == "m.room.message"]
    assert [event["content"] for event in events] == [{
        "msgtype": "m.server_notice", "server_notice_type": "m.server_notice.usage_limit_reached", "limit_type": "monthly_active_user",
        "admin_contact": "mailto:admin@test.example", "body": "Monthly Active User Limit Exceeded"}]
    assert await pinned(alice, room) == [events[0]["event_id"]]
    # Once, also after a restart.
    await server.restart()
    await asyncio.gather(*(alice.sync() for _ in range(3)))
    assert len(await said(alice, room)) == 1 and len(await pinned(alice, room)) == 1
    # For as long as it is so.
    change(server, max_mau_value=2)
    await server.restart()
    await alice.sync()
    assert await pinned(alice, room) == [] and len(await said(alice, room)) == 1
    await bob.get(V3 + "/devices")
    await bob.sync()
    await alice.sync()
    [notice, _] = [event for event in await alice.messages(room) if event["type"] == "m.room.message"]
    assert await pinned(alice, room) == [notice["event_id"]]
    # Where nobody is to be told it is taken back.
    change(server, mau_limit_alerting=False)
    await server.restart()
    await alice.sync()
    assert await pinned(alice, room) == [] and len(await said(alice, room)) == 2
    for client in (alice, bob):
        await client.close()


async def test_what_administrators_have_the_server_say(configured):
    pictures = {"system_mxid_avatar_url": "mxc://test.example/sender", "room_avatar_url": "mxc://test.example/room"}
    server = await configured(**notices(system_mxid_display_name="The club", room_name="News", room_topic="What you should know", **pictures),
                              encryption_enabled_by_default_for_room_type="all", block_non_admin_invites=True)
    alice, admin = await server.register("alice"), await server.register("admin", admin=True)
    await alice.put(f"{V3}/user/{quote(alice.user)}/account_data/m.invite_permission_config", {"default_action": "block"})
    body = {"user_id": alice.user, "content": {"msgtype": "m.text", "body": "The roof leaks"}}
    sent = await admin.post(SEND, body)
    await alice.put(f"{V3}/user/{quote(alice.user)}/account_data/m.invite_permission_config", {})
    room = await notice_room(alice)
    [event] = [event for event in await alice.messages(room) if event["type"] == "m.room.message"]
    assert (event["event_id"], event["sender"], event["content"]) == (sent["event_id"], SENDER, body["content"])
    state = {(event["type"], event["state_key"]): event["content"] for event in await alice.get(alice.room(room) + "/state")}
    assert state["m.room.name", ""]["name"] == "News" and state["m.room.topic", ""]["topic"] == "What you should know"
    assert state["m.room.avatar", ""]["url"] == pictures["room_avatar_url"] and ("m.room.encryption", "") not in state
    assert state["m.room.member", SENDER] == {"membership": "join", "displayname": "The club", "avatar_url": pictures["system_mxid_avatar_url"]}
    assert state["m.room.join_rules", ""]["join_rule"] == "invite"
    # The same transaction says a thing once.
    answers = [await admin.put(SEND + "/roof", body) for _ in range(2)]
    assert answers[0] == answers[1] != sent and len(await said(alice, room)) == 2
    await admin.post(SEND, {**body, "type": "m.room.topic", "state_key": "", "content": {"topic": "Roofs"}})
    assert (await alice.get(alice.room(room) + "/state/m.room.topic"))["topic"] == "Roofs"

    assert (await refused(alice.post(SEND, body))).status == 403
    for wrong, status in [({"user_id": "@nobody:test.example"}, 404), ({"user_id": "@alice:elsewhere.example"}, 400), ({"user_id": "alice"}, 400),
                          ({"content": "text"}, 400), ({"content": None}, 400), ({"type": "m.room.member"}, 400)]:
        assert (await refused(admin.post(SEND, {**body, **wrong}))).status == status, wrong
    for client in (alice, admin):
        await client.close()


async def test_the_sender_is_nobody(configured):
    server = await configured(**notices())
    alice, anonymous = await server.register("alice"), Client(server)
    failure = await refused(anonymous.post(V3 + "/register", {"username": "notices", "password": "secret of nobody"}))
    assert (failure.status, failure.errcode) == (400, "M_EXCLUSIVE")
    assert (await refused(server.register("notices"))).errcode == "M_EXCLUSIVE"
    room = await alice.create_room()
    assert (await refused(alice.invite(room, SENDER))).status == 403
    assert (await refused(alice.state(room, "m.room.member", {"membership": "invite"}, SENDER))).status == 403
    assert (await refused(alice.create_room(invite=[SENDER]))).status == 403
    for client in (alice, anonymous):
        await client.close()


async def test_without_notices(started):
    server = await started()
    admin = await server.register("admin", admin=True)
    failure = await refused(admin.post(SEND, {"user_id": admin.user, "content": {"body": "hello"}}))
    assert (failure.status, failure.errcode) == (400, "M_UNKNOWN")
    await admin.close()
