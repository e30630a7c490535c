"""Application services as callers: their users, as whom they act, what is theirs alone, and what is not asked of them."""

import pytest
import yaml

from crypto import Identity, Key
from homeserver import Client
from test_authentication_service import Service
from test_registration import refused, write_terms

V3 = "/_matrix/client/v3"
TYPE = "m.login.application_service"


def registration(tmp_path, name="irc", **more):
    """-> the path of a file, and the service's token."""
    content = {
        "id": name, "url": None, "as_token": f"the token of {name}", "hs_token": "ours", "sender_localpart": f"_{name}_bot",
        "namespaces": {"users": [{"exclusive": True, "regex": f"@_{name}_.*"}], "aliases": [{"exclusive": True, "regex": f"#_{name}_.*"}],
                       "rooms": []}, **more}
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None or k == "url"}))
    return str(path), content["as_token"]


async def test_users_of_a_service(configured, tmp_path):
    path, token = registration(tmp_path)
    other, _ = registration(tmp_path, "sms")
    server = await configured(app_service_config_files=[path, other], limit_usage_by_mau=True, max_mau_value=1)
    service, anonymous = Client(server, token), Client(server)
    assert {"type": TYPE} in (await anonymous.get(V3 + "/login"))["flows"]
    made = await service.post(V3 + "/register", {"type": TYPE, "username": "_irc_Ghost!", "inhibit_login": True}, checked=False)
    assert made == {"user_id": "@_irc_Ghost!:test.example", "home_server": "test.example"}
    ghost = await service.post(V3 + "/register", {"type": TYPE, "username": "_irc_ghost"})
    assert ghost["user_id"] == "@_irc_ghost:test.example" and ghost["access_token"]
    assert (await refused(service.post(V3 + "/register", {"type": TYPE, "username": "_irc_ghost"}))).errcode == "M_USER_IN_USE"
    for name in ("_sms_1", "alice"):
        failure = await refused(service.post(V3 + "/register", {"type": TYPE, "username": name}))
        assert (failure.status, failure.errcode) == (400, "M_EXCLUSIVE")
    # Without the token, or with somebody else's, nobody is a service.
    assert (await refused(anonymous.post(V3 + "/register", {"type": TYPE, "username": "_irc_x"}))).errcode == "M_MISSING_TOKEN"
    impostor = Client(server, token[:-1])
    for path in ("/register", "/login"):
        failure = await refused(impostor.post(V3 + path, {"type": TYPE, "username": "_irc_x", "user": "_irc_ghost"}))
        assert (failure.status, failure.errcode) == (401, "M_UNKNOWN_TOKEN")
    # And nobody else gets such a name.
    for body in ({"username": "_irc_person", "password": "secret"}, {"username": "_sms_person", "password": "secret"}):
        assert (await refused(anonymous.post(V3 + "/register", body))).errcode in ("M_EXCLUSIVE", "M_INVALID_USERNAME")

    identifier = {"type": "m.id.user", "user": "_irc_ghost"}
    login = await service.post(V3 + "/login", {"type": TYPE, "identifier": identifier, "device_id": "BRIDGE"})
    assert login["user_id"] == ghost["user_id"] and login["device_id"] == "BRIDGE"
    assert (await refused(service.post(V3 + "/login", {"type": TYPE, "identifier": {"type": "m.id.user", "user": "alice"}}))).errcode == "M_EXCLUSIVE"
    missing = await refused(service.post(V3 + "/login", {"type": TYPE, "identifier": {"type": "m.id.user", "user": "_irc_nobody"}}))
    assert (missing.status, missing.errcode) == (403, "M_FORBIDDEN")
    assert token not in (server.folder / "output.log").read_text()
    for client in (service, anonymous, impostor):
        await client.close()


