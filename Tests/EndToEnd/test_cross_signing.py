"""Cross-signing with real signatures: keys, who may replace them, what is signed, and who sees it."""

import asyncio

import pytest

from crypto import Identity, Key
from homeserver import MatrixFailure

V3 = "/_matrix/client/v3"
UPLOAD = V3 + "/keys/device_signing/upload"
SIGNATURES = V3 + "/keys/signatures/upload"


def password_of(client):
    return {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": client.user}, "password": client.password}


async def refused(awaitable):
    with pytest.raises(MatrixFailure) as failure:
        await awaitable
    return failure.value


async def query(client, *users):
    return await client.post(V3 + "/keys/query", {"device_keys": {user: [] for user in users}})


async def with_keys(client):
    """-> the device's key and the cross-signing identity, both published."""
    device, identity = Key(client.user, client.device), Identity(client.user)
    await client.post(V3 + "/keys/upload", {"device_keys": device.device_keys()})
    await client.post(UPLOAD, identity.body())
    return device, identity


async def test_only_the_first_keys_are_free(server, people):
    alice = await people("alice")
    first, second = Identity(alice.user), Identity(alice.user)
    missing = await refused(alice.post(UPLOAD, {"self_signing_key": first.body()["self_signing_key"]}))
    assert (missing.status, missing.errcode) == (400, "M_MISSING_PARAM")
    unsigned = {**first.body(), "self_signing_key": second.body()["self_signing_key"]}
    assert (await refused(alice.post(UPLOAD, unsigned))).errcode == "M_INVALID_SIGNATURE"
    assert (await query(alice, alice.user))["master_keys"] == {}

    await alice.post("/_matrix/client/unstable/keys/device_signing/upload", first.body())
    await alice.post(UPLOAD, first.body())
    assert await alice.post(UPLOAD, {}) == {}
    challenge = await refused(alice.post(UPLOAD, second.body()))
    assert challenge.status == 401 and challenge.body["flows"] == [{"stages": ["m.login.password"]}]
    assert (await query(alice, alice.user))["master_keys"][alice.user] == first.master_key()
    await alice.post(UPLOAD, {**second.body(), "auth": {**password_of(alice), "session": challenge.body["session"]}})
    seen = await query(alice, alice.user)
    assert [seen[name + "s"][alice.user] for name in second.body()] == list(second.body().values())
    await server.restart()
    assert (await query(alice, alice.user))["master_keys"][alice.user] == second.master_key()


async def test_two_first_uploads_at_once_leave_one_identity(server, people):
    alice = await people("alice")
    answers = await asyncio.gather(*[alice.post(UPLOAD, Identity(alice.user).body()) for _ in range(4)], return_exceptions=True)
    assert sorted(a.status if isinstance(a, MatrixFailure) else 200 for a in answers) == [200, 401, 401, 401]


async def test_an_administrator_lets_a_user_replace_keys(server, people):
    alice = await people("alice")
    admin = await server.register("admin", admin=True)
    path = f"/_synapse/admin/v1/users/{alice.user}/_allow_cross_signing_replacement_without_uia"
    assert (await refused(admin.post(path))).status == 404
    await alice.post(UPLOAD, Identity(alice.user).body())
    assert (await refused(alice.post(path))).status == 403
    assert (await admin.post(path))["updatable_without_uia_before_ms"] > 0
    await alice.post(UPLOAD, Identity(alice.user).body())
    assert (await refused(alice.post(UPLOAD, Identity(alice.user).body()))).status == 401
    await admin.close()


async def test_signatures_of_devices_and_of_the_master_key(server, people):
    alice, bob = await people("alice", "bob")
    device, identity = await with_keys(alice)
    signed = identity.self_signing.sign(device.device_keys())
    master = device.sign(identity.master_key())
    answer = await alice.post(SIGNATURES, {alice.user: {device.name: signed, identity.master.name: master, "NOBODY": signed}})
    assert list(answer["failures"]) == [alice.user] and list(answer["failures"][alice.user]) == ["NOBODY"]
    assert answer["failures"][alice.user]["NOBODY"]["errcode"] == "M_NOT_FOUND"
    for client in (alice, bob):
        seen = await query(client, alice.user)
        assert {k: v for k, v in seen["device_keys"][alice.user][device.name].items() if k != "unsigned"} == signed
        assert seen["master_keys"][alice.user] == master
        assert list(seen["self_signing_keys"]) == [alice.user]
    assert (await query(bob, alice.user))["user_signing_keys"] == {}

    wrong = identity.user_signing.sign(device.device_keys())
    failure = (await alice.post(SIGNATURES, {alice.user: {device.name: wrong}}))["failures"][alice.user][device.name]
    assert failure["errcode"] == "M_INVALID_SIGNATURE" and failure["error"]
    assert (await refused(alice.post(SIGNATURES, {alice.user: []}))).errcode == "M_INVALID_PARAM"
    # A device that is gone has signed nothing.
    again = await alice.post(V3 + "/login", password_of(alice))
    await alice.call("DELETE", f"{V3}/devices/{again['device_id']}", {"auth": password_of(alice)})
    assert (await query(bob, alice.user))["master_keys"][alice.user] == master
    await alice.call("DELETE", f"{V3}/devices/{alice.device}", {"auth": password_of(alice)})
    seen = await query(bob, alice.user)
    assert seen["device_keys"] == {alice.user: {}} and seen["master_keys"][alice.user] == identity.master_key()


async def changed(client, since):
    answer = await client.sync(since=since)
    return answer.get("device_lists", {}).get("changed", []), answer["next_batch"]


async def test_who_signs_another_alone_sees_and_hears_it(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    alices, bobs = (await alice.sync())["next_batch"], (await bob.sync())["next_batch"]

    _, identity = await with_keys(alice)
    _, target = await with_keys(bob)
    (seen, alices), (heard, bobs) = await changed(alice, alices), await changed(bob, bobs)
    assert sorted(seen) == sorted(heard) == [alice.user, bob.user]

    # A new user-signing key is its owner's own business.
    identity.user_signing = Key(alice.user)
    body = {"user_signing_key": identity.body()["user_signing_key"], "auth": password_of(alice)}
    await alice.post(UPLOAD, body)
    (seen, alices), (heard, bobs) = await changed(alice, alices), await changed(bob, bobs)
    assert (seen, heard) == ([alice.user], [])

    signed = identity.user_signing.sign(target.master_key())
    waiting = asyncio.create_task(alice.sync(since=alices, timeout=20_000))
    await asyncio.sleep(0.2)
    other = await people("carol")
    answer = await alice.post(SIGNATURES, {bob.user: {target.master.name: signed}, other.user: {"x": signed}, "nonsense": {"x": signed}})
    assert {user: list(keys) for user, keys in answer["failures"].items()} == {other.user: ["x"], "nonsense": ["x"]}
    assert (await waiting)["device_lists"]["changed"] == [bob.user]
    assert (await changed(bob, bobs))[0] == []
    assert (await query(alice, bob.user))["master_keys"][bob.user] == signed
    assert (await query(bob, bob.user))["master_keys"][bob.user] == target.master_key()
    await server.kill()
    await server.start()
    assert (await query(alice, bob.user))["master_keys"][bob.user] == signed
    assert (await alice.get(f"{V3}/keys/changes?from={alices}&to={alices}"))["changed"] == []
    now = (await alice.sync())["next_batch"]
    assert (await alice.get(f"{V3}/keys/changes?from={alices}&to={now}"))["changed"] == [bob.user]


async def test_a_device_cannot_be_called_as_a_key(server, people):
    alice = await people("alice")
    _, identity = await with_keys(alice)
    failure = await refused(alice.post(V3 + "/login", {**password_of(alice), "device_id": identity.master.public}))
    assert (failure.status, failure.errcode) == (400, "M_FORBIDDEN")


async def test_an_account_that_ends_takes_its_keys_along(server, people):
    alice, bob = await people("alice", "bob")
    await with_keys(alice)
    version = (await alice.post(V3 + "/room_keys/version", {"algorithm": "m.megolm_backup.v1", "auth_data": {}}))["version"]
    assert version == "1"
    await alice.post(V3 + "/account/deactivate", {"auth": password_of(alice)})
    seen = await query(bob, alice.user)
    assert seen["device_keys"] == {alice.user: {}} and seen["master_keys"] == {} and seen["self_signing_keys"] == {}
