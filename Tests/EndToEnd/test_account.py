"""Passwords, devices and the end of an account, behind user-interactive authentication."""

import asyncio

import pytest

from homeserver import Client, Homeserver, MatrixFailure

V3 = "/_matrix/client/v3"


def password_of(client, password=None):
    return {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": client.user},
            "password": password or client.password}


async def log_in(server, client, password=None):
    answer = await Client(server).post(V3 + "/login", {**password_of(client, password)})
    return Client(server, answer["access_token"], client.user, answer["device_id"], password or client.password)


async def refused(awaitable):
    with pytest.raises(MatrixFailure) as failure:
        await awaitable
    return failure.value


async def test_deleting_a_device_asks_for_the_owners_password(server, people):
    alice, eve = await people("alice", "eve")
    other = await log_in(server, alice)
    path = f"{V3}/devices/{other.device}"

    challenge = await refused(alice.call("DELETE", path))
    assert challenge.status == 401 and challenge.body["flows"] == [{"stages": ["m.login.password"]}]
    wrong = await refused(alice.call("DELETE", path, {"auth": password_of(alice, "cashewnuts")}))
    assert wrong.status == 401 and wrong.errcode == "M_FORBIDDEN" and wrong.body["session"]
    stranger = await refused(alice.call("DELETE", path, {"auth": password_of(eve)}))
    assert stranger.status == 403
    assert (await other.get(V3 + "/account/whoami"))["device_id"] == other.device

    session = challenge.body["session"]
    await alice.call("DELETE", path, {"auth": {**password_of(alice), "session": session}})
    assert (await refused(other.get(V3 + "/account/whoami"))).errcode == "M_UNKNOWN_TOKEN"
    assert (await refused(alice.get(path))).status == 404
    # What was proven for one device does not delete another.
    third = await log_in(server, alice)
    reused = await refused(alice.call("DELETE", f"{V3}/devices/{third.device}", {"auth": {"session": session}}))
    assert reused.status == 403

    await alice.post(V3 + "/delete_devices", {"devices": [third.device, "unknown"], "auth": password_of(alice)})
    assert (await refused(third.get(V3 + "/account/whoami"))).errcode == "M_UNKNOWN_TOKEN"
    assert [d["device_id"] for d in (await alice.get(V3 + "/devices"))["devices"]] == [alice.device]
    for client in (other, third):
        await client.close()


@pytest.mark.parametrize("ends_others", [True, False])
async def test_a_new_password(server, people, ends_others):
    alice = await people("alice")
    other = await log_in(server, alice)
    body = {"new_password": "new one", "logout_devices": ends_others}
    challenge = await refused(alice.post(V3 + "/account/password", body))
    assert challenge.status == 401
    # The new password was taken with the first request: the next one need not repeat it.
    await alice.post(V3 + "/account/password", {"auth": {**password_of(alice), "session": challenge.body["session"]}})

    assert (await refused(log_in(server, alice))).status == 403
    await (await log_in(server, alice, "new one")).close()
    await alice.get(V3 + "/account/whoami")
    if ends_others:
        assert (await refused(other.get(V3 + "/account/whoami"))).status == 401
    else:
        await other.get(V3 + "/account/whoami")
    await other.close()


