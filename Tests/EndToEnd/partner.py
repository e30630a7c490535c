"""Another server, as far as Martlet speaks with it: a certificate of an authority of its own, a signing key, and answers as a test wants them."""

import asyncio
import base64
import datetime
import ipaddress
import json
import ssl
import time
from pathlib import Path
from urllib.parse import quote

import aiohttp
import yarl
from aiohttp import web
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import NameOID


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def unpadded(data):
    return base64.b64encode(data).rstrip(b"=").decode()


def padded(text):
    return base64.b64decode(text + "=" * (-len(text) % 4))


class Authority:
    """Makes certificates that those trust who have its own."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])
        self.certificate = self.sign(self.name, self.key.public_key(), x509.BasicConstraints(ca=True, path_length=None))
        self.path = self.folder / "authority.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def sign(self, subject, public_key, *extensions):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public_key)
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
                   .not_valid_after(now + datetime.timedelta(days=30)))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self.key, hashes.SHA256())

    def certify(self, *names):
        """A new key with a certificate for these names and addresses, in one file -> its path."""
        key = ec.generate_private_key(ec.SECP256R1())
        entries = []
        for name in names:
            try:
                entries.append(x509.IPAddress(ipaddress.ip_address(name)))
            except ValueError:
                entries.append(x509.DNSName(name))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = self.sign(subject, key.public_key(), x509.BasicConstraints(ca=False, path_length=None),
                                x509.SubjectAlternativeName(entries))
        path = self.folder / f"{names[0].replace(':', '_')}-{time.monotonic_ns()}.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return path

    def context(self, *names):
        """A TLS context with such a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certify(*names))
        return context


class Partner:
    """A server on loopback with TLS. `handlers` maps paths to functions of aiohttp; what it has none for is answered with 404."""

    # Ports that partners have had: a server under test remembers the keys of each name, and a new partner has another key.
    ports = set()

    def __init__(self, authority, host="127.0.0.1", names=("localhost", "127.0.0.1"), port=0, name=None):
        self.authority, self.host, self.names, self.port, self.given_name = authority, host, names, port, name
        self.key = Ed25519PrivateKey.generate()
        self.key_id = "ed25519:partner"
        self.handlers = {"/_matrix/key/v2/server": self.own_keys}
        self.asked = []
        self.session = None

    async def start(self):
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self.answer)
        self.runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
        await self.runner.setup()
        context = self.authority.context(*self.names)
        while True:
            site = web.TCPSite(self.runner, self.host, self.port, ssl_context=context)
            await site.start()
            port = self.runner.addresses[0][1]
            if self.port or port not in self.ports:
                break
            await site.stop()
        self.port = port
        self.ports.add(port)
        self.name = self.given_name or f"localhost:{self.port}"
        return self

    async def stop(self):
        await self.runner.cleanup()
        if self.session:
            await self.session.close()

    async def answer(self, request):
        self.asked.append((request.method, request.path_qs, request.headers.get("Host")))
        handler = self.handlers.get(request.path)
        return await handler(request) if handler else web.json_response({"errcode": "M_UNRECOGNIZED"}, status=404)

    def count(self, path):
        return sum(1 for _, asked, _ in self.asked if asked.split("?")[0] == path)

    # Keys and signatures

    def sign(self, value, name=None, key=None, key_id=None):
        covered = {k: v for k, v in value.items() if k not in ("signatures", "unsigned")}
        signature = unpadded((key or self.key).sign(canonical(covered)))
        signatures = {**value.get("signatures", {})}
        signatures.setdefault(name or self.name, {})[key_id or self.key_id] = signature
        return {**value, "signatures": signatures}

    def key_document(self, valid_for=3600, name=None, key=None):
        public = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return self.sign({
            "server_name": name or self.name, "valid_until_ts": int((time.time() + valid_for) * 1000),
            "verify_keys": {self.key_id: {"key": unpadded(public)}}, "old_verify_keys": {}}, name=name, key=key)

    async def own_keys(self, request):
        return web.json_response(self.key_document())

    def authorization(self, method, uri, destination, content=None, key=None, origin=None):
        request = {"method": method, "uri": uri, "origin": origin or self.name, "destination": destination}
        if content is not None:
            request["content"] = content
        signature = unpadded((key or self.key).sign(canonical(request)))
        return (f'X-Matrix origin="{origin or self.name}",destination="{destination}",key="{self.key_id}",sig="{signature}"')

    # Asking

    async def ask(self, server, method, path, query=None, content=None, authorization=None):
        """A signed request to a server under test -> (status, JSON)."""
        uri = path + ("?" + "&".join(f"{k}={quote(v, safe='')}" for k, v in query.items()) if query else "")
        if authorization is None:
            authorization = self.authorization(method, uri, server.name, content)
        headers = {"Authorization": authorization} if authorization else {}
        if self.session is None:
            self.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        async with self.session.request(method, yarl.URL(server.base + uri, encoded=True), headers=headers,
                                        data=None if content is None else json.dumps(content)) as answer:
            return answer.status, await answer.json(content_type=None)


def check_signature(value, name, key_id, key):
    """Raises where `value` is not signed by the key, given in unpadded Base64."""
    covered = {k: v for k, v in value.items() if k not in ("signatures", "unsigned")}
    try:
        Ed25519PublicKey.from_public_bytes(padded(key)).verify(padded(value["signatures"][name][key_id]), canonical(covered))
    except InvalidSignature:
        raise AssertionError(f"{name} has not signed {value}")


async def endless(request):
    """A body that never ends."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    chunk = b'{"padding":"' + b"x" * 65536
    try:
        while True:
            await response.write(chunk)
    except (ConnectionError, asyncio.CancelledError):
        return response


async def slow(request):
    """A body of which a byte comes now and then."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    try:
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.5)
    except (ConnectionError, asyncio.CancelledError):
        return response
