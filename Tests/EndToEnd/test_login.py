"""Ways to log in besides with a password: tokens for another device, signed tokens."""

import base64
import hashlib
import hmac
import json
import time

import pytest

from homeserver import Client, MatrixFailure

V3 = "/_matrix/client/v3"
GET_TOKEN = "/_matrix/client/v1/login/get_token"


async def refused(awaitable):
    with pytest.raises(MatrixFailure) as failure:
        await awaitable
    return failure.value


def password_of(client):
    return {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": client.user}, "password": client.password}


async def flows(client):
    return {flow["type"]: flow for flow in (await client.get(V3 + "/login"))["flows"]}


async def token_for(client):
    challenge = await refused(client.post(GET_TOKEN))
    assert challenge.status == 401 and challenge.body["flows"] == [{"stages": ["m.login.password"]}]
    answer = await client.post(GET_TOKEN, {"auth": {**password_of(client), "session": challenge.body["session"]}})
    assert answer["expires_in_ms"] == answer["expires_in"] * 1000
    return answer["login_token"]


async def test_a_token_for_another_device(configured):
    server = await configured(login_via_existing_session={"enabled": True})
    alice, anonymous = await server.register("alice"), Client(server)
    assert (await flows(anonymous))["m.login.token"]["get_login_token"] is True
    capabilities = (await alice.get(V3 + "/capabilities"))["capabilities"]
    assert capabilities["m.get_login_token"] == {"enabled": True}

    token = await token_for(alice)
    await server.kill()
    await server.start()
    login = {"type": "m.login.token", "token": token}
    # What cannot be leaves the token as it is.
    wrong = await refused(anonymous.post(V3 + "/login", {**login, "initial_device_display_name": "x" * 101}))
    assert wrong.errcode == "M_TOO_LARGE"
    answer = await anonymous.post(V3 + "/login", {**login, "device_id": "TABLET", "refresh_token": True})
    assert answer["user_id"] == alice.user and answer["device_id"] == "TABLET" and answer["refresh_token"]
    again = await refused(anonymous.post(V3 + "/login", login))
    assert again.status == 403 and again.errcode == "M_FORBIDDEN"

    # No more than one a minute, after proving who it is.
    challenge = await refused(alice.post(GET_TOKEN))
    await alice.post(GET_TOKEN, {"auth": {**password_of(alice), "session": challenge.body["session"]}})
    often = await refused(alice.post(GET_TOKEN, {"auth": password_of(alice)}))
    assert often.status == 429 and often.errcode == "M_LIMIT_EXCEEDED"
    assert token not in server.log()
    for client in (alice, anonymous):
        await client.close()


async def test_no_tokens_for_other_devices_unless_the_operator_wants_them(server, people):
    alice = await people("alice")
    assert (await refused(alice.post(GET_TOKEN))).errcode == "M_UNRECOGNIZED"
    assert "m.login.token" not in await flows(alice)
    capabilities = (await alice.get(V3 + "/capabilities"))["capabilities"]
    assert capabilities["m.get_login_token"] == {"enabled": False}


async def test_tokens_that_expire_and_need_no_password(configured):
    server = await configured(login_via_existing_session={"enabled": True, "require_ui_auth": False, "token_timeout": 1})
    alice = await server.register("alice")
    answer = await alice.post(GET_TOKEN)
    assert answer["expires_in_ms"] == 1
    time.sleep(0.01)
    late = await refused(alice.post(V3 + "/login", {"type": "m.login.token", "token": answer["login_token"]}))
    assert late.status == 403
    await alice.close()


def signed(claims, secret, algorithm="HS256"):
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    text = part(json.dumps({"alg": algorithm}).encode()) + b"." + part(json.dumps(claims).encode())
    digest = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}[algorithm]
    return (text + b"." + part(hmac.new(secret.encode(), text, digest).digest())).decode()


async def test_signed_tokens(configured):
    secret = "known to the issuer and the server"
    server = await configured(jwt_config={"enabled": True, "secret": secret, "algorithm": "HS256", "issuer": "me",
                                          "display_name_claim": "name"})
    client = Client(server)
    assert "org.matrix.login.jwt" in await flows(client)

    def login(claims, **more):
        return client.post(V3 + "/login", {"type": "org.matrix.login.jwt", "token": signed(claims, **{"secret": secret, **more})})

    claims = {"sub": "frog", "iss": "me", "name": "The Frog", "exp": time.time() + 60}
    answer = await login(claims)
    assert answer["user_id"] == "@frog:test.example"
    client.token = answer["access_token"]
    assert (await client.get(f"{V3}/profile/@frog:test.example"))["displayname"] == "The Frog"
    client.token = None
    assert (await login(claims))["user_id"] == "@frog:test.example"

    for wrong, more, said in [
        (claims, {"secret": "another"}, "JWT validation failed: Signature verification failed"),
        (claims, {"algorithm": "HS512"}, "JWT validation failed: unsupported_algorithm: The algorithm is not accepted"),
        ({**claims, "exp": time.time() - 600}, {}, "JWT validation failed: expired_token: The token is expired"),
        ({**claims, "nbf": time.time() + 600}, {}, "JWT validation failed: invalid_token: The token is not valid yet"),
        ({**claims, "iss": "you"}, {}, "JWT validation failed: invalid_claim: Invalid claim 'iss'"),
        ({**claims, "aud": "you"}, {}, "JWT validation failed: invalid_claim: Invalid claim 'aud'"),
        ({"iss": "me"}, {}, "Invalid JWT"),
    ]:
        failure = await refused(login(wrong, **more))
        assert failure.status == 403 and failure.errcode == "M_FORBIDDEN" and failure.body["error"] == said
    assert (await refused(login({**claims, "sub": "Föhn"}))).errcode == "M_INVALID_USERNAME"
    await client.close()
