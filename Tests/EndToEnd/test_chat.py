"""The main job: two people with a real client library, registering, inviting, joining and chatting end-to-end encrypted."""

import asyncio

import pytest
from nio import (AsyncClient, AsyncClientConfig, InviteMemberEvent, JoinResponse, LoginResponse, MegolmEvent, RegisterResponse,
                 RoomCreateResponse, RoomMessageText, RoomSendResponse, SyncResponse)

CONFIG = AsyncClientConfig(store_sync_tokens=True, encryption_enabled=True, max_timeouts=2, max_limit_exceeded=0)


class Person:
    """A nio client that keeps what it received."""

    def __init__(self, server, folder, name):
        self.server, self.name, self.folder = server, name, folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.id = f"@{name}:{server.name}"
        self.password = "correct horse " + name
        self.texts, self.undecrypted, self.invites = [], [], []

    def client(self):
        self.nio = AsyncClient(self.server.base, self.id, store_path=str(self.folder), config=CONFIG)
        self.nio.add_event_callback(lambda room, event: self.texts.append((event.sender, event.body)), RoomMessageText)
        self.nio.add_event_callback(lambda room, event: self.undecrypted.append(event.event_id), MegolmEvent)
        self.nio.add_event_callback(lambda room, event: self.invites.append(room.room_id), InviteMemberEvent)
        return self.nio

    async def register(self):
        nio = self.client()
        answer = await nio.register(self.name, self.password, device_name="first")
        assert isinstance(answer, RegisterResponse), answer
        await self.sync()

    async def login(self, device=None):
        nio = self.client()
        if device:
            nio.device_id = device
        answer = await nio.login(self.password, device_name="again")
        assert isinstance(answer, LoginResponse), answer

    async def sync(self, timeout=0):
        answer = await self.nio.sync(timeout=timeout, full_state=False)
        assert isinstance(answer, SyncResponse), answer
        if self.nio.should_upload_keys:
            await self.nio.keys_upload()
        if self.nio.should_query_keys:
            await self.nio.keys_query()
        await self.nio.send_to_device_messages()
        return answer

    async def until(self, condition, what):
        for _ in range(40):
            if condition():
                return
            await self.sync(timeout=500)
        pytest.fail(f"{self.name} never saw {what}; texts {self.texts}, undecrypted {self.undecrypted}")

    async def say(self, room, text):
        answer = await self.nio.room_send(room, "m.room.message", {"msgtype": "m.text", "body": text}, ignore_unverified_devices=True)
        assert isinstance(answer, RoomSendResponse), answer
        return answer.event_id


@pytest.fixture
async def alice_and_bob(server, tmp_path):
    alice, bob = Person(server, tmp_path, "alice"), Person(server, tmp_path, "bob")
    for person in (alice, bob):
        await person.register()
    yield alice, bob
    for person in (alice, bob):
        await person.nio.close()


async def encrypted_room(alice, bob):
    encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    made = await alice.nio.room_create(name="Den", invite=[bob.id], initial_state=[encryption])
    assert isinstance(made, RoomCreateResponse), made
    await bob.until(lambda: made.room_id in bob.invites, "the invite")
    assert isinstance(await bob.nio.join(made.room_id), JoinResponse)
    await alice.until(lambda: made.room_id in alice.nio.rooms and bob.id in alice.nio.rooms[made.room_id].users, "bob in the room")
    await bob.until(lambda: made.room_id in bob.nio.rooms and bob.nio.rooms[made.room_id].encrypted, "that the room is encrypted")
    return made.room_id


async def test_two_people_chat_end_to_end_encrypted(alice_and_bob):
    alice, bob = alice_and_bob
    room = await encrypted_room(alice, bob)
    await alice.say(room, "hello bob, in secret")
    await bob.until(lambda: (alice.id, "hello bob, in secret") in bob.texts, "alice's message")
    await bob.say(room, "hello alice, likewise")
    await alice.until(lambda: (bob.id, "hello alice, likewise") in alice.texts, "bob's answer")
    assert not bob.undecrypted and not alice.undecrypted


async def test_the_server_never_sees_the_text(alice_and_bob, server):
    alice, bob = alice_and_bob
    room = await encrypted_room(alice, bob)
    await alice.say(room, "a very particular secret")
    page = await alice.nio.room_messages(room, start="", limit=20)
    assert any(isinstance(event, MegolmEvent) or getattr(event, "decrypted", False) for event in page.chunk)
    for file in server.folder.glob("homeserver.db*"):
        assert b"a very particular secret" not in file.read_bytes()


async def test_the_conversation_goes_on_after_a_restart(alice_and_bob, server):
    alice, bob = alice_and_bob
    room = await encrypted_room(alice, bob)
    await alice.say(room, "before")
    await bob.until(lambda: (alice.id, "before") in bob.texts, "the message before the restart")
    await server.restart()
    await alice.say(room, "after")
    await bob.until(lambda: (alice.id, "after") in bob.texts, "the message after the restart")
    assert bob.texts.count((alice.id, "before")) == 1


async def test_history_is_there_after_logging_in_again(alice_and_bob, server):
    alice, bob = alice_and_bob
    made = await alice.nio.room_create(name="Open", invite=[bob.id])
    await bob.until(lambda: made.room_id in bob.invites, "the invite")
    await bob.nio.join(made.room_id)
    await alice.until(lambda: made.room_id in alice.nio.rooms, "the room")
    for number in range(5):
        await alice.say(made.room_id, f"line {number}")
    await bob.nio.logout()
    await bob.nio.close()
    await bob.login()
    await bob.sync()
    page = await bob.nio.room_messages(made.room_id, start=bob.nio.next_batch, limit=50)
    assert [e.body for e in page.chunk if isinstance(e, RoomMessageText)] == [f"line {n}" for n in (4, 3, 2, 1, 0)]


async def test_a_long_poll_is_woken_by_a_message(alice_and_bob):
    alice, bob = alice_and_bob
    room = await encrypted_room(alice, bob)
    await bob.sync()
    waiting = asyncio.create_task(bob.nio.sync(timeout=20_000))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await alice.say(room, "wake up")
    answer = await asyncio.wait_for(waiting, 5)
    assert isinstance(answer, SyncResponse)
