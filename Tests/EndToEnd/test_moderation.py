"""Accounts that are locked, suspended or expired, limits of users and of the server."""

import asyncio
import json
import re
import time

import pytest

import specification
from homeserver import Client, MatrixFailure
from test_registration import post_once, refused

V3, V1 = "/_matrix/client/v3", "/_matrix/client/v1"


async def test_a_locked_account(people, server):
    alice = await people("alice")
    admin = await server.register("admin", admin=True)
    lock = f"{V1}/admin/lock/{alice.user}"
    assert await admin.get(lock) == {"locked": False}
    assert await admin.put(lock, {"locked": True}) == {"locked": True}
    for attempt in (alice.sync(), alice.get(V3 + "/account/whoami"), alice.create_room(), alice.put(f"{V3}/profile/{alice.user}/displayname", {"displayname": "x"})):
        failure = await refused(attempt)
        assert failure.status == 401 and failure.errcode == "M_USER_LOCKED" and failure.body["soft_logout"] is True
    login = {"type": "m.login.password", "user": "alice", "password": alice.password}
    assert (await refused(post_once(server, V3 + "/login", login))).errcode == "M_USER_LOCKED"
    # The lock survives a restart, and the session the lock.
    await server.restart()
    assert (await refused(alice.sync())).errcode == "M_USER_LOCKED"
    await admin.put(lock, {"locked": False})
    await alice.sync()
    await admin.put(lock, {"locked": True})
    await alice.post(V3 + "/logout")
    await admin.put(lock, {"locked": False})
    assert (await refused(alice.sync())).errcode == "M_UNKNOWN_TOKEN"
    await admin.close()


async def test_a_locked_account_is_let_in_nowhere(started):
    server = await started()
    alice, admin, anonymous = await server.register("alice"), await server.register("admin", admin=True), Client(server)
    await admin.put(f"{V1}/admin/lock/{alice.user}", {"locked": True})
    wrong, count = [], 0
    for method, endpoints in specification.ENDPOINTS.items():
        for template in {"/".join(endpoint.segments) for endpoint in endpoints}:
            path = re.sub(r"\{[^}]*\}", "x", template.replace("{userId}", alice.user))
            body = None if method == "GET" else {}
            _, _, content = await anonymous.raw(method, path, body)
            # The two by which one logs out are for those who are locked as well.
            if b"M_MISSING_TOKEN" not in content or "/logout" in path:
                continue
            count += 1
            status, _, content = await alice.raw(method, path, body)
            if status != 401 or (json.loads(content)["errcode"], json.loads(content).get("soft_logout")) != ("M_USER_LOCKED", True):
                wrong.append((method, path, content))
    assert not wrong and count > 90
    await alice.post(V3 + "/logout/all")
    for client in (alice, admin, anonymous):
        await client.close()


async def test_a_waiting_sync_of_a_locked_account_is_the_last(people, server):
    alice = await people("alice")
    admin = await server.register("admin", admin=True)
    since = (await alice.sync())["next_batch"]
    waiting = asyncio.create_task(alice.sync(since, timeout=1500))
    await asyncio.sleep(0.3)
    await admin.put(f"{V1}/admin/lock/{alice.user}", {"locked": True})
    await waiting
    assert (await refused(alice.sync(since))).errcode == "M_USER_LOCKED"
    await admin.close()


@pytest.mark.parametrize("kind", ["lock", "suspend"])
async def test_who_may_moderate_whom(people, server, kind):
    alice, bob = await people("alice", "bob")
    admin, other = await server.register("admin", admin=True), await server.register("other", admin=True)
    path, body = f"{V1}/admin/{kind}/", {kind + "ed": True}
    for client, user, status, errcode in [
            (alice, bob.user, 403, "M_FORBIDDEN"), (alice, "@nobody:test.example", 403, "M_FORBIDDEN"), (admin, admin.user, 403, "M_FORBIDDEN"),
            (admin, other.user, 403, "M_FORBIDDEN"), (admin, "@nobody:test.example", 404, "M_NOT_FOUND"),
            (admin, "@alice:elsewhere.example", 400, "M_INVALID_PARAM")]:
        failure = await refused(client.put(path + user, body))
        assert (failure.status, failure.errcode) == (status, errcode), user
    assert (await refused(admin.put(path + bob.user, {}))).errcode == "M_MISSING_PARAM"
    assert (await refused(admin.put(path + bob.user, {kind + "ed": "yes"}))).errcode == "M_BAD_JSON"
    anonymous = Client(server)
    assert (await refused(anonymous.get(path + bob.user))).errcode == "M_MISSING_TOKEN"
    capabilities = (await admin.get(V3 + "/capabilities"))["capabilities"]
    assert capabilities["m.account_moderation"] == {"lock": True, "suspend": True}
    assert "m.account_moderation" not in (await alice.get(V3 + "/capabilities"))["capabilities"]
    for client in (admin, other, anonymous):
        await client.close()


