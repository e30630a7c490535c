"""MSC4306 and MSC4308: following threads."""

from urllib.parse import quote

import pytest

from homeserver import MatrixFailure


def path(room, root):
    return f"/_matrix/client/unstable/io.element.msc4306/rooms/{quote(room, safe='')}/thread/{quote(root, safe='')}/subscription"


def thread(root):
    return {"m.relates_to": {"rel_type": "m.thread", "event_id": root}}


async def listed(client, **query):
    text = "&".join(f"{k}={v}" for k, v in {"dir": "b", **query}.items())
    return await client.get("/_matrix/client/unstable/io.element.msc4308/thread_subscriptions?" + text)


async def status(awaitable):
    with pytest.raises(MatrixFailure) as failure:
        await awaitable
    return failure.value.status, failure.value.errcode


async def test_subscriptions_by_hand_and_by_the_client(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    root = await alice.send(room, "root")
    reply = await alice.send(room, {"msgtype": "m.text", "body": "reply", **thread(root)})
    aside = await alice.send(room, "aside")
    where = path(room, root)

    assert (await status(alice.get(where)))[0] == 404
    assert (await status(bob.put(where, {})))[0] == 404
    assert (await status(alice.put(path(room, "$unknown"), {})))[0] == 404
    assert await status(alice.put(where, {"automatic": aside})) == (400, "IO.ELEMENT.MSC4306.M_NOT_IN_THREAD")

    await alice.put(where, {"automatic": reply})
    assert await alice.get(where) == {"automatic": True}
    await alice.put(where, {})
    await alice.put(where, {"automatic": reply})
    assert await alice.get(where) == {"automatic": False}

    await alice.call("DELETE", where)
    assert (await status(alice.get(where)))[0] == 404
    assert await status(alice.put(where, {"automatic": reply})) == (409, "IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION")
    later = await alice.send(room, {"msgtype": "m.text", "body": "later", **thread(root)})
    await alice.put(where, {"automatic": later})
    await server.restart()
    assert await alice.get(where) == {"automatic": True}


async def test_the_list_of_subscriptions_in_pages(server, people):
    alice = await people("alice")
    room = await alice.create_room()
    roots = [await alice.send(room, f"root {n}") for n in range(5)]
    for root in roots:
        await alice.put(path(room, root), {})
    await alice.call("DELETE", path(room, roots[0]))

    whole = await listed(alice)
    assert set(whole["subscribed"][room]) == set(roots[1:]) and set(whole["unsubscribed"][room]) == {roots[0]}
    assert "end" not in whole

    seen, query = [], {"limit": 2}
    while True:
        page = await listed(alice, **query)
        seen.append(set(page.get("subscribed", {}).get(room, {})) | set(page.get("unsubscribed", {}).get(room, {})))
        if "end" not in page:
            break
        query["from"] = page["end"]
    assert [len(s) for s in seen] == [2, 2, 1] and set().union(*seen) == set(roots)

    # What a client knows from a sync need not be told again.
    known = (await alice.sync())["next_batch"]
    assert await listed(alice, to=known) == {}
    await alice.put(path(room, roots[0]), {})
    assert set((await listed(alice, to=known))["subscribed"][room]) == {roots[0]}
    sliding = (await alice.post("/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", {}))["pos"]
    assert await listed(alice, to=quote(sliding, safe="")) == {}

    assert (await status(listed(alice, limit=0)))[0] == 400
    assert (await status(listed(alice, limit=10, **{"from": "nonsense"})))[0] == 400
