"""Events that relate to others: aggregations, pages of relations, threads, redactions."""

from urllib.parse import quote

import pytest

from homeserver import MatrixFailure

V1, V3 = "/_matrix/client/v1", "/_matrix/client/v3"


def q(text):
    return quote(text, safe="")


def relates(kind, target, **more):
    return {"m.relates_to": {"rel_type": kind, "event_id": target, **more}}


async def refused(awaitable, status, errcode):
    with pytest.raises(MatrixFailure) as failure:
        await awaitable
    assert (failure.value.status, failure.value.errcode) == (status, errcode), failure.value


async def reply(client, room, root, text):
    return await client.send(room, {"msgtype": "m.text", "body": text, **relates("m.thread", root)})


async def edit(client, room, target, text):
    return await client.send(room, {"msgtype": "m.text", "body": "* " + text,
                                    "m.new_content": {"msgtype": "m.text", "body": text}, **relates("m.replace", target)})


async def react(client, room, target, key):
    return await client.send(room, relates("m.annotation", target, key=key), type="m.reaction")


async def redact(client, room, target):
    return (await client.put(f"{client.room(room)}/redact/{q(target)}/{q('r' + target)}"))["event_id"]


async def event(client, room, id):
    return await client.get(f"{client.room(room)}/event/{q(id)}")


async def test_aggregations_are_the_same_wherever_an_event_is_read(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    root = await alice.send(room, "root")
    await reply(bob, room, root, "one")
    last = await reply(bob, room, root, "two")
    replacement = await edit(alice, room, root, "better")
    note = await bob.send(room, {"body": "note", "msgtype": "m.text", **relates("m.reference", root)})
    await react(bob, room, root, "👍")

    async def check():
        context = await alice.get(f"{alice.room(room)}/context/{q(root)}")
        in_messages = next(e for e in await alice.messages(room) if e["event_id"] == root)
        in_sync = next(e for e in (await alice.sync(filter={"room": {"timeline": {"limit": 50}}}))["rooms"]["join"][room]["timeline"]["events"]
                       if e["event_id"] == root)
        threads = await alice.get(f"{V1}/rooms/{q(room)}/threads")
        for found in (await event(alice, room, root), context["event"], in_messages, in_sync, threads["chunk"][0]):
            relations = found["unsigned"]["m.relations"]
            assert relations["m.replace"]["event_id"] == replacement and found["content"]["body"] == "root"
            assert relations["m.thread"]["latest_event"]["event_id"] == last
            assert relations["m.thread"]["count"] == 2 and relations["m.thread"]["current_user_participated"] is True
            assert relations["m.reference"] == {"chunk": [{"event_id": note}]}
            assert "m.annotation" not in relations
        assert "m.relations" not in (await event(alice, room, last))["unsigned"]

    await check()
    await server.restart()
    await check()


async def test_pages_of_relations(server, people):
    alice = await people("alice")
    room = await alice.create_room(preset="public_chat")
    root = await alice.send(room, "root")
    replies = [await reply(alice, room, root, str(i)) for i in range(6)]
    reactions = [await react(alice, room, r, "👍") for r in replies[:2]]
    on_root = await react(alice, room, root, "🎉")

    async def read(path="", **query):
        found, start = [], None
        while True:
            parameters = "&".join(f"{k}={v}" for k, v in {"limit": 2, **query, **({"from": start} if start else {})}.items())
            page = await alice.get(f"{V1}/rooms/{q(room)}/relations/{q(root)}{path}?{parameters}")
            found += [e["event_id"] for e in page["chunk"]]
            assert ("prev_batch" in page) == (start is not None)
            start = page.get("next_batch")
            if not start:
                return found

    assert await read() == [on_root, *reversed(replies)]
    assert await read(dir="f") == [*replies, on_root]
    assert await read("/m.thread", dir="f") == replies
    assert await read("/m.annotation/m.reaction") == [on_root]
    assert await read("/m.annotation/m.sticker") == []
    assert await read("/m.annotation", dir="f", recurse="true") == [*reactions, on_root]
    assert await read(dir="f", recurse="true") == [*replies, *reactions, on_root]
    page = await alice.get(f"{V1}/rooms/{q(room)}/relations/{q(root)}?recurse=true")
    assert page["recursion_depth"] == 3
    await refused(alice.get(f"{V1}/rooms/{q(room)}/relations/%24unknown"), 404, "M_NOT_FOUND")
    for query in ("dir=x", "limit=-1", "from=x", "recurse=perhaps"):
        with pytest.raises(MatrixFailure) as failure:
            await alice.get(f"{V1}/rooms/{q(room)}/relations/{q(root)}?{query}")
        assert failure.value.status == 400


async def test_lists_of_threads(server, people):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room)
    roots = [await alice.send(room, str(i)) for i in range(4)]
    for i in (2, 0, 3, 1):
        await reply(alice, room, roots[i], "reply")
    await reply(bob, room, roots[2], "mine")

    async def read(client, **query):
        found, start = [], None
        while True:
            parameters = "&".join(f"{k}={v}" for k, v in {"limit": 3, **query, **({"from": start} if start else {})}.items())
            page = await client.get(f"{V1}/rooms/{q(room)}/threads?{parameters}")
            found += [e["event_id"] for e in page["chunk"]]
            start = page.get("next_batch")
            if not start:
                return found

    assert await read(bob) == [roots[i] for i in (2, 1, 3, 0)]
    assert await read(bob, include="participated") == [roots[2]]
    assert len(await read(alice, include="participated")) == 4
    await refused(alice.get(f"{V1}/rooms/{q(room)}/threads?include=some"), 400, "M_INVALID_PARAM")