async def test_a_suspended_account_reads_and_tidies_up(people, server):
    alice, bob = await people("alice", "bob")
    admin = await server.register("admin", admin=True)
    room = await alice.create_room(preset="public_chat", power_level_content_override={"users": {bob.user: 100}})
    await bob.join(room)
    own, others = await bob.send(room, "regretted"), await alice.send(room, "hello")
    invited, public = await alice.create_room(invite=[bob.user]), await alice.create_room(preset="public_chat")
    assert await admin.put(f"{V1}/admin/suspend/{bob.user}", {"suspended": True}) == {"suspended": True}
    assert await admin.get(f"{V1}/admin/suspend/{bob.user}") == {"suspended": True}

    forbidden = {
        "send": bob.send(room, "more"), "state": bob.state(room, "m.room.topic", {"topic": "mine"}), "join": bob.join(public), "accept": bob.join(invited),
        "knock": bob.post(f"{V3}/knock/{public}"), "invite": bob.invite(room, "@carol:test.example"), "create": bob.create_room(),
        "profile": bob.put(f"{V3}/profile/{bob.user}/displayname", {"displayname": "x"}),
        "field": bob.call("DELETE", f"{V3}/profile/{bob.user}/org.example"),
        "kick": bob.post(f"{bob.room(room)}/kick", {"user_id": alice.user}), "redact": bob.put(f"{bob.room(room)}/redact/{others}/t1"),
        "redaction": bob.put(f"{bob.room(room)}/send/m.room.redaction/t2", {"redacts": others}),
        "member": bob.state(room, "m.room.member", {"membership": "join", "displayname": "x"}, key=bob.user),
        "upgrade": bob.post(f"{bob.room(room)}/upgrade", {"new_version": "11"}), "contact": bob.post(V3 + "/account/3pid/delete", {"medium": "email", "address": "a@b"}),
    }
    for name, attempt in forbidden.items():
        failure = await refused(attempt)
        assert (failure.status, failure.errcode) == (403, "M_USER_SUSPENDED"), name

    assert [event["content"].get("body") for event in await bob.messages(room) if event["type"] == "m.room.message"][0] == "hello"
    await bob.sync()
    await bob.put(f"{bob.room(room)}/redact/{own}/t3")
    login = {"type": "m.login.password", "user": "bob", "password": bob.password}
    again = Client(server, (await post_once(server, V3 + "/login", login))["access_token"])
    assert (await refused(again.send(room, "more"))).errcode == "M_USER_SUSPENDED"
    await again.post(V3 + "/keys/upload", {})
    await bob.leave(invited)
    await bob.leave(room)
    # Synapse's form of it.
    admin_path = f"/_synapse/admin/v1/suspend/{bob.user}"
    assert await admin.put(admin_path, {"suspend": False}) == {f"user_{bob.user}_suspended": False}
    await bob.join(room)
    await bob.send(room, "back")
    for client in (admin, again):
        await client.close()


async def test_accounts_end_at_their_time(configured):
    server = await configured(account_validity={"enabled": True, "period": "1h"})
    admin, alice = await server.register("admin", admin=True), await server.register("alice")
    renew = "/_synapse/admin/v1/account_validity/validity"
    await alice.sync()
    past = int(time.time() * 1000) - 1
    assert await admin.post(renew, {"user_id": alice.user, "expiration_ts": past}) == {"expiration_ts": past}
    failure = await refused(alice.sync())
    assert failure.status == 403 and failure.errcode == "ORG_MATRIX_EXPIRED_ACCOUNT"
    assert (await admin.post(renew, {"user_id": alice.user}))["expiration_ts"] > time.time() * 1000
    await alice.sync()
    assert (await refused(admin.post(renew, {"user_id": "@nobody:test.example"}))).status == 404
    # An account that has ended can still log out.
    await admin.post(renew, {"user_id": alice.user, "expiration_ts": past})
    await alice.post(V3 + "/logout")
    for client in (admin, alice):
        await client.close()


async def test_a_server_has_places_for_so_many(configured):
    server = await configured(limit_usage_by_mau=True, max_mau_value=2, admin_contact="mailto:admin@test.example")
    alice, bob, carol = [await server.register(name) for name in ("alice", "bob", "carol")]
    # Which two of the three get the places depends on when it is noted that they are here.
    turned_away = []
    for _ in range(300):
        for client in (alice, bob, carol):
            try:
                await client.sync()
            except MatrixFailure as failure:
                assert failure.status == 403 and failure.errcode == "M_RESOURCE_LIMIT_EXCEEDED"
                assert failure.body["admin_contact"] == "mailto:admin@test.example" and failure.body["limit_type"] == "monthly_active_user"
                turned_away.append(client)
        if turned_away:
            break
        await asyncio.sleep(0.1)
    assert len(turned_away) == 1
    assert (await refused(turned_away[0].create_room())).errcode == "M_RESOURCE_LIMIT_EXCEEDED"
    await server.restart()
    with pytest.raises(MatrixFailure):
        await turned_away[0].sync()
    fourth = await refused(post_once(server, V3 + "/register", {"username": "dave", "password": "secret", "auth": {"type": "m.login.dummy"}}))
    assert fourth.errcode == "M_RESOURCE_LIMIT_EXCEEDED"
    for client in (alice, bob, carol):
        await client.close()


