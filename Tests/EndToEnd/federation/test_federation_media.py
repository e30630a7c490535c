"""Media that one server has and people of the other one look at, both ways."""

import secrets

from across import until
from test_media import MEDIA, download, opened, picture, refused, thumbnail, upload


async def test_media_of_the_other_server(sides, person):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    for content, type, name in [(secrets.token_bytes(100), "application/octet-stream", "a.bin"), (b"x", "text/plain", None),
                                (secrets.token_bytes(3_000_000), "image/png", "%C3%A4%20b.png"), (b"<b>x</b>", "text/html", "x.html")]:
        media = await upload(alice, content, type, name)
        _, own, _ = await download(alice, media)
        status, headers, body = await download(bob, media)
        assert status == 200 and body == content
        for field in ("Content-Type", "Content-Disposition"):
            assert headers.get(field) == own.get(field)


async def test_empty_files(person, martlet, synapse):
    alice, bob = await person(martlet, "alice"), await person(synapse, "bob")
    media = await upload(bob, b"", "text/plain", "empty.txt")
    status, _, body = await download(alice, media)
    assert status == 200 and body == b""
    media = await upload(alice, b"", "text/plain", "empty.txt")
    status, headers, body = await download(bob, media)
    assert status == 200 and body == b"" and headers["Content-Type"].startswith("text/plain")


async def test_thumbnails_of_the_other_servers_images(sides, person):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    for format in ("PNG", "JPEG", "GIF", "WEBP"):
        media = await upload(alice, picture(1000, 500, format), "image/" + format.lower())
        for asked, size in [((32, 32, "crop"), (32, 32)), ((320, 240, "scale"), (320, 160)), ((5000, 5000, "scale"), (800, 400))]:
            shown = [opened((await thumbnail(who, media, *asked))[2]) for who in (alice, bob)]
            assert shown[0] == shown[1] and shown[0][1] == size


async def test_media_that_the_other_server_does_not_have(sides, person):
    here, there = sides
    bob = await person(there, "bob")
    assert await refused(bob, "GET", f"{MEDIA}/download/{here.name}/unknownmediaunknownmedia") == (404, "M_NOT_FOUND")
    assert (await refused(bob, "GET", f"{MEDIA}/thumbnail/{here.name}/unknownmediaunknownmedia?width=1&height=1"))[0] == 404


async def test_an_upload_that_is_still_to_come(sides, person):
    here, there = sides
    alice, bob = await person(here, "alice"), await person(there, "bob")
    media = (await alice.post("/_matrix/media/v1/create"))["content_uri"][6:]
    status, _, _ = await download(bob, media, more="?timeout_ms=100")
    assert status in (502, 504)
    await alice.call("PUT", f"/_matrix/media/v3/upload/{media}", data=b"late", headers={"Content-Type": "text/plain"})

    # Synapse leaves a server alone for a moment that had nothing yet.
    async def comes():
        return (await download(bob, media))[2] == b"late"
    await until("the upload", comes)
