"""What a person's devices do with each other, with a real client library: verifying by emoji, moving keys to another device, a backup."""

import json

import pytest
import vodozemac
from nio import ToDeviceError
from nio.crypto import InboundGroupSession

from crypto import Identity, canonical
from homeserver import Client
from test_chat import Person, encrypted_room
from test_cross_signing import query

V3 = "/_matrix/client/v3"
BACKUP = "m.megolm_backup.v1.curve25519-aes-sha2"


def plain(server, person):
    """The person's plain HTTP access, for what the library does not know."""
    return Client(server, person.nio.access_token, person.id, person.nio.device_id, person.password)


async def another_device(server, tmp_path, person):
    other = Person(server, tmp_path / f"{person.name}'s other device", person.name)
    await other.login()
    await other.sync()
    return other


async def in_turn(first, second, condition, what):
    for _ in range(40):
        if condition():
            return
        for person in (first, second):
            await person.sync(timeout=200)
    pytest.fail(f"{first.name} and {second.name} never saw {what}")


async def verified(first, second):
    """Goes through a verification by short authentication strings, as people do who compare emoji."""
    await first.until(lambda: second.nio.device_id in {d.device_id for d in first.nio.device_store.active_user_devices(second.id)}, "the device")
    await second.until(lambda: first.nio.device_id in {d.device_id for d in second.nio.device_store.active_user_devices(first.id)}, "the device")
    device = first.nio.device_store[second.id][second.nio.device_id]
    assert not isinstance(await first.nio.start_key_verification(device), ToDeviceError)
    transaction = next(name for name, sas in first.nio.key_verifications.items() if sas.other_olm_device == device)
    await second.until(lambda: transaction in second.nio.key_verifications, "the beginning of the verification")
    assert not isinstance(await second.nio.accept_key_verification(transaction), ToDeviceError)
    ours, theirs = (person.nio.key_verifications[transaction] for person in (first, second))
    await in_turn(first, second, lambda: ours.established_sas and theirs.established_sas, "each other's key")
    assert len(ours.get_emoji()) == 7 and ours.get_emoji() == theirs.get_emoji()
    for person in (first, second):
        assert not isinstance(await person.nio.confirm_short_auth_string(transaction), ToDeviceError)
    await in_turn(first, second, lambda: ours.verified and theirs.verified, "each other's confirmation")


@pytest.mark.parametrize("interrupted", [False, True], ids=["at once", "with a kill -9 in between"])
async def test_two_devices_verify_each_other_and_a_third_gets_the_keys(server, tmp_path, interrupted):
    alice, bob = Person(server, tmp_path, "alice"), Person(server, tmp_path, "bob")
    for person in (alice, bob):
        await person.register()
    room = await encrypted_room(alice, bob)
    second = await another_device(server, tmp_path, bob)
    if interrupted:
        await server.kill()
        await server.start()
    # Of one person, and of two.
    await verified(bob, second)
    await verified(alice, bob)
    await alice.until(lambda: second.nio.device_id in {d.device_id for d in alice.nio.device_store.active_user_devices(bob.id)}, "the new device")
    texts = [f"line {number}" for number in range(3)]
    for text in texts:
        await alice.say(room, text)
    if interrupted:
        await server.kill()
        await server.start()
    for device in (bob, second):
        await device.until(lambda: (alice.id, texts[-1]) in device.texts, "alice's messages")
        assert [text for _, text in device.texts] == texts and not device.undecrypted

    # A third device was not there: it reads them with the keys of the first, and not before.
    third = await another_device(server, tmp_path / "third", bob)
    page = await third.nio.room_messages(room, start=third.nio.next_batch, limit=20)
    assert [event for event in page.chunk if getattr(event, "decrypted", False)] == []
    file = str(tmp_path / "keys.txt")
    await bob.nio.export_keys(file, "a passphrase", count=1000)
    await third.nio.import_keys(file, "a passphrase")
    page = await third.nio.room_messages(room, start=third.nio.next_batch, limit=20)
    assert [event.body for event in reversed(page.chunk) if getattr(event, "decrypted", False)] == texts
    for person in (alice, bob, second, third):
        await person.nio.close()