async def test_a_service_acts_as_its_users(configured, tmp_path):
    path, token = registration(tmp_path, rate_limited=False)
    server = await configured(app_service_config_files=[path], rc_message={"per_second": 0.001, "burst_count": 2})
    service, alice = Client(server, token), await server.register("alice")
    await service.post(V3 + "/register", {"type": TYPE, "username": "_irc_ghost", "inhibit_login": True}, checked=False)
    ghost = "user_id=@_irc_ghost:test.example"
    assert (await service.get(V3 + "/account/whoami"))["user_id"] == "@_irc_bot:test.example"
    assert (await service.get(f"{V3}/account/whoami?{ghost}"))["user_id"] == "@_irc_ghost:test.example"
    for user in (alice.user, "@_irc_nobody:test.example", "nonsense"):
        failure = await refused(service.get(f"{V3}/account/whoami?user_id={user}"))
        assert (failure.status, failure.errcode) == (403, "M_FORBIDDEN"), user
    # No limits hold for this one; for others they do.
    room = await alice.create_room(preset="public_chat")
    await service.post(f"{V3}/join/{room}?{ghost}")
    for n in range(5):
        await service.put(f"{V3}/rooms/{room}/send/m.room.message/t{n}?{ghost}", {"msgtype": "m.text", "body": str(n)})
    senders = {event["sender"] for event in await alice.messages(room) if event["type"] == "m.room.message"}
    assert senders == {"@_irc_ghost:test.example"}
    await alice.send(room, "the second message, after the room itself")
    assert (await refused(alice.send(room, "one too many"))).errcode == "M_LIMIT_EXCEEDED"
    # Its own user needs no account to come in.
    await service.post(f"{V3}/join/{room}")
    # Devices are made and ended, and keys replaced, without a proof of who asks.
    unknown = await refused(service.get(f"{V3}/account/whoami?{ghost}&device_id=PUPPET"))
    assert (unknown.status, unknown.errcode) == (400, "M_UNKNOWN_DEVICE")
    status, _, _ = await service.raw("PUT", f"{V3}/devices/PUPPET?{ghost}", {"display_name": "Puppet"})
    assert status == 201
    assert (await service.get(f"{V3}/account/whoami?{ghost}&device_id=PUPPET"))["device_id"] == "PUPPET"
    user = "@_irc_ghost:test.example"
    await service.post(f"{V3}/keys/upload?{ghost}&device_id=PUPPET", {"device_keys": Key(user, "PUPPET").device_keys()})
    assert "PUPPET" in (await alice.post(V3 + "/keys/query", {"device_keys": {user: []}}))["device_keys"][user]
    for _ in range(2):
        await service.post(f"{V3}/keys/device_signing/upload?{ghost}", Identity(user).body())
    await service.call("DELETE", f"{V3}/devices/PUPPET?{ghost}", {})
    assert (await service.get(f"{V3}/devices?{ghost}"))["devices"] == []
    await service.post(f"{V3}/account/deactivate?{ghost}")
    assert (await refused(service.get(f"{V3}/account/whoami?{ghost}"))).errcode == "M_USER_DEACTIVATED"
    for client in (service, alice):
        await client.close()


async def test_aliases_and_lists_of_a_service(configured, tmp_path):
    path, token = registration(tmp_path)
    server = await configured(app_service_config_files=[path])
    service, alice = Client(server, token), await server.register("alice")
    room = await alice.create_room(preset="public_chat", name="a channel")

    def alias(name):
        return f"{V3}/directory/room/%23{name}:test.example"

    await service.put(alias("_irc_channel"), {"room_id": room})
    assert (await refused(service.put(alias("channel"), {"room_id": room}))).errcode == "M_EXCLUSIVE"
    assert (await refused(alice.put(alias("_irc_mine"), {"room_id": room}))).errcode == "M_EXCLUSIVE"
    assert (await refused(alice.create_room(room_alias_name="_irc_mine"))).errcode == "M_EXCLUSIVE"
    await service.call("DELETE", alias("_irc_channel"))
    listed = f"{V3}/directory/list/appservice/net/{room}"
    assert (await refused(alice.put(listed, {"visibility": "public"}))).status == 403
    await service.put(listed, {"visibility": "public"})
    found = await alice.post(V3 + "/publicRooms", {"third_party_instance_id": "irc|net"})
    assert [entry["room_id"] for entry in found["chunk"]] == [room]
    await service.call("DELETE", listed)
    assert (await alice.post(V3 + "/publicRooms", {"third_party_instance_id": "irc|net"}))["chunk"] == []
    for client in (service, alice):
        await client.close()


@pytest.mark.parametrize("by_service", [False, True], ids=["MSC4190", "an authentication service"])
async def test_services_that_do_not_log_in(configured, tmp_path, by_service):
    path, token = registration(tmp_path, **({} if by_service else {"io.element.msc4190": True}))
    async with Service() as authentication:
        server = await configured(app_service_config_files=[path], **(authentication.options() if by_service else {}))
        service = Client(server, token)
        failure = await refused(service.post(V3 + "/register", {"type": TYPE, "username": "_irc_a"}))
        assert (failure.status, failure.errcode) == (400, "M_APPSERVICE_LOGIN_UNSUPPORTED")
        await service.post(V3 + "/register", {"type": TYPE, "username": "_irc_a", "inhibit_login": True}, checked=False)
        failure = await refused(service.post(V3 + "/login", {"type": TYPE, "identifier": {"type": "m.id.user", "user": "_irc_a"}}))
        assert (failure.status, failure.errcode) == (400, "M_APPSERVICE_LOGIN_UNSUPPORTED")
        ghost = "user_id=@_irc_a:test.example"
        assert (await service.get(f"{V3}/account/whoami?{ghost}"))["user_id"] == "@_irc_a:test.example"
        # It makes and ends devices instead.
        for device in ("ONE", "TWO"):
            assert (await service.raw("PUT", f"{V3}/devices/{device}?{ghost}", {}))[0] == 201
        await service.call("DELETE", f"{V3}/devices/ONE?{ghost}", {})
        await service.post(f"{V3}/delete_devices?{ghost}", {"devices": ["TWO"]})
        assert (await service.get(f"{V3}/devices?{ghost}"))["devices"] == []
        await service.close()