async def test_a_server_that_is_switched_off(configured):
    server = await configured(hs_disabled=True, hs_disabled_message="Moving house")
    alice = await server.register("alice")
    failure = await refused(alice.sync())
    assert failure.errcode == "M_RESOURCE_LIMIT_EXCEEDED" and failure.body["error"] == "Moving house" and failure.body["limit_type"] == "hs_disabled"
    await alice.close()


async def test_limits_of_single_users(configured):
    server = await configured(rc_message={"per_second": 0.01, "burst_count": 3})
    admin, alice = await server.register("admin", admin=True), await server.register("alice")
    room = await alice.create_room()
    path = f"/_synapse/admin/v1/users/{alice.user}/override_ratelimit"
    assert await admin.get(path) == {}

    async def sent(count):
        results = [await alice.raw("PUT", f"{alice.room(room)}/send/m.room.message/{time.monotonic_ns()}", {"msgtype": "m.text", "body": "x"}) for _ in range(count)]
        assert all(int(headers["Retry-After"]) > 0 for status, headers, _ in results if status == 429)
        return sum(status == 200 for status, _, _ in results)

    assert await sent(6) < 4
    assert await admin.post(path, {"messages_per_second": 0, "burst_count": 0}) == {"messages_per_second": 0, "burst_count": 0}
    assert await sent(6) == 6
    await server.restart()
    assert await sent(6) == 6 and await admin.get(path) == {"messages_per_second": 0, "burst_count": 0}
    assert await admin.call("DELETE", path) == {}
    assert await sent(6) < 4
    for bad in ({"burst_count": -1}, {"messages_per_second": "5"}):
        assert (await refused(admin.post(path, bad))).errcode == "M_INVALID_PARAM"
    assert (await refused(alice.get(path))).status == 403
    assert (await refused(admin.get(path.replace("alice", "nobody")))).status == 404
    for client in (admin, alice):
        await client.close()


async def test_logins_are_limited_by_account_and_by_address(configured):
    server = await configured(rc_login={"address": {"per_second": 1e6, "burst_count": 1e6}, "account": {"per_second": 1e6, "burst_count": 1e6},
                                        "failed_attempts": {"per_second": 0.01, "burst_count": 3}})
    alice, bob = await server.register("alice"), await server.register("bob")

    def log_in(name, password):
        return post_once(server, V3 + "/login", {"type": "m.login.password", "user": name, "password": password})

    for _ in range(3):
        assert (await refused(log_in("alice", "wrong"))).errcode == "M_FORBIDDEN"
    assert (await refused(log_in("alice", alice.password))).errcode == "M_LIMIT_EXCEEDED"
    await log_in("bob", bob.password)
    # The same for an account that is not.
    for _ in range(3):
        assert (await refused(log_in("nobody", "wrong"))).errcode == "M_FORBIDDEN"
    assert (await refused(log_in("nobody", "wrong"))).errcode == "M_LIMIT_EXCEEDED"
    # Who is logged in can still show who they are, and runs into a limit of their own.
    password = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}, "password": "wrong"}
    for _ in range(3):
        assert (await refused(alice.post(V3 + "/delete_devices", {"devices": [], "auth": password}))).status == 401
    assert (await refused(alice.post(V3 + "/delete_devices", {"devices": [], "auth": password}))).errcode == "M_LIMIT_EXCEEDED"
    await server.stop()
    by_address = await configured(rc_login={"address": {"per_second": 0.01, "burst_count": 2}})
    carol = await by_address.register("carol")
    for _ in range(2):
        await post_once(by_address, V3 + "/login", {"type": "m.login.password", "user": "carol", "password": carol.password})
    limited = await refused(post_once(by_address, V3 + "/login", {"type": "m.login.password", "user": "carol", "password": carol.password}))
    assert limited.errcode == "M_LIMIT_EXCEEDED"
    for client in (alice, bob, carol):
        await client.close()


async def test_devices_that_nobody_uses_go_and_from_where_they_were_used_is_told(configured):
    server = await configured(delete_stale_devices_after="2s")
    alice, admin = await server.register("alice"), await server.register("admin", admin=True)
    await alice.get(V3 + "/account/whoami")
    whois = f"{V3}/admin/whois/{alice.user}"
    connections = (await alice.get(whois))["devices"][alice.device]["sessions"][0]["connections"]
    assert connections[0]["ip"] == "127.0.0.1" and connections[0]["last_seen"] > 1.7e12 and "aiohttp" in connections[0]["user_agent"]
    assert (await admin.get(whois))["user_id"] == alice.user
    assert (await admin.get(f"/_synapse/admin/v1/whois/{alice.user}"))["devices"].keys() == {alice.device}
    assert (await refused(alice.get(f"{V3}/admin/whois/{admin.user}"))).status == 403
    await asyncio.sleep(2.2)
    await server.restart()
    for _ in range(100):
        if (await alice.raw("GET", V3 + "/account/whoami"))[0] == 401:
            break
        await asyncio.sleep(0.1)
    assert (await refused(alice.get(V3 + "/account/whoami"))).errcode == "M_UNKNOWN_TOKEN"
    for client in (alice, admin):
        await client.close()
