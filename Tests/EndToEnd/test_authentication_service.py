"""Logins by an authentication service (Matrix Authentication Service): its tokens, what it does with accounts, and what is not done here."""

import asyncio
import json
import secrets

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from crypto import Identity
from homeserver import Client, MatrixFailure
from loopback import Loopback

V3 = "/_matrix/client/v3"
MAS = "/_synapse/mas/"
API = "urn:matrix:client:api:*"


async def refused(awaitable):
    with pytest.raises(MatrixFailure) as failure:
        await awaitable
    return failure.value


class Service(Loopback):
    """What this server asks of the service."""

    def __init__(self):
        self.secret = secrets.token_hex(16)
        self.tokens, self.asked, self.answer = {}, [], None

    def routes(self):
        return [web.get("/.well-known/openid-configuration", self.metadata), web.post("/oauth2/introspect", self.introspect)]

    def options(self):
        return {"enable_registration": None, "enable_registration_without_verification": None,
                "matrix_authentication_service": {"enabled": True, "endpoint": self.base, "secret": self.secret}}

    async def metadata(self, request):
        return web.json_response({
            "issuer": "https://auth.example/", "authorization_endpoint": "https://auth.example/authorize",
            "token_endpoint": "https://auth.example/oauth2/token", "revocation_endpoint": "https://auth.example/oauth2/revoke",
            "registration_endpoint": "https://auth.example/oauth2/registration", "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"], "response_modes_supported": ["query", "fragment"],
            "code_challenge_methods_supported": ["S256"], "account_management_uri": "https://auth.example/account/",
            "account_management_actions_supported": ["org.matrix.cross_signing_reset"], "something_else": [1, 2]})

    async def introspect(self, request):
        form = await request.post()
        assert request.headers["Authorization"] == "Bearer " + self.secret
        assert request.headers["X-MAS-Supports-Device-Id"] == "1" and form["token_type_hint"] == "access_token"
        self.asked.append(form["token"])
        await asyncio.sleep(0.05)
        return self.answer or web.json_response(self.tokens.get(form["token"], {"active": False}))

    async def call(self, server, name, body=None, method="POST", token=None):
        """-> (status, JSON)"""
        client = Client(server, token or self.secret)
        status, _, content = await client.raw(method, MAS + name, body)
        await client.close()
        return status, json.loads(content) if content else None

    async def user(self, server, localpart, device="DEVICE", **more):
        """An account with a device, and a token for it -> a Client."""
        status, _ = await self.call(server, "provision_user", {"localpart": localpart})
        assert status in (200, 201)
        status, _ = await self.call(server, "upsert_device", {"localpart": localpart, "device_id": device})
        assert status in (200, 201)
        token = "mat_" + secrets.token_hex(8)
        self.tokens[token] = {"active": True, "username": localpart, "scope": f"openid {API} urn:matrix:client:device:{device}",
                              "sub": "01", "expires_in": 300, **more}
        return Client(server, token, f"@{localpart}:test.example", device)


@pytest_asyncio.fixture
async def service():
    async with Service() as service:
        yield service


