"""A provider of OpenID Connect that does as a test wants: it lets everybody in whom the test names, with whatever claims and signatures."""

import base64
import hashlib
import json
import secrets
import time
from urllib.parse import urlencode

from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from loopback import Loopback


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Key:
    def __init__(self, algorithm="RS256"):
        self.algorithm, self.id = algorithm, secrets.token_hex(4)
        self.private = rsa.generate_private_key(65537, 2048) if algorithm == "RS256" else ec.generate_private_key(ec.SECP256R1())

    def public(self):
        numbers = self.private.public_key().public_numbers()
        if self.algorithm == "RS256":
            return {"kty": "RSA", "kid": self.id, "alg": "RS256", "use": "sig", "n": number(numbers.n), "e": number(numbers.e)}
        return {"kty": "EC", "kid": self.id, "crv": "P-256", "x": number(numbers.x, 32), "y": number(numbers.y, 32)}

    def sign(self, claims, **header):
        text = ".".join(b64(json.dumps(part).encode()) for part in (
            {"alg": self.algorithm, "kid": self.id, **header}, claims)).encode()
        if self.algorithm == "RS256":
            signature = self.private.sign(text, padding.PKCS1v15(), hashes.SHA256())
        else:
            r, s = utils.decode_dss_signature(self.private.sign(text, ec.ECDSA(hashes.SHA256())))
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return f"{text.decode()}.{b64(signature)}"


class Provider(Loopback):
    """`async with Provider() as provider:` serves on a port of its own."""

    def __init__(self, algorithm="RS256", **metadata):
        self.key = Key(algorithm)
        self.keys = [self.key]
        self.metadata = metadata
        self.client_id, self.client_secret = "martlet", secrets.token_hex(16)
        # Who is logged in here, and what is told of them.
        self.user = {"sub": "alice-0815", "preferred_username": "alice", "name": "Alice Liddell", "email": "alice@x.example"}
        self.session = "session-1"
        # What a test changes of what is sent.
        self.change_claims = lambda claims: claims
        self.change_token = lambda token: token
        self.user_info = lambda claims: web.json_response(claims)
        self.codes, self.access_tokens, self.requests, self.asked = {}, {}, [], []

    def routes(self):
        return [web.get("/.well-known/openid-configuration", self.configuration), web.get("/authorize", self.authorize),
                web.post("/token", self.token), web.get("/userinfo", self.show_user), web.get("/keys", self.show_keys)]

    def options(self, **more):
        """An entry of `oidc_providers` for this provider."""
        mapping = {"localpart_template": "{{ user.preferred_username }}", "display_name_template": "{{ user.name }}"}
        return {"idp_id": "test", "idp_name": "The Test", "issuer": self.base, "client_id": self.client_id,
                "client_secret": self.client_secret, "skip_verification": True, "scopes": ["openid", "profile"],
                "user_mapping_provider": {"config": mapping}, **more}

    async def configuration(self, request):
        self.asked.append("configuration")
        return web.json_response({
            "issuer": self.base, "authorization_endpoint": self.base + "/authorize", "token_endpoint": self.base + "/token",
            "userinfo_endpoint": self.base + "/userinfo", "jwks_uri": self.base + "/keys", "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": [self.key.algorithm], "code_challenge_methods_supported": ["S256"],
            **self.metadata})

    async def show_keys(self, request):
        self.asked.append("keys")
        return web.json_response({"keys": [key.public() for key in self.keys]})

    async def authorize(self, request):
        """Nobody is asked here: the user is logged in and agrees."""
        query = dict(request.query)
        self.requests.append(query)
        assert query["response_type"] == "code" and query["client_id"] == self.client_id
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        answer = {"code": code, "state": query["state"]}
        raise web.HTTPFound(query["redirect_uri"] + "?" + urlencode(answer))

    async def token(self, request):
        form = await request.post()
        self.asked.append(("token", dict(form), request.headers.get("Authorization")))
        asked = self.codes.pop(form["code"], None)
        if not asked or asked["redirect_uri"] != form["redirect_uri"]:
            return web.json_response({"error": "invalid_grant", "error_description": "the code is not known"}, status=400)
        if challenge := asked.get("code_challenge"):
            if b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest()) != challenge:
                return web.json_response({"error": "invalid_grant", "error_description": "the verifier is wrong"}, status=400)
        access_token = secrets.token_urlsafe(16)
        now = int(time.time())
        claims = self.change_claims({
            "iss": self.base, "aud": self.client_id, "iat": now, "exp": now + 60, "nonce": asked["nonce"], "sid": self.session,
            **self.user})
        self.access_tokens[access_token] = self.user
        return web.json_response({
            "access_token": access_token, "token_type": "Bearer", "expires_in": 60,
            **({"id_token": self.change_token(self.key.sign(claims))} if "openid" in asked["scope"].split() else {})})

    async def show_user(self, request):
        self.asked.append("userinfo")
        user = self.access_tokens.get(request.headers["Authorization"].removeprefix("Bearer "))
        return self.user_info(user) if user else web.json_response({}, status=401)

    def logout_token(self, key=None, **changes):
        """OpenID Connect Back-Channel Logout §2.4."""
        claims = {"iss": self.base, "aud": self.client_id, "iat": int(time.time()), "jti": secrets.token_hex(8), "sub": self.user["sub"],
                  "sid": self.session, "events": {"http://schemas.openid.net/event/backchannel-logout": {}}, **changes}
        return (key or self.key).sign({name: value for name, value in claims.items() if value is not None})
