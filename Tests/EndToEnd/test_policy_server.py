"""Rooms in which a policy server recommends what is said."""

from urllib.parse import quote

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from participant import event_id, redacted
from partner import check_signature, unpadded
from test_federation_sending import public_room, town  # noqa: F401
from test_registration import refused

KEY_ID = "ed25519:policy_server"


class Policy:
    """Makes a participant a policy server that signs everything without the word spam."""

    def __init__(self, participant):
        self.participant = participant
        self.key = Ed25519PrivateKey.generate()
        public = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.public_key = unpadded(public)
        self.content = {"via": participant.name, "public_keys": {"ed25519": self.public_key}}
        self.asked = []
        self.fails = None
        participant.handlers["/_matrix/policy/v1/sign"] = self.sign

    async def sign(self, request):
        event = await request.json()
        self.asked.append(event)
        if self.fails:
            return web.json_response({"errcode": "M_UNKNOWN", "error": "away"}, status=self.fails)
        if "spam" in event["content"].get("body", ""):
            return web.json_response({"errcode": "M_FORBIDDEN", "error": "no spam here"}, status=400)
        return web.json_response({self.participant.name: self.signatures(event)})

    def signatures(self, event):
        return self.participant.sign({**redacted(event), "signatures": {}}, key=self.key, key_id=KEY_ID)["signatures"][self.participant.name]

    def check(self, event):
        check_signature(redacted(event), self.participant.name, KEY_ID, self.public_key)


async def texts(client, room):
    return [event["content"].get("body") for event in (await client.messages(room))[::-1] if event["type"] == "m.room.message"]


async def test_what_is_said_here_is_recommended_before_anybody_hears_of_it(town):  # noqa: F811
    server = await town.server()
    alice = await server.register("alice")
    room = await public_room(alice)
    policy = Policy(await town.member(server, room, "@policy"))
    await alice.state(room, "m.room.policy", policy.content)
    assert policy.asked == []
    sent = await alice.send(room, "hello")
    await policy.participant.wait_for(lambda: policy.participant.bodies() == ["hello"])
    [event] = [pdu for pdu in policy.participant.pdus(room) if pdu["type"] == "m.room.message"]
    assert event_id(event) == sent == event_id(policy.asked[0])
    policy.check(event)

    failure = await refused(alice.send(room, "spam"))
    assert (failure.status, failure.errcode, failure.body["error"]) == (400, "M_FORBIDDEN", "no spam here")
    # Membership and other state are looked at too; one that is silent, or signs with another key, lets nothing through.
    asked = len(policy.asked)
    await alice.state(room, "m.room.topic", {"topic": "policy"})
    assert len(policy.asked) == asked + 1
    policy.fails = 500
    assert (await refused(alice.send(room, "unheard"))).status == 502
    policy.fails = None
    key, policy.key = policy.key, Ed25519PrivateKey.generate()
    assert (await refused(alice.send(room, "forged"))).status == 502
    policy.key = key
    assert await texts(alice, room) == ["hello"]

    # Only the choice itself is not theirs: so the room gets rid of them.
    policy.fails = 500
    await alice.state(room, "m.room.policy", {})
    await alice.send(room, "spam, freely")
    await policy.participant.wait_for(lambda: policy.participant.bodies() == ["hello", "spam, freely"])
    assert await texts(alice, room) == ["hello", "spam, freely"]
    # One without a user in the room is none.
    other = Policy(await town.participant())
    await alice.state(room, "m.room.policy", other.content)
    await alice.send(room, "spam of old")
    assert other.asked == []
    await alice.close()


async def test_what_others_say_is_asked_about_where_it_is_not_signed(town):  # noqa: F811
    server = await town.server()
    alice = await server.register("alice")
    room = await public_room(alice)
    policy = Policy(await town.member(server, room, "@policy"))
    eve = await town.participant()
    eve.user = f"@eve:{eve.name}"
    await eve.join(server, room, eve.user)
    await alice.state(room, "m.room.policy", policy.content)
    ids = {(event["type"], event["state_key"]): event["event_id"] for event in await alice.get(alice.room(room) + "/state")}
    await eve.wait_for(lambda: any(pdu["type"] == "m.room.policy" for pdu in eve.pdus(room)))
    state = {"depth": eve.pdus(room)[-1]["depth"], "latest": ids["m.room.policy", ""]}
    authorizing = [ids["m.room.power_levels", ""], ids["m.room.member", eve.user]]

    def says(text):
        state["depth"] += 1
        event = eve.complete({
            "type": "m.room.message", "room_id": room, "sender": eve.user, "content": {"msgtype": "m.text", "body": text},
            "depth": state["depth"], "prev_events": [state["latest"]], "auth_events": authorizing})
        state["latest"] = event_id(event)
        return event

    await eve.send(server, [says("unsigned")])
    assert await texts(alice, room) == ["unsigned"] and len(policy.asked) == 1
    signed = says("signed")
    signed["signatures"][policy.participant.name] = policy.signatures(signed)
    await eve.send(server, [signed])
    assert await texts(alice, room) == ["unsigned", "signed"] and len(policy.asked) == 1
    await eve.send(server, [says("spam")])
    assert await texts(alice, room) == ["unsigned", "signed"] and len(policy.asked) == 2
    # What follows it is seen, and what was stored has the signature.
    await eve.send(server, [says("after")])
    assert await texts(alice, room) == ["unsigned", "signed", "after"]
    status, answer = await eve.ask(server, "GET", f"/_matrix/federation/v1/event/{quote(state['latest'], safe='')}")
    assert status == 200
    policy.check(answer["pdus"][0])
    await alice.close()