async def test_refused_relations(server, people):
    alice = await people("alice")
    room, other = await alice.create_room(preset="public_chat"), await alice.create_room(preset="public_chat")
    root, elsewhere = await alice.send(room, "root"), await alice.send(other, "elsewhere")
    first = await reply(alice, room, root, "reply")
    await react(alice, room, root, "👍")
    await refused(react(alice, room, root, "👍"), 400, "M_DUPLICATE_ANNOTATION")
    await refused(reply(alice, room, first, "deeper"), 400, "M_UNKNOWN")
    await refused(reply(alice, room, elsewhere, "x"), 400, "M_UNKNOWN")
    await refused(reply(alice, room, "$unknown", "x"), 400, "M_UNKNOWN")


@pytest.mark.parametrize("version", ["10", "11", "12"])
async def test_redactions_in_every_form(server, people, version):
    alice, bob = await people("alice", "bob")
    room = await alice.create_room(preset="public_chat", room_version=version)
    await bob.join(room)
    first, second = await bob.send(room, "first"), await bob.send(room, "second")
    third = await alice.send(room, "third")
    await refused(redact(bob, room, third), 403, "M_FORBIDDEN")
    await refused(bob.send(room, {"redacts": third}, type="m.room.redaction"), 403, "M_FORBIDDEN")
    await refused(bob.send(room, {}, type="m.room.redaction"), 400, "M_BAD_JSON")
    by_path = await redact(alice, room, first)
    by_send = await bob.send(room, {"redacts": second, "reason": "typo"}, type="m.room.redaction")
    for target, redaction in ((first, by_path), (second, by_send)):
        found = await event(alice, room, target)
        assert found["content"] == {} and found["unsigned"]["redacted_because"]["event_id"] == redaction
        shown = await event(alice, room, redaction)
        assert shown["redacts"] == target and shown["content"]["redacts"] == target


async def test_redacted_relations_are_not_counted(server, people):
    alice = await people("alice")
    room = await alice.create_room(preset="public_chat")
    root = await alice.send(room, "root")
    first, second = await reply(alice, room, root, "1"), await reply(alice, room, root, "2")
    replacement = await edit(alice, room, root, "better")
    await redact(alice, room, second)
    await redact(alice, room, replacement)
    relations = (await event(alice, room, root))["unsigned"]["m.relations"]
    assert relations["m.thread"]["count"] == 1 and relations["m.thread"]["latest_event"]["event_id"] == first
    assert "m.replace" not in relations
    page = await alice.get(f"{V1}/rooms/{q(room)}/relations/{q(root)}")
    assert [e["event_id"] for e in page["chunk"]] == [first]
    await redact(alice, room, first)
    assert "m.relations" not in (await event(alice, room, root))["unsigned"]
    assert (await alice.get(f"{V1}/rooms/{q(room)}/threads"))["chunk"] == []