async def test_tokens_of_the_service(configured, service):
    server = await configured(**service.options())
    alice = await service.user(server, "alice")
    assert await alice.get(V3 + "/account/whoami") == {"user_id": alice.user, "device_id": "DEVICE", "is_guest": False}
    room = await alice.create_room()
    await alice.send(room, "hello")
    # Asked once for all that comes within two minutes, at once or one after the other.
    await asyncio.gather(*(alice.get(V3 + "/account/whoami") for _ in range(20)))
    assert service.asked.count(alice.token) == 1
    bob = await service.user(server, "bob")
    await asyncio.gather(*(bob.get(V3 + "/account/whoami") for _ in range(20)))
    assert service.asked.count(bob.token) == 1

    # A device that is gone is logged out, whatever the service still says.
    assert await service.call(server, "delete_device", {"localpart": "alice", "device_id": "DEVICE"}) == (204, None)
    gone = await refused(alice.get(V3 + "/account/whoami"))
    assert gone.status == 401 and gone.errcode == "M_UNKNOWN_TOKEN" and gone.body["soft_logout"] is False

    for grant, status in [
        ({"active": False}, 401), ({"active": True, "username": "bob", "scope": "openid"}, 401),
        ({"active": True, "scope": API}, 500), ({"active": True, "username": "nobody", "scope": API}, 500),
        ({"active": True, "username": "bob", "scope": API + " urn:matrix:client:device:A urn:matrix:client:device:B"}, 500),
        ({"active": True, "username": "bob", "scope": API + " urn:matrix:client:device:OTHER"}, 401),
        ({"active": True, "username": "bob", "scope": API, "expires_in": 0}, 401), ({"nonsense": 1}, 503),
    ]:
        token = secrets.token_hex(8)
        service.tokens[token] = grant
        bob.token, kept = token, bob.token
        assert (await refused(bob.get(V3 + "/account/whoami"))).status == status, grant
        bob.token = kept
    # Whoever makes tokens up is not asked about again and again.
    for _ in range(5):
        bob.token, kept = "made up", bob.token
        assert (await refused(bob.get(V3 + "/account/whoami"))).status == 401
        bob.token = kept
    assert service.asked.count("made up") == 1

    service.answer = web.Response(status=500)
    await bob.get(V3 + "/account/whoami")
    bob.token = "another"
    failure = await refused(bob.get(V3 + "/account/whoami"))
    assert failure.status == 503 and failure.errcode == "M_UNKNOWN"
    assert "does not tell whose a token is" in server.log()
    log = (server.folder / "output.log").read_text()
    assert service.secret not in log and not any(token in log for token in service.tokens)
    for client in (alice, bob):
        await client.close()


async def test_administrators(configured, service):
    server = await configured(**service.options())
    alice = await service.user(server, "alice")
    path = f"/_synapse/admin/v1/users/{alice.user}/_allow_cross_signing_replacement_without_uia"
    assert (await refused(alice.post(path))).status == 403
    admin = await service.user(server, "admin", scope=f"{API} urn:synapse:admin:* urn:matrix:client:device:DEVICE")
    assert (await refused(admin.post(path))).status == 404
    for client in (alice, admin):
        await client.close()


async def test_what_clients_are_told(configured, service):
    server = await configured(**service.options())
    anonymous = Client(server)
    metadata = await anonymous.get("/_matrix/client/v1/auth_metadata")
    assert metadata["issuer"] == "https://auth.example/" and metadata["something_else"] == [1, 2]
    status, headers, _ = await anonymous.raw("GET", "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata")
    assert status == 200 and "max-age=600" in headers["Cache-Control"]
    assert await anonymous.get("/_matrix/client/unstable/org.matrix.msc2965/auth_issuer", checked=False) == {
        "issuer": "https://auth.example/"}
    known = await anonymous.get("/.well-known/matrix/client", checked=False)
    assert known["org.matrix.msc2965.authentication"] == {
        "issuer": "https://auth.example/", "account": "https://auth.example/account/"}
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{server.base}{V3}/auth/m.oauth/fallback/web?session=x", allow_redirects=False) as answer:
            assert answer.status == 302
            assert answer.headers["Location"] == "https://auth.example/account/?action=org.matrix.cross_signing_reset"
    await anonymous.close()


async def test_what_is_the_services_business(configured, service):
    server = await configured(**service.options())
    alice = await service.user(server, "alice")
    for method, path in [
        ("GET", "/login"), ("POST", "/login"), ("GET", "/login/sso/redirect?redirectUrl=https://a.example"), ("POST", "/refresh"),
        ("POST", "/logout"), ("POST", "/logout/all"), ("POST", "/register"), ("GET", "/register/available?username=x"),
        ("POST", "/account/password"), ("POST", "/account/deactivate"), ("POST", "/delete_devices"),
        ("DELETE", "/devices/DEVICE"),
    ]:
        failure = await refused(alice.call(method, V3 + path, {} if method != "GET" else None, checked=False))
        assert failure.status in (404, 405) and failure.errcode == "M_UNRECOGNIZED", path
    assert (await refused(alice.get("/_synapse/admin/v1/register"))).errcode == "M_UNRECOGNIZED"
    assert (await alice.get(V3 + "/devices/DEVICE"))["device_id"] == "DEVICE"
    capabilities = (await alice.get(V3 + "/capabilities"))["capabilities"]
    assert capabilities["m.change_password"] == {"enabled": False}
    await alice.close()


