"""What one finds of people and rooms on the other server."""

from urllib.parse import quote

import pytest

from across import becomes, content, until
from homeserver import MatrixFailure


def profile(user, field=""):
    return f"/_matrix/client/v3/profile/{quote(user, safe='')}{'/' + field if field else ''}"


async def test_aliases_lead_to_rooms_of_the_other_server(sides, person):
    here, there = sides
    alice, bob, carol = await person(here, "alice"), await person(there, "bob"), await person(there, "carol")
    name = "way" + alice.user[6:].split(":")[0]
    alias = f"#{name}:{here.name}"
    room = await alice.create_room(preset="public_chat", room_alias_name=name)
    found = await bob.get(f"/_matrix/client/v3/directory/room/{quote(alias, safe='')}")
    assert found["room_id"] == room and here.name in found["servers"]
    await bob.join(alias)
    await becomes(alice, room, bob.user, "join")
    await carol.join(room, via=[there.name, here.name])
    await becomes(alice, room, carol.user, "join")
    # Another name, of the other server.
    own = f"#own{name}:{there.name}"
    await bob.put(f"/_matrix/client/v3/directory/room/{quote(own, safe='')}", {"room_id": room})
    found = await alice.get(f"/_matrix/client/v3/directory/room/{quote(own, safe='')}")
    assert found["room_id"] == room and set(found["servers"]) >= {here.name, there.name}
    with pytest.raises(MatrixFailure) as failure:
        await bob.join(f"#nothing{name}:{here.name}")
    assert failure.value.status == 404


async def test_a_join_finds_another_server_when_the_first_does_not_answer(sides, person):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    room = await alice.create_room(preset="public_chat")
    await bob.join(room, via=["127.0.0.1:1", here.name])
    await becomes(alice, room, bob.user, "join")


async def test_the_room_directory_of_the_other_server(sides, person):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    mark = "word" + alice.user[6:].split(":")[0]
    rooms = [await alice.create_room(preset="public_chat", visibility="public", name=f"{mark} {number}", topic="listed")
             for number in range(3)]
    space = await alice.create_room(preset="public_chat", visibility="public", name=f"{mark} space", creation_content={"type": "m.space"})

    async def search(body):
        return await bob.post(f"/_matrix/client/v3/publicRooms?server={here.name}", body)

    async def listed():
        return {r["room_id"] for r in (await search({"filter": {"generic_search_term": mark}}))["chunk"]} == {*rooms, space}
    await until("the rooms in the directory", listed)
    page = await search({"limit": 2, "filter": {"generic_search_term": mark}})
    seen = {r["room_id"] for r in page["chunk"]}
    while page.get("next_batch"):
        page = await search({"limit": 2, "since": page["next_batch"], "filter": {"generic_search_term": mark}})
        seen |= {r["room_id"] for r in page["chunk"]}
    assert seen == {*rooms, space}
    only = await search({"filter": {"generic_search_term": mark, "room_types": ["m.space"]}})
    assert [r["room_id"] for r in only["chunk"]] == [space]
    everything = await bob.get(f"/_matrix/client/v3/publicRooms?server={here.name}&limit=500")
    assert {*rooms, space} <= {r["room_id"] for r in everything["chunk"]}


async def test_profiles_are_looked_up_and_follow_into_rooms(sides, person):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    await alice.put(profile(alice.user, "displayname"), {"displayname": "Älice"})
    await alice.put(profile(alice.user, "avatar_url"), {"avatar_url": "mxc://example.org/face"})
    assert await bob.get(profile(alice.user, "displayname")) == {"displayname": "Älice"}
    found = await bob.get(profile(alice.user))
    assert (found["displayname"], found["avatar_url"]) == ("Älice", "mxc://example.org/face")
    with pytest.raises(MatrixFailure) as failure:
        await bob.get(profile(f"@nobody:{here.name}"))
    assert failure.value.status == 404

    room = await alice.create_room(preset="public_chat")
    await bob.join(room, via=[here.name])
    await alice.put(profile(alice.user, "displayname"), {"displayname": "Alice the Second"})

    async def renamed():
        return (await content(bob, room, "m.room.member", alice.user))["displayname"] == "Alice the Second"
    await until("the new name", renamed)
