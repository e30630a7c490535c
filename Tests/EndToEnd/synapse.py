"""The real Synapse as tests use it, with the face of `Homeserver`; and what two servers need to speak with each other over TLS on loopback."""

import base64
import os
import secrets
import sys

from cable import Cable
from homeserver import OUT_OF_THE_WAY, Homeserver

LOG = """\
version: 1
formatters: {plain: {format: '%(asctime)s %(name)s %(levelname)s %(request)s %(message)s'}}
filters: {context: {(): synapse.logging.context.LoggingContextFilter, request: ""}}
handlers: {out: {class: logging.StreamHandler, formatter: plain, filters: [context], stream: ext://sys.stdout}}
root: {level: LEVEL, handlers: [out]}
disable_existing_loggers: false
"""

# Both servers come back to each other at once: what a test cuts off it mends again within seconds. Milliseconds.
QUICK = {"client_timeout": 10_000, "max_short_retry_delay": 200, "max_long_retry_delay": 500, "max_short_retries": 1, "max_long_retries": 1,
         "destination_min_retry_interval": 100, "destination_retry_multiplier": 1, "destination_max_retry_interval": 500}


def federated(kind, folder, database, authority, address, **overrides):
    """A server of a kind (Homeserver, Synapse) that others find at an address of its own, through a cable."""
    cable = Cable(address)
    certificate = str(authority.certify(address))

    def listeners(plain):
        return [
            {"port": plain, "type": "http", "tls": False, "bind_addresses": ["127.0.0.1"], "resources": [{"names": ["client"]}]},
            {"port": cable.inner, "type": "http", "tls": True, "bind_addresses": [address], "resources": [{"names": ["federation"]}]},
        ]

    server = kind(folder, database, **{
        "name": f"{address}:{cable.port}", "listeners": listeners, "tls_certificate_path": certificate,
        "tls_private_key_path": certificate, "federation_custom_ca_list": [str(authority.path)], "ip_range_blacklist": [],
        "trusted_key_servers": [], "federation": QUICK, "allow_public_rooms_over_federation": True,
        "rc_federation": {"sleep_limit": 1_000_000, "reject_limit": 1_000_000, "concurrent": 100},
        "rc_presence": {"per_user": OUT_OF_THE_WAY}, "room_list_publication_rules": [{"action": "allow"}], **overrides})
    server.cable = cable
    return server


class Synapse(Homeserver):
    """One Synapse on 127.0.0.1, on SQLite, in a folder of its own."""

    def make_signing_key(self, path):
        seed = base64.b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
        path.write_text(f"ed25519 a_test {seed}\n")

    def write_config(self, **overrides):
        log = self.folder / "log.yaml"
        log.write_text(LOG.replace("LEVEL", os.environ.get("SYNAPSE_LOG_LEVEL", "WARNING")))
        # Who asks again what is new must not get the answer of before.
        caches = {"sync_response_cache_duration": 0}
        super().write_config(**{**overrides, "log_config": str(log), "suppress_key_server_warning": True, "caches": caches})

    def command(self):
        return [sys.executable, "-m", "synapse.app.homeserver", "--config-path", self.config]