async def test_replacing_keys(configured, service):
    server = await configured(**service.options())
    alice = await service.user(server, "alice")
    first, second = Identity(alice.user).body(), Identity(alice.user).body()
    upload = V3 + "/keys/device_signing/upload"
    await alice.post(upload, first)
    await alice.post(upload, first)
    challenge = await refused(alice.post(upload, second))
    url = "https://auth.example/account/?action=org.matrix.cross_signing_reset"
    assert challenge.status == 401 and challenge.body["flows"] == [{"stages": ["m.oauth"]}, {"stages": ["org.matrix.cross_signing_reset"]}]
    assert challenge.body["params"]["m.oauth"] == {"url": url}
    assert await service.call(server, "allow_cross_signing_reset", {"localpart": "alice"}) == (200, {})
    await alice.post(upload, second)
    await alice.close()


async def test_accounts_at_the_services_word(configured, service):
    server = await configured(**service.options())

    async def call(name, body=None, method="POST"):
        return await service.call(server, name, body, method)

    # Nobody else calls these.
    for token in ("wrong", service.secret[:-1], service.secret + "x"):
        status, body = await service.call(server, "provision_user", {"localpart": "alice"}, token=token)
        assert status == 403 and body["errcode"] == "M_UNKNOWN"
    assert (await Client(server).raw("POST", MAS + "provision_user", {"localpart": "alice"}))[0] == 401

    assert (await call("is_localpart_available?localpart=alice", method="GET")) == (200, {})
    for localpart, errcode in [("Alice", "M_INVALID_USERNAME"), ("_alice", "M_INVALID_USERNAME"), ("", "M_INVALID_USERNAME"),
                               ("123", "M_INVALID_USERNAME")]:
        status, body = await call(f"is_localpart_available?localpart={localpart}", method="GET")
        assert status == 400 and body["errcode"] == errcode
    assert (await call("is_localpart_available", method="GET"))[0] == 400

    body = {"localpart": "alice", "set_displayname": "Alice", "set_avatar_url": "mxc://test.example/a"}
    assert await call("provision_user", body) == (201, {})
    assert await call("provision_user", body) == (200, {})
    assert (await call("is_localpart_available?localpart=alice", method="GET"))[1]["errcode"] == "M_USER_IN_USE"
    assert await call("query_user?localpart=alice", method="GET") == (200, {
        "user_id": "@alice:test.example", "display_name": "Alice", "avatar_url": "mxc://test.example/a", "is_suspended": False,
        "is_deactivated": False})
    assert (await call("query_user?localpart=nobody", method="GET"))[0] == 404
    assert await call("provision_user", {"localpart": "alice", "unset_displayname": True, "unset_avatar_url": True}) == (200, {})
    user = (await call("query_user?localpart=alice", method="GET"))[1]
    assert user["display_name"] is None and user["avatar_url"] is None
    assert await call("set_displayname", {"localpart": "alice", "displayname": "Al"}) == (200, {})
    assert (await call("query_user?localpart=alice", method="GET"))[1]["display_name"] == "Al"
    assert await call("unset_displayname", {"localpart": "alice"}) == (200, {})

    for name, wrong in [
        ("provision_user", {}), ("provision_user", {"localpart": 5}), ("provision_user", {"localpart": "Not Allowed"}),
        ("provision_user", {"localpart": "alice", "set_displayname": "x", "unset_displayname": True}),
        ("delete_user", {"localpart": "alice"}), ("delete_user", {"localpart": "alice", "erase": "yes"}),
        ("upsert_device", {"localpart": "alice"}), ("sync_devices", {"localpart": "alice", "devices": "A"}),
        ("set_displayname", {"localpart": "alice"}), ("upsert_device", {"localpart": "alice", "device_id": ""}),
    ]:
        assert (await call(name, wrong))[0] == 400, (name, wrong)
    for name in ("delete_user", "reactivate_user", "set_displayname", "unset_displayname", "allow_cross_signing_reset", "upsert_device",
                 "delete_device", "update_device_display_name", "sync_devices"):
        body = {"localpart": "nobody", "erase": False, "displayname": "x", "device_id": "D", "display_name": "x", "devices": []}
        assert (await call(name, body))[0] == 404, name

    alice = await service.user(server, "alice")
    room = await alice.create_room()

    async def addresses():
        return {row["address"] for row in (await alice.get(V3 + "/account/3pid"))["threepids"]}

    # Whose an address is, is for the service to say.
    assert await call("provision_user", {"localpart": "alice", "set_emails": ["Alice@X.example", "shared@x.example"]}) == (200, {})
    assert await addresses() == {"alice@x.example", "shared@x.example"}
    assert await call("provision_user", {"localpart": "bob", "set_emails": ["shared@x.example"]}) == (201, {})
    assert await addresses() == {"alice@x.example"}
    assert (await call("provision_user", {"localpart": "alice", "set_emails": [], "unset_emails": True}))[0] == 400
    assert await call("provision_user", {"localpart": "alice", "unset_emails": True}) == (200, {})
    assert await addresses() == set()
    assert await call("provision_user", {"localpart": "alice", "locked": True}) == (200, {})
    assert (await refused(alice.get(V3 + "/account/whoami"))).errcode == "M_USER_LOCKED"
    assert await call("provision_user", {"localpart": "alice", "locked": False}) == (200, {})
    await alice.get(V3 + "/account/whoami")

    assert await call("delete_user", {"localpart": "alice", "erase": False}) == (200, {})
    assert (await refused(alice.get(V3 + "/account/whoami"))).status == 401
    assert (await call("query_user?localpart=alice", method="GET"))[1]["is_deactivated"] is True
    assert await call("reactivate_user", {"localpart": "alice"}) == (200, {})
    again = await service.user(server, "alice", device="NEW")
    assert (await again.get(V3 + "/account/whoami"))["device_id"] == "NEW"
    assert room not in (await again.get(V3 + "/joined_rooms"))["joined_rooms"]
    for client in (alice, again):
        await client.close()


