"""Ed25519 keys that sign JSON, as devices and cross-signing keys do."""

import copy
import json

from vodozemac import Account


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Key:
    """A signing key of a user, named as a device is, or by its own public part."""

    def __init__(self, user, device=None):
        self.user, self.account = user, Account()
        self.public = self.account.ed25519_key.to_base64()
        self.name = device or self.public
        self.id = "ed25519:" + self.name

    def sign(self, value):
        """-> the object with this key's signature beside those it has."""
        value = copy.deepcopy(value)
        bare = {k: v for k, v in value.items() if k not in ("signatures", "unsigned")}
        value.setdefault("signatures", {}).setdefault(self.user, {})[self.id] = self.account.sign(canonical(bare)).to_base64()
        return value

    def signature(self, value):
        return self.sign(value)["signatures"][self.user][self.id]

    def published(self, usage):
        return {"user_id": self.user, "usage": [usage], "keys": {self.id: self.public}}

    def device_keys(self):
        keys = {self.id: self.public, "curve25519:" + self.name: self.account.curve25519_key.to_base64()}
        return self.sign({"user_id": self.user, "device_id": self.name, "keys": keys,
                          "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"]})


class Identity:
    """The cross-signing keys of a user."""

    def __init__(self, user):
        self.user = user
        self.master, self.self_signing, self.user_signing = Key(user), Key(user), Key(user)

    def master_key(self):
        return self.master.published("master")

    def body(self):
        return {"master_key": self.master_key(), "self_signing_key": self.master.sign(self.self_signing.published("self_signing")),
                "user_signing_key": self.master.sign(self.user_signing.published("user_signing"))}