@pytest.mark.parametrize("counts", [True, False])
async def test_users_of_a_service_count_where_the_operator_wants_it(configured, tmp_path, counts):
    path, token = registration(tmp_path)
    server = await configured(app_service_config_files=[path], track_appservice_user_ips=counts, limit_usage_by_mau=True, max_mau_value=1)
    service, alice, admin = Client(server, token), await server.register("alice"), await server.register("admin", admin=True)
    bob = await server.register("bob")
    for name in ("_irc_one", "_irc_two"):
        await service.post(V3 + "/register", {"type": TYPE, "username": name, "inhibit_login": True}, checked=False)
    one, two = (f"user_id=@_irc_{name}:test.example" for name in ("one", "two"))
    # The list of devices is up to date, and so is who was here. Who comes by a service takes nobody's place, and alice has the last.
    await service.get(f"{V3}/devices?{one}")
    await alice.get(V3 + "/devices")
    assert (await refused(bob.create_room())).errcode == "M_RESOURCE_LIMIT_EXCEEDED"
    login = {"type": TYPE, "identifier": {"type": "m.id.user", "user": "_irc_two"}}
    for call in (lambda: service.post(f"{V3}/createRoom?{two}", {}), lambda: service.post(V3 + "/login", login)):
        if counts:
            assert (await refused(call())).errcode == "M_RESOURCE_LIMIT_EXCEEDED"
        else:
            await call()
    for call in (alice.create_room(), service.post(f"{V3}/createRoom?{one}", {})):
        await call
    seen = (await admin.get(f"{V3}/admin/whois/@_irc_one:test.example"))["devices"]
    assert [use["ip"] for device in seen.values() for session in device["sessions"] for use in session["connections"]] == (
        ["127.0.0.1"] if counts else [])
    for client in (service, alice, bob, admin):
        await client.close()


async def test_the_trial_of_a_service_and_its_terms(configured, tmp_path):
    path, token = registration(tmp_path)
    other, other_token = registration(tmp_path, "sms")
    server = await configured(
        app_service_config_files=[path, other], track_appservice_user_ips=True, limit_usage_by_mau=True, max_mau_value=1,
        mau_appservice_trial_days={"irc": 1}, form_secret="x", 
        user_consent={"version": 1.0, "template_dir": write_terms(tmp_path), "block_events_error": "Read %(consent_uri)s first"})
    services = Client(server, token), Client(server, other_token)
    for name, service in zip(("_irc_one", "_sms_one"), services):
        await service.post(V3 + "/register", {"type": TYPE, "username": name, "inhibit_login": True}, checked=False)
    login = {"type": TYPE, "identifier": {"type": "m.id.user", "user": "_irc_one"}}
    session = Client(server, (await services[0].post(V3 + "/login", login))["access_token"])
    bob = await server.register("bob")
    await bob.get(V3 + "/devices")
    # Neither is there a place left, nor has it agreed to anything; bob would have to.
    await session.post(V3 + "/createRoom", {})
    failure = await refused(services[1].post(f"{V3}/createRoom?user_id=@_sms_one:test.example", {}))
    assert failure.errcode == "M_RESOURCE_LIMIT_EXCEEDED"
    assert (await refused(bob.create_room())).errcode == "M_CONSENT_NOT_GIVEN"
    for client in (*services, session, bob):
        await client.close()


async def test_files_that_cannot_be(configured, tmp_path):
    first, _ = registration(tmp_path)
    for more, said in [({"id": "irc"}, "the id of"), ({"as_token": "the token of irc"}, "the as_token of"), ({"sender_localpart": None}, "sender_localpart"),
                       ({"namespaces": {"users": [{"regex": "(", "exclusive": True}]}}, "no regular expression")]:
        second, _ = registration(tmp_path, "sms", **more)
        with pytest.raises(AssertionError, match=said):
            await configured(app_service_config_files=[first, second])