async def test_devices_at_the_services_word(configured, service):
    server = await configured(**service.options())
    alice = await service.user(server, "alice", device="ONE")

    async def devices():
        return {d["device_id"]: d.get("display_name") for d in (await alice.get(V3 + "/devices"))["devices"]}

    async def call(name, **body):
        return await service.call(server, name, {"localpart": "alice", **body})

    since = (await alice.sync())["next_batch"]
    assert await call("upsert_device", device_id="TWO", display_name="Two") == (201, {})
    assert await call("upsert_device", device_id="TWO", display_name="Second") == (200, {})
    assert await devices() == {"ONE": None, "TWO": "Second"}
    assert await call("update_device_display_name", device_id="TWO", display_name="2") == (200, {})
    assert (await call("update_device_display_name", device_id="NONE", display_name="2"))[0] == 404
    assert alice.user in (await alice.sync(since))["device_lists"]["changed"]
    assert await call("delete_device", device_id="NONE") == (204, None)
    assert await call("sync_devices", devices=["ONE", "THREE", "FOUR", "THREE"]) == (200, {})
    assert set(await devices()) == {"ONE", "THREE", "FOUR"}
    assert await call("sync_devices", devices=["ONE"]) == (200, {})
    assert set(await devices()) == {"ONE"}
    assert (await call("upsert_device", device_id="X" * 513))[0] == 400
    await alice.close()


async def test_nothing_of_it_where_there_is_no_service(server, people):
    alice = await people("alice")
    assert (await refused(alice.get("/_matrix/client/v1/auth_metadata"))).errcode == "M_UNRECOGNIZED"
    assert (await refused(alice.post(MAS + "provision_user", {"localpart": "x"}))).errcode == "M_UNRECOGNIZED"
    assert "org.matrix.msc2965.authentication" not in await alice.get("/.well-known/matrix/client", checked=False)