async def test_a_deactivated_account_leaves_its_rooms(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    invited = await alice.create_room(invite=[bob.user])
    await bob.put(f"{V3}/user/{bob.user}/account_data/org.example", {"a": 1})

    assert (await refused(bob.post(V3 + "/account/deactivate"))).status == 401
    wrong = await refused(bob.post(V3 + "/account/deactivate", {"auth": password_of(bob, "wrong")}))
    assert wrong.status == 401 and wrong.errcode == "M_FORBIDDEN"
    assert await bob.post(V3 + "/account/deactivate", {"auth": password_of(bob)}) == {"id_server_unbind_result": "success"}

    assert (await refused(bob.get(V3 + "/account/whoami"))).status == 401
    login = await refused(log_in(server, bob))
    assert login.status == 403
    for _ in range(100):
        memberships = [(await alice.get(f"{alice.room(r)}/state/m.room.member/{bob.user}"))["membership"] for r in (room, invited)]
        if memberships == ["leave", "leave"]:
            break
        await asyncio.sleep(0.05)
    assert memberships == ["leave", "leave"]
    again = await refused(Client(server).post(V3 + "/register", {"username": "bob", "password": "x", "auth": {"type": "m.login.dummy"}}))
    assert again.errcode == "M_USER_IN_USE"


async def test_rooms_are_left_after_a_kill_in_between(server, people):
    alice, bob = await people("alice", "bob")
    rooms = [await alice.create_room(preset="public_chat") for _ in range(30)]
    for room in rooms:
        await bob.join(room)
    await bob.post(V3 + "/account/deactivate", {"auth": password_of(bob)})
    await server.kill()
    await server.start()

    async def members():
        return [bob.user in (await alice.get(f"{alice.room(room)}/joined_members"))["joined"] for room in rooms]

    for _ in range(200):
        if not any(await members()):
            break
        await asyncio.sleep(0.05)
    assert not any(await members())


async def test_the_password_policy(database, tmp_path):
    policy = {"enabled": True, "minimum_length": 8, "require_digit": True}
    server = Homeserver(tmp_path / "server", database, password_config={"policy": policy})
    try:
        await server.start()
        body = {"username": "carol", "auth": {"type": "m.login.dummy"}}
        anonymous = Client(server)
        assert await anonymous.get(V3 + "/password_policy") == {
            "m.minimum_length": 8, "m.require_digit": True, "m.require_symbol": False, "m.require_lowercase": False, "m.require_uppercase": False}
        assert (await refused(anonymous.post(V3 + "/register", {**body, "password": "short1"}))).errcode == "M_PASSWORD_TOO_SHORT"
        assert (await refused(anonymous.post(V3 + "/register", {**body, "password": "no digits"}))).errcode == "M_PASSWORD_NO_DIGIT"
        answer = await anonymous.post(V3 + "/register", {**body, "password": "long enough 1"})
        carol = Client(server, answer["access_token"], answer["user_id"], answer["device_id"], "long enough 1")
        change = {"new_password": "short", "auth": password_of(carol)}
        assert (await refused(carol.post(V3 + "/account/password", change))).errcode == "M_PASSWORD_TOO_SHORT"
        await anonymous.close()
        await carol.close()
    finally:
        await server.destroy()


async def test_profile_fields(server, people):
    alice, bob = await people("alice", "bob")
    assert await alice.get(V3 + "/password_policy") == {}
    path = f"{V3}/profile/{alice.user}/"
    early = f"/_matrix/client/unstable/uk.tcpip.msc4133/profile/{alice.user}/"
    await alice.put(path + "m.tz", {"m.tz": "Europe/Berlin"})
    await alice.put(early + "org.example.shoe", {"org.example.shoe": {"size": 42, "colours": ["red", None]}})
    profile = await bob.get(f"{V3}/profile/{alice.user}")
    assert profile == {"displayname": "alice", "m.tz": "Europe/Berlin", "org.example.shoe": {"size": 42, "colours": ["red", None]}}
    assert await bob.get(early + "m.tz") == {"m.tz": "Europe/Berlin"}
    for field, body, errcode in [
            ("m.tz", {"m.tz": "no zone!"}, "M_INVALID_PARAM"), ("m.tz", {"m.tz": 1}, "M_INVALID_PARAM"), ("Org.Big", {"Org.Big": 1}, "M_INVALID_PARAM"),
            ("org.a", {"org.b": 1}, "M_MISSING_PARAM"), ("a" * 256, {"a" * 256: 1}, "M_KEY_TOO_LARGE"),
            ("org.big", {"org.big": "x" * 65_600}, "M_PROFILE_TOO_LARGE")]:
        assert (await refused(alice.put(path + field, body))).errcode == errcode, field
    # Many fields that together are too large, one of which can still be taken away.
    for n in range(6):
        await alice.put(f"{path}org.part{n}", {f"org.part{n}": "x" * 10_000})
    assert (await refused(alice.put(path + "org.last", {"org.last": "x" * 10_000}))).errcode == "M_PROFILE_TOO_LARGE"
    await alice.call("DELETE", early + "org.part0")
    await alice.put(path + "org.last", {"org.last": "x" * 10_000})
    assert (await refused(bob.put(path + "org.mine", {"org.mine": 1}))).errcode == "M_FORBIDDEN"
    assert (await refused(bob.get(path + "org.none"))).errcode == "M_NOT_FOUND"
    await server.restart()
    assert (await bob.get(path + "m.tz")) == {"m.tz": "Europe/Berlin"}


async def test_profiles_of_strangers(configured):
    server = await configured(require_auth_for_profile_requests=True, limit_profile_requests_to_users_who_share_rooms=True)
    alice, bob = await server.register("alice"), await server.register("bob")
    path = f"{V3}/profile/{alice.user}"
    await alice.put(path + "/m.tz", {"m.tz": "Europe/London"})
    assert (await alice.get(path))["m.tz"] == "Europe/London"
    assert (await refused(Client(server).get(path))).errcode == "M_MISSING_TOKEN"
    for each in (path, path + "/m.tz"):
        assert (await refused(bob.get(each))).errcode == "M_FORBIDDEN"
    await bob.join(await alice.create_room(preset="public_chat"))
    assert (await bob.get(path))["displayname"] == "alice"
    assert (await refused(alice.put(path + "/m.tz", {"m.tz": "not a zone"}))).errcode == "M_INVALID_PARAM"
    for client in (alice, bob):
        await client.close()