def sessions_of(person):
    """The Megolm sessions that a device has, as a backup keeps them: [(room, session's id, where it begins, content)]."""
    return [(session.room_id, session.id, session.first_known_index, {
        "algorithm": "m.megolm.v1.aes-sha2", "sender_key": session.sender_key, "sender_claimed_keys": {"ed25519": session.ed25519},
        "forwarding_curve25519_key_chain": [], "session_key": session.export_session(session.first_known_index)})
        for session in person.nio.olm.inbound_group_store]


def is_signed(value, user, key):
    bare = {name: member for name, member in value.items() if name not in ("signatures", "unsigned")}
    signature = vodozemac.Ed25519Signature.from_base64(value["signatures"][user]["ed25519:" + key.name])
    try:
        vodozemac.Ed25519PublicKey.from_base64(key.public).verify_signature(canonical(bare), signature)
    except vodozemac.SignatureException:
        return False
    return True


async def test_a_signed_backup_restores_the_history_on_a_new_device(server, tmp_path):
    alice, bob = Person(server, tmp_path, "alice"), Person(server, tmp_path, "bob")
    for person in (alice, bob):
        await person.register()
    room = await encrypted_room(alice, bob)
    texts = [f"line {number}" for number in range(4)]
    for text in texts:
        await alice.say(room, text)
    await bob.until(lambda: (alice.id, texts[-1]) in bob.texts, "alice's messages")

    # Bob's identity signs his device and his backup.
    http, identity = plain(server, bob), Identity(bob.id)
    await http.post(V3 + "/keys/device_signing/upload", identity.body())
    device = (await query(http, bob.id))["device_keys"][bob.id][bob.nio.device_id]
    await http.post(V3 + "/keys/signatures/upload", {bob.id: {bob.nio.device_id: identity.self_signing.sign(device)}})
    secret = vodozemac.PkDecryption()
    backup = {"algorithm": BACKUP, "auth_data": identity.master.sign({"public_key": secret.public_key.to_base64()})}
    version = (await http.post(V3 + "/room_keys/version", backup))["version"]
    rooms = {}
    for room_id, session, index, content in sessions_of(bob):
        ephemeral, mac, ciphertext = vodozemac.PkEncryption.from_key(secret.public_key).encrypt(json.dumps(content).encode()).to_base64()
        rooms.setdefault(room_id, {"sessions": {}})["sessions"][session] = {
            "first_message_index": index, "forwarded_count": 0, "is_verified": True,
            "session_data": {"ciphertext": ciphertext, "mac": mac, "ephemeral": ephemeral}}
    stored = await http.put(f"{V3}/room_keys/keys?version={version}", {"rooms": rooms})
    assert stored["count"] == sum(len(kept["sessions"]) for kept in rooms.values()) > 0
    await server.kill()
    await server.start()

    # A new device trusts what the identity has signed, and reads with the keys of the backup what was said before it was there.
    new = await another_device(server, tmp_path, bob)
    http_of_new = plain(server, new)
    seen = await query(http_of_new, bob.id)
    assert seen["master_keys"][bob.id] == identity.master_key() and is_signed(seen["self_signing_keys"][bob.id], bob.id, identity.master)
    assert is_signed(seen["device_keys"][bob.id][bob.nio.device_id], bob.id, identity.self_signing)
    found = await http_of_new.get(V3 + "/room_keys/version")
    assert found == {**backup, "version": version, **stored} and is_signed(found["auth_data"], bob.id, identity.master)
    for room_id, kept in (await http_of_new.get(f"{V3}/room_keys/keys?version={version}"))["rooms"].items():
        for key in kept["sessions"].values():
            data = key["session_data"]
            content = json.loads(secret.decrypt(vodozemac.Message.from_base64(data["ciphertext"], data["mac"], data["ephemeral"])))
            session = InboundGroupSession.import_session(
                content["session_key"], content["sender_claimed_keys"]["ed25519"], content["sender_key"], room_id)
            new.nio.olm.inbound_group_store.add(session)
    page = await new.nio.room_messages(room, start=new.nio.next_batch, limit=20)
    assert [event.body for event in reversed(page.chunk) if getattr(event, "decrypted", False)] == texts
    for closed in (http, http_of_new, alice.nio, bob.nio, new.nio):
        await closed.close()
