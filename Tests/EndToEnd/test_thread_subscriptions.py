"""MSC4306 and MSC4308: following threads."""

from urllib.parse import quote

import pytest
import pytest_asyncio

from homeserver import MatrixFailure, joined, room_of_two

SUBSCRIBED, UNSUBSCRIBED = (f".io.element.msc4306.rule.{name}_thread" for name in ("subscribed", "unsubscribed"))
RULES = "/_matrix/client/v3/pushrules/"


@pytest_asyncio.fixture
async def server(configured):
    return await configured(experimental_features={"msc4306_enabled": True})


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


async def test_sliding_sync_tells_of_subscriptions(server, people):
    alice = await people("alice")
    room = await alice.create_room()
    root = await alice.send(room, "root")
    sync = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
    asked = {"extensions": {"io.element.msc4308.thread_subscriptions": {"enabled": True}}}
    start = (await alice.post(sync, asked))["pos"]
    await alice.put(path(room, root), {})
    answer = await alice.post(f"{sync}?pos={quote(start, safe='')}", asked)
    assert list(answer["extensions"]["io.element.msc4308.thread_subscriptions"]["subscribed"][room]) == [root]


async def test_only_who_follows_a_thread_is_notified_of_it(server, people):
    alice, bob, room = await room_of_two(people)
    carol = await server.register("carol")
    await carol.join(room)
    root = await alice.send(room, "root")
    assert (await bob.get("/_matrix/client/versions"))["unstable_features"]["org.matrix.msc4306"] is True
    rules = (await bob.get(RULES))["global"]["postcontent"]
    assert [rule["rule_id"] for rule in rules] == [UNSUBSCRIBED, SUBSCRIBED]

    async def unread(client):
        counts = joined(await client.sync(), room)["unread_notifications"]
        return counts["notification_count"], counts["highlight_count"]

    async def reply(text, **more):
        return await alice.send(room, {"msgtype": "m.text", "body": text, **thread(root), **more})

    await bob.put(path(room, root), {})
    assert (await unread(bob), await unread(carol)) == ((1, 0), (1, 0))
    first = await reply("for those who follow")
    assert (await unread(bob), await unread(carol)) == ((2, 0), (1, 0))
    await reply("for both of you", **{"m.mentions": {"user_ids": [bob.user, carol.user]}})
    assert (await unread(bob), await unread(carol)) == ((3, 1), (2, 1))
    notified = (await bob.get("/_matrix/client/v3/notifications"))["notifications"]
    assert {"set_tweak": "sound", "value": "default"} in next(n["actions"] for n in notified if n["event"]["event_id"] == first)
    assert first not in [n["event"]["event_id"] for n in (await carol.get("/_matrix/client/v3/notifications"))["notifications"]]

    # Who ceases to follow keeps what was counted, over a restart too.
    await bob.call("DELETE", path(room, root))
    await server.restart()
    assert await unread(bob) == (3, 1)
    await reply("for nobody")
    await alice.send(room, "for all")
    assert (await unread(bob), await unread(carol)) == ((4, 1), (3, 1))

    # The rules are the user's to change.
    rule = f"{RULES}global/postcontent/{UNSUBSCRIBED}"
    await carol.put(rule + "/enabled", {"enabled": False})
    await reply("for carol, by the rule for messages")
    assert (await unread(bob), await unread(carol)) == ((4, 1), (4, 1))
    assert await status(carol.put(f"{RULES}global/postcontent/mine", {"conditions": [], "actions": []})) == (400, "M_INVALID_PARAM")
    await carol.close()


async def test_nothing_of_it_where_the_operator_does_not_want_it(configured):
    server = await configured()
    alice = await server.register("alice")
    room = await alice.create_room()
    root = await alice.send(room, "root")
    assert (await alice.get("/_matrix/client/versions"))["unstable_features"]["org.matrix.msc4306"] is False
    for refused in (alice.get(path(room, root)), alice.put(path(room, root), {}), alice.call("DELETE", path(room, root)), listed(alice)):
        assert await status(refused) == (404, "M_UNRECOGNIZED")
    assert "postcontent" not in (await alice.get(RULES))["global"]
    rule = f"{RULES}global/postcontent/{SUBSCRIBED}"
    assert (await status(alice.get(rule)))[0] == 404
    assert (await status(alice.put(rule + "/enabled", {"enabled": False})))[0] == 404
    await alice.close()
