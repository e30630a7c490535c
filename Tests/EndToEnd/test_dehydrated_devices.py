"""MSC3814: a device that takes messages while its owner has none."""

import pytest

from crypto import Key
from homeserver import MatrixFailure

V3 = "/_matrix/client/v3"
PATH = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device"


async def status(awaitable):
    with pytest.raises(MatrixFailure) as failure:
        await awaitable
    return failure.value.status, failure.value.errcode


def body(client, device):
    return {"device_id": device, "device_data": {"algorithm": "org.matrix.msc3814.v2", "device_pickle": "abc", "nonce": "n"},
            "initial_device_display_name": "Dehydrated device", "device_keys": Key(client.user, device).device_keys(),
            "one_time_keys": {"signed_curve25519:A": {"key": "a", "signatures": {}}},
            "fallback_keys": {"signed_curve25519:F": {"key": "f", "fallback": True, "signatures": {}}}}


async def send(client, target, device, number):
    await client.put(f"{V3}/sendToDevice/m.room.encrypted/{device}{number}", {"messages": {target.user: {device: {"n": number}}}})


async def test_a_dehydrated_device_is_a_device_with_keys(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    assert await status(alice.get(PATH)) == (404, "M_NOT_FOUND")
    since = (await bob.sync())["next_batch"]
    assert await alice.put(PATH, body(alice, "SLEEPER")) == {"device_id": "SLEEPER"}
    assert (await bob.sync(since=since))["device_lists"]["changed"] == [alice.user]
    assert await alice.get(PATH) == {"device_id": "SLEEPER", "device_data": body(alice, "SLEEPER")["device_data"]}
    assert await status(bob.get(PATH)) == (404, "M_NOT_FOUND")

    keys = (await bob.post(V3 + "/keys/query", {"device_keys": {alice.user: []}}))["device_keys"][alice.user]
    assert keys["SLEEPER"]["unsigned"] == {"device_display_name": "Dehydrated device"}
    claim = {"one_time_keys": {alice.user: {"SLEEPER": "signed_curve25519"}}}
    claimed = [list((await bob.post(V3 + "/keys/claim", claim))["one_time_keys"][alice.user]["SLEEPER"])[0] for _ in range(2)]
    assert claimed == ["signed_curve25519:A", "signed_curve25519:F"]

    # The next one takes its place.
    await alice.put(PATH, body(alice, "SECOND"))
    devices = [device["device_id"] for device in (await alice.get(V3 + "/devices"))["devices"]]
    assert sorted(devices) == sorted([alice.device, "SECOND"])
    assert await status(alice.put(PATH, body(alice, alice.device))) == (403, "M_FORBIDDEN")
    await server.restart()
    assert (await alice.get(PATH))["device_id"] == "SECOND"
    assert await alice.call("DELETE", PATH) == {"device_id": "SECOND"}
    assert await status(alice.call("DELETE", PATH)) == (404, "M_NOT_FOUND")
    assert [device["device_id"] for device in (await alice.get(V3 + "/devices"))["devices"]] == [alice.device]


async def test_its_messages_are_fetched_in_pages(server, people):
    alice, bob = await people("alice", "bob")
    await alice.put(PATH, body(alice, "SLEEPER"))
    for number in range(5):
        await send(bob, alice, "SLEEPER", number)
    found, token = [], ""
    for _ in range(10):
        page = await alice.get(f"{PATH}/SLEEPER/events?limit=2{token}")
        found += [event["content"]["n"] for event in page["events"]]
        if "next_batch" not in page:
            break
        token = "&from=" + page["next_batch"]
    assert found == [0, 1, 2, 3, 4]
    posted = await alice.post(f"{PATH}/SLEEPER/events?limit=4", {})
    assert len(posted["events"]) == 4
    rest = await alice.post(f"{PATH}/SLEEPER/events?limit=4", {"next_batch": posted["next_batch"]})
    assert [event["content"]["n"] for event in rest["events"]] == [4] and rest["next_batch"]
    assert (await status(alice.get(f"{PATH}/SLEEPER/events?from=x")))[0] == 400
    assert await status(alice.get(f"{PATH}/{alice.device}/events")) == (403, "M_FORBIDDEN")
    assert await status(bob.get(f"{PATH}/SLEEPER/events")) == (403, "M_FORBIDDEN")
    await alice.call("DELETE", PATH)
    await alice.put(PATH, body(alice, "SLEEPER"))
    assert (await alice.get(f"{PATH}/SLEEPER/events"))["events"] == []


async def test_what_is_malformed_is_refused(server, people):
    alice = await people("alice")
    good = body(alice, "SLEEPER")
    wrong = [{}, {**good, "device_id": ""}, {**good, "device_id": 1}, {**good, "device_data": {}}, {**good, "device_keys": {}},
             {k: v for k, v in good.items() if k != "device_keys"}, {**good, "device_id": "OTHER"}, {**good, "one_time_keys": {"x": "y"}}]
    for value in wrong:
        assert (await status(alice.put(PATH, value)))[0] == 400
    assert await status(alice.get(PATH)) == (404, "M_NOT_FOUND")
