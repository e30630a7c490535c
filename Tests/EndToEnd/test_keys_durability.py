"""What devices have sent each other and which keys were given away: kept over kill -9, each once."""

import asyncio

import aiohttp

from homeserver import MatrixFailure

V3 = "/_matrix/client/v3"


async def until_killed(server, attempts, calls):
    """Makes calls one after the other in several tasks; in the middle of them the server is killed and started again
    -> {what was called: the answer}, of those that were answered."""
    answered = {}

    async def run(part):
        for name in part:
            try:
                answered[name] = await calls(name)
            except (aiohttp.ClientError, OSError, asyncio.TimeoutError, MatrixFailure):
                return

    tasks = [asyncio.create_task(run(attempts[n::4])) for n in range(4)]
    while len(answered) < len(attempts) // 3 and not all(task.done() for task in tasks):
        await asyncio.sleep(0.005)
    await server.kill()
    await asyncio.gather(*tasks)
    await server.start()
    return answered


async def received(client, since):
    """-> what to-device messages say, and the token after them."""
    texts = []
    while True:
        answer = await client.sync(since)
        since = answer["next_batch"]
        events = answer.get("to_device", {}).get("events", [])
        if not events:
            return texts, since
        texts += [event["content"]["text"] for event in events]


async def test_messages_between_devices(server, people):
    alice, bob = await people("alice", "bob")
    since = (await bob.sync())["next_batch"]
    texts = [f"message {n}" for n in range(400)]

    async def send(text):
        return await alice.put(f"{V3}/sendToDevice/m.test/{text.replace(' ', '-')}", {"messages": {bob.user: {bob.device: {"text": text}}}})

    sent = await until_killed(server, texts, send)
    assert 100 <= len(sent) < len(texts)
    for client in (alice, bob):
        await client.close()
    # Who got no answer asks again with the same transaction id, which sends nothing twice.
    for text in texts:
        await send(text)
    # What was not confirmed by a further sync comes again, also after another kill; what was does not.
    first = (await bob.sync(since))["to_device"]["events"]
    await server.kill()
    await server.start()
    await bob.close()
    assert (await bob.sync(since))["to_device"]["events"] == first
    found, since = await received(bob, since)
    assert sorted(found) == sorted(texts)
    await server.kill()
    await server.start()
    await bob.close()
    assert (await received(bob, None))[0] == [] and (await received(bob, since))[0] == []


async def test_one_time_keys(server, people):
    alice, bob = await people("alice", "bob")
    names = [f"signed_curve25519:K{n:04}" for n in range(400)]
    keys = {name: {"key": name[-4:], "signatures": {}} for name in names}
    fallback = {"signed_curve25519:F": {"key": "fallback", "fallback": True, "signatures": {}}}
    # In the order in which they came, whatever they are called.
    for part in (names[200:], names[:200]):
        await alice.post(V3 + "/keys/upload", {"one_time_keys": {name: keys[name] for name in part}, "fallback_keys": fallback})

    async def claim(_):
        answer = await bob.post(V3 + "/keys/claim", {"one_time_keys": {alice.user: {alice.device: "signed_curve25519"}}})
        return next(iter(answer["one_time_keys"][alice.user][alice.device]))

    claimed = list((await until_killed(server, list(range(400)), claim)).values())
    for client in (alice, bob):
        await client.close()
    assert 100 <= len(set(claimed)) == len(claimed)
    count = (await alice.sync())["device_one_time_keys_count"]["signed_curve25519"]
    # Of those that were under way some may be lost; none is given away twice.
    assert len(names) - len(claimed) - 4 <= count <= len(names) - len(claimed)
    rest = [await claim(None) for _ in range(count)]
    assert not set(rest) & set(claimed)
    order = names[200:] + names[:200]
    assert [order.index(name) for name in rest] == sorted(order.index(name) for name in rest)
    assert max(order.index(name) for name in claimed) < order.index(rest[4])
    # Then the fallback key, as often as it is asked for; and no key comes back when it is uploaded again.
    assert {await claim(None) for _ in range(3)} == {"signed_curve25519:F"}
    await alice.post(V3 + "/keys/upload", {"one_time_keys": {name: keys[name] for name in claimed[:50]}})
    answer = await alice.sync()
    assert answer["device_one_time_keys_count"]["signed_curve25519"] == 0 and answer["device_unused_fallback_key_types"] == []
