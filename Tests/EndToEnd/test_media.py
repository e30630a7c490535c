"""Media of this server: uploads, downloads, thumbnails, addresses before their content, limits, and what a crash leaves."""

import asyncio
import hashlib
import io
import os
import secrets
import socket
import struct
import time
import zlib

import aiohttp
import pytest
from PIL import Image, ImageCms

from homeserver import Client, MatrixFailure

MEDIA, DEPRECATED = "/_matrix/client/v1/media", "/_matrix/media/v3"


def picture(width, height, format="PNG", frames=1, mode="RGB"):
    images = [Image.frombytes(mode, (width, height), secrets.token_bytes(len(mode) * width * height)) for _ in range(frames)]
    file = io.BytesIO()
    more = {"save_all": True, "append_images": images[1:], "duration": 80} if frames > 1 else {}
    images[0].save(file, format, **more)
    return file.getvalue()


def bomb(width=60_000, height=60_000):
    """A small file that says it is a large image."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = zlib.compress(bytes(1 + width) * 64)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) + chunk(b"IDAT", rows)
            + chunk(b"IEND", b""))


async def upload(client, content, type="application/octet-stream", name=None, path=f"{DEPRECATED}/upload"):
    """-> server and media ID, as they stand in paths."""
    path += f"?filename={name}" if name else ""
    answer = await client.call("POST", path, data=content, headers={"Content-Type": type})
    assert answer["content_uri"].startswith("mxc://")
    return answer["content_uri"][6:]


async def download(client, media, base=MEDIA, more="", **options):
    return await client.raw("GET", f"{base}/download/{media}{more}", **options)


async def thumbnail(client, media, width, height, method="scale", base=MEDIA, more=""):
    return await client.raw("GET", f"{base}/thumbnail/{media}?width={width}&height={height}&method={method}{more}")


async def refused(client, method, path, **more):
    with pytest.raises(MatrixFailure) as failure:
        await client.call(method, path, **more)
    return failure.value.status, failure.value.errcode


def opened(content):
    image = Image.open(io.BytesIO(content))
    return image.format, image.size, getattr(image, "n_frames", 1)


def stored(server):
    """Every file of the media store -> {path: content}."""
    return {str(path.relative_to(server.folder / "media")): path.read_bytes()
            for path in (server.folder / "media").rglob("*") if path.is_file()}


@pytest.mark.parametrize("size", [0, 1, 100_000, 262_144, 5_000_001])
async def test_what_was_uploaded_is_downloaded(server, people, size):
    alice, bob = await people("alice", "bob")
    content = secrets.token_bytes(size)
    media = await upload(alice, content, "image/png", "pic%C3%A4.png")
    status, headers, body = await download(bob, media)
    assert status == 200 and body == content and headers["Content-Length"] == str(size)
    assert headers["Content-Type"] == "image/png" and headers["Content-Disposition"] == "inline; filename*=utf-8''pic%C3%A4.png"
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin" and headers["ETag"] == "1"
    assert "sandbox" in headers["Content-Security-Policy"] and headers["Cache-Control"].startswith("public,max-age=86400")
    status, headers, body = await download(bob, media, more="/other.png")
    assert body == content and headers["Content-Disposition"] == "inline; filename=other.png"
    status, headers, body = await bob.raw("HEAD", f"{MEDIA}/download/{media}")
    assert status == 200 and body == b"" and headers["Content-Length"] == str(size)
    status, headers, body = await download(bob, media, headers={"If-None-Match": "1"})
    assert status == 304 and body == b""
    # As Synapse lays it out.
    name = media.split("/")[1]
    assert stored(server)[f"local_content/{name[:2]}/{name[2:4]}/{name[4:]}"] == content


async def test_browsers_show_only_what_runs_no_scripts(people):
    alice = await people("alice")
    for type, shown, told in [("text/html", "attachment", "text/html; charset=UTF-8"), ("image/svg+xml", "attachment", None),
                              ("text/plain", "inline", "text/plain; charset=UTF-8"), ("application/pdf", "attachment", None),
                              ("image/jpeg", "inline", "image/jpeg")]:
        _, headers, _ = await download(alice, await upload(alice, b"x", type))
        assert headers["Content-Disposition"] == shown
        assert told is None or headers["Content-Type"] == told


async def test_who_does_not_say_who_they_are_gets_only_what_was_there_before(configured, anonymous, server):
    open_server = await configured(enable_authenticated_media=False)
    alice, nobody = await open_server.register("alice"), Client(open_server)
    old = await upload(alice, picture(200, 200), "image/png")
    for path in ("/_matrix/media/v3", "/_matrix/media/r0", "/_matrix/media/v1"):
        assert (await download(nobody, old, path))[0] == 200
        assert (await thumbnail(nobody, old, 32, 32, "crop", path))[0] == 200
    assert (await download(nobody, old))[0] == 401
    # Now they are asked for: what was there stays open, what comes is not.
    open_server.write_config()
    await open_server.restart()
    new = await upload(alice, picture(200, 200), "image/png")
    assert (await download(nobody, old, DEPRECATED))[0] == 200 and (await thumbnail(nobody, old, 32, 32, "crop", DEPRECATED))[0] == 200
    assert (await download(nobody, new, DEPRECATED))[0] == 404 and (await thumbnail(nobody, new, 32, 32, "crop", DEPRECATED))[0] == 404
    assert (await download(alice, new))[0] == 200 and (await thumbnail(alice, new, 32, 32, "crop"))[0] == 200
    # Of other servers they get nothing that is not here already.
    assert await refused(nobody, "GET", f"{DEPRECATED}/download/127.0.0.1:1/abcdefgh") == (404, "M_NOT_FOUND")
    assert await refused(nobody, "GET", f"{DEPRECATED}/download/127.0.0.1:1/abcdefgh?allow_remote=false") == (404, "M_NOT_FOUND")
    await alice.close()
    await nobody.close()


async def test_who_may_upload(server, people, anonymous):
    assert await refused(anonymous, "POST", f"{DEPRECATED}/upload", data=b"x") == (401, "M_MISSING_TOKEN")
    assert await refused(anonymous, "POST", "/_matrix/media/v1/create") == (401, "M_MISSING_TOKEN")
    assert await refused(anonymous, "GET", f"{MEDIA}/config") == (401, "M_MISSING_TOKEN")
    alice = await people("alice")
    assert await alice.get(f"{MEDIA}/config") == {"m.upload.size": 50 << 20}
    assert await alice.get(f"{DEPRECATED}/config") == {"m.upload.size": 50 << 20}


async def test_guests_look_and_do_not_upload(configured):
    server = await configured(allow_guest_access=True)
    alice = await server.register("alice")
    media = await upload(alice, b"content", "text/plain")
    nobody = Client(server)
    guest = Client(server, (await nobody.post("/_matrix/client/v3/register?kind=guest", {}))["access_token"])
    assert (await download(guest, media))[2] == b"content"
    assert await refused(guest, "POST", f"{DEPRECATED}/upload", data=b"x") == (403, "M_GUEST_ACCESS_FORBIDDEN")
    for client in (alice, nobody, guest):
        await client.close()


async def test_what_is_too_large_or_of_unknown_length_is_refused(configured):
    server = await configured(max_upload_size="1M")
    alice = await server.register("alice")
    assert await refused(alice, "POST", f"{DEPRECATED}/upload", data=bytes((1 << 20) + 1)) == (413, "M_TOO_LARGE")
    await upload(alice, bytes(1 << 20))

    async def pieces():
        yield b"some content"
    assert (await refused(alice, "POST", f"{DEPRECATED}/upload", data=pieces()))[0] == 400
    # An upload that ends early leaves nothing.
    before = stored(server)
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"POST {DEPRECATED}/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n"
                           f"Content-Length: 1000000\r\n\r\n".encode() + bytes(600_000))
        await asyncio.sleep(0.2)
    deadline = time.monotonic() + 10
    while stored(server) != before and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert stored(server) == before
    await alice.close()


async def test_a_user_uploads_so_much_in_a_time(configured):
    server = await configured(media_upload_limits=[{"time_period": "1h", "max_size": "1M"}, {"time_period": "1d", "max_size": "10M"}])
    alice, bob = await server.register("alice"), await server.register("bob")
    await upload(alice, bytes(700_000))
    assert await refused(alice, "POST", f"{DEPRECATED}/upload", data=bytes(700_000)) == (400, "M_RESOURCE_LIMIT_EXCEEDED")
    await upload(alice, bytes(200_000))
    await upload(bob, bytes(700_000))
    # Two at once do not both pass.
    carol = await server.register("carol")
    outcomes = await asyncio.gather(*(carol.raw("POST", f"{DEPRECATED}/upload", data=bytes(700_000)) for _ in range(4)))
    assert sorted(status for status, _, _ in outcomes).count(200) == 1
    for client in (alice, bob, carol):
        await client.close()


# Addresses before their content


async def test_an_address_waits_for_its_content(server, people):
    alice, bob = await people("alice", "bob")
    made = await alice.post("/_matrix/media/v1/create")
    media = made["content_uri"][6:]
    assert 86_000_000 < made["unused_expires_at"] - time.time() * 1000 < 86_500_000
    assert await refused(bob, "GET", f"{MEDIA}/download/{media}?timeout_ms=0") == (504, "M_NOT_YET_UPLOADED")
    assert await refused(bob, "GET", f"{MEDIA}/thumbnail/{media}?timeout_ms=50&width=1&height=1") == (504, "M_NOT_YET_UPLOADED")
    waiting = asyncio.create_task(download(bob, media, more="?timeout_ms=30000"))
    await asyncio.sleep(0.3)
    assert await refused(bob, "PUT", f"{DEPRECATED}/upload/{media}", data=b"x") == (403, "M_FORBIDDEN")
    assert await alice.call("PUT", f"{DEPRECATED}/upload/{media}", data=b"late", headers={"Content-Type": "text/plain"}) == {}
    status, headers, body = await waiting
    assert status == 200 and body == b"late" and headers["Content-Type"] == "text/plain; charset=UTF-8"
    assert await refused(alice, "PUT", f"{DEPRECATED}/upload/{media}", data=b"again") == (409, "M_CANNOT_OVERWRITE_MEDIA")
    assert await refused(alice, "PUT", f"{DEPRECATED}/upload/{server.name}/unknownmedia", data=b"x") == (404, "M_NOT_FOUND")
    assert await refused(alice, "PUT", f"{DEPRECATED}/upload/other.example/unknownmedia", data=b"x") == (404, "M_NOT_FOUND")


async def test_addresses_are_few_and_do_not_last(configured):
    server = await configured(max_pending_media_uploads=2, unused_expiration_time="3s")
    alice = await server.register("alice")
    first = (await alice.post("/_matrix/media/v1/create"))["content_uri"][6:]
    await alice.post("/_matrix/media/v1/create")
    with pytest.raises(MatrixFailure) as failure:
        await alice.post("/_matrix/media/v1/create")
    assert failure.value.errcode == "M_LIMIT_EXCEEDED" and 0 < failure.value.body["retry_after_ms"] <= 3000
    await asyncio.sleep(3.2)
    await alice.post("/_matrix/media/v1/create")
    assert await refused(alice, "PUT", f"{DEPRECATED}/upload/{first}", data=b"x") == (404, "M_NOT_FOUND")
    assert await refused(alice, "GET", f"{MEDIA}/download/{first}") == (404, "M_NOT_FOUND")
    await alice.close()


async def test_addresses_are_given_out_at_a_rate(configured):
    server = await configured(rc_media_create={"per_second": 0.01, "burst_count": 2}, max_pending_media_uploads=100)
    alice = await server.register("alice")
    for _ in range(2):
        await alice.post("/_matrix/media/v1/create")
    assert await refused(alice, "POST", "/_matrix/media/v1/create") == (429, "M_LIMIT_EXCEEDED")
    await alice.close()


# Thumbnails


async def test_thumbnails_in_the_usual_sizes(server, people):
    alice = await people("alice")
    for format, type, told in [("PNG", "image/png", "PNG"), ("JPEG", "image/jpeg", "JPEG"), ("WEBP", "image/webp", "JPEG"),
                               ("GIF", "image/gif", "PNG"), ("AVIF", "image/avif", "JPEG")]:
        media = await upload(alice, picture(1000, 500, format), type)
        for asked, size in [((32, 32, "crop"), (32, 32)), ((90, 90, "crop"), (96, 96)), ((300, 200, "scale"), (320, 160)),
                            ((640, 480, "scale"), (640, 320)), ((5000, 5000, "scale"), (800, 400))]:
            status, headers, body = await thumbnail(alice, media, *asked)
            assert status == 200, (format, asked, body)
            assert opened(body) == (told, size, 1) and headers["Content-Type"] == "image/" + told.lower()
            assert headers["Content-Disposition"] == "inline" and headers["ETag"] == "1"
        assert (await thumbnail(alice, media, 32, 32, more="&timeout_ms=0"))[0] == 200
    assert any(path.startswith("local_thumbnails/") and path.endswith("/96-96-image-png-crop") for path in stored(server))
    assert not any(path.startswith("tmp/") for path in stored(server))


async def test_thumbnails_show_what_the_image_shows(people):
    """Left and right in two colours, in the forms in which images say what colours they have."""
    alice = await people("alice")
    image = Image.new("RGB", (1000, 500), (255, 0, 0))
    image.paste((0, 200, 100), (500, 0, 1000, 500))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    transparent = image.convert("RGBA")
    transparent.putalpha(128)
    for name, shown, format, more in [("plain", image, "JPEG", {}), ("a profile", image, "JPEG", {"icc_profile": profile}),
                                      ("grey", image.convert("L"), "JPEG", {}), ("png", image, "PNG", {}),
                                      ("palette", image.convert("P", palette=Image.Palette.ADAPTIVE), "PNG", {}),
                                      ("transparent", transparent, "PNG", {})]:
        file = io.BytesIO()
        shown.save(file, format, quality=95, **more)
        media = await upload(alice, file.getvalue(), "image/" + format.lower())
        for asked in ((800, 600, "scale"), (640, 480, "scale"), (320, 240, "scale"), (96, 96, "crop")):
            _, _, body = await thumbnail(alice, media, *asked)
            small = Image.open(io.BytesIO(body)).convert("RGBA")
            for place in (0.1, 0.4, 0.6, 0.9):
                wanted = shown.convert("RGBA").getpixel((int(500 + 500 * (place - 0.5) * (1 if asked[2] == "crop" else 2)), 250))
                found = small.getpixel((int(small.width * place), small.height // 2))
                assert all(abs(a - b) <= 6 for a, b in zip(found, wanted)), (name, asked, place, found, wanted)


async def test_no_image_is_made_larger(people):
    alice = await people("alice")
    media = await upload(alice, picture(20, 10), "image/png")
    for asked, size in [((32, 32, "crop"), (20, 10)), ((640, 480, "scale"), (20, 10))]:
        _, _, body = await thumbnail(alice, media, *asked)
        assert opened(body)[1] == size


async def test_an_image_is_turned_as_it_says(people):
    alice = await people("alice")
    image, file = Image.new("RGB", (1000, 500)), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(file, "JPEG", exif=exif)
    media = await upload(alice, file.getvalue(), "image/jpeg")
    _, _, body = await thumbnail(alice, media, 640, 480)
    assert opened(body)[1] == (240, 480)


async def test_moving_thumbnails_are_for_those_who_ask(people):
    alice = await people("alice")
    for format in ("GIF", "WEBP"):
        media = await upload(alice, picture(200, 100, format, frames=5), "image/" + format.lower())
        for asked, size in [((96, 96, "crop"), (96, 96)), ((150, 100, "scale"), (200, 100))]:
            _, headers, body = await thumbnail(alice, media, *asked, more="&animated=true")
            assert opened(body) == ("WEBP", size, 5) and headers["Content-Type"] == "image/webp"
            _, headers, body = await thumbnail(alice, media, *asked)
            assert opened(body)[2] == 1 and headers["Content-Type"] != "image/webp"


async def test_any_size_where_the_operator_wants_it(configured):
    server = await configured(dynamic_thumbnails=True)
    alice = await server.register("alice")
    media = await upload(alice, picture(1000, 500), "image/png")
    for asked, size in [((123, 77, "crop"), (123, 77)), ((200, 200, "scale"), (200, 100)), ((5000, 5000, "scale"), (1000, 500))]:
        for _ in range(2):
            _, _, body = await thumbnail(alice, media, *asked)
            assert opened(body) == ("PNG", size, 1)
    assert (await thumbnail(alice, await upload(alice, b"no image", "image/png"), 20, 20))[0] == 400
    await alice.close()


async def test_hostile_images_have_no_thumbnails_and_harm_nobody(server, people):
    alice = await people("alice")
    whole = picture(500, 500)
    cases = {"bomb": (bomb(), "image/png"), "cut off": (whole[:len(whole) // 2], "image/png"), "no image": (b"text" * 1000, "image/png"),
             "nothing": (b"", "image/png"), "a page": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/png"),
             "no image by name": (whole, "application/octet-stream"), "a lie": (b"%PDF-1.4", "image/jpeg")}
    for name, (content, type) in cases.items():
        media = await upload(alice, content, type)
        status, _, body = await thumbnail(alice, media, 32, 32, "crop")
        assert status == 400, name
        assert (await download(alice, media))[2] == content
    media = await upload(alice, whole, "image/png")
    assert (await thumbnail(alice, media, 32, 32, "crop"))[0] == 200
    assert not any(path.startswith("tmp/") for path in stored(server))


async def test_thumbnails_that_have_gone_are_made_again(server, people):
    alice = await people("alice")
    media = await upload(alice, picture(300, 300), "image/png")
    assert (await thumbnail(alice, media, 96, 96, "crop"))[0] == 200
    for path in (server.folder / "media/local_thumbnails").rglob("*-crop"):
        path.unlink()
    _, _, body = await thumbnail(alice, media, 96, 96, "crop")
    assert opened(body)[1] == (96, 96)


# Bad input


async def test_nothing_leads_out_of_the_store(server, people):
    alice = await people("alice")
    (server.folder / "secret").write_text("secret")
    ids = ["..", "%2e%2e%2f%2e%2e%2fsecret", "..%2F..%2Fsecret", "a%00bcdefgh", "%FF%FEabcd", "a" * 300, "abc", "%2Fetc%2Fpasswd", "ab.cd.ef"]
    for id in ids:
        for name in (server.name, "127.0.0.1:1"):
            status, _, body = await alice.raw("GET", f"{MEDIA}/download/{name}/{id}")
            assert status in (400, 404) or name != server.name and id == "abc", (id, status)
            assert b"secret" not in body or b"errcode" in body
    for name in ("..", "a%2Fb", "%00", "a..b%2F", ""):
        status, _, _ = await alice.raw("GET", f"{MEDIA}/download/{name}/abcdefgh")
        assert status in (400, 404, 502), name


async def test_parameters_that_make_no_sense(server, people):
    alice = await people("alice")
    media = await upload(alice, picture(100, 100), "image/png")
    for query, errcode in [("", "M_MISSING_PARAM"), ("?width=1", "M_MISSING_PARAM"), ("?width=x&height=1", "M_INVALID_PARAM"),
                           ("?width=-1&height=1", "M_INVALID_PARAM"), ("?width=1&height=1&method=stretch", "M_INVALID_PARAM"),
                           ("?width=1&height=1&animated=perhaps", "M_INVALID_PARAM"), ("?width=1&height=1&timeout_ms=soon", "M_INVALID_PARAM")]:
        assert await refused(alice, "GET", f"{MEDIA}/thumbnail/{media}{query}") == (400, errcode)
    status, _, _ = await thumbnail(alice, media, 9_000_000_000_000_000_000, 9_000_000_000_000_000_000)
    assert status == 200
    name = "x" * 5000
    assert (await download(alice, await upload(alice, b"x", name=name)))[0] == 200
    assert (await download(alice, await upload(alice, b"x", name="a%00b%0D%0AX-Y:z")))[0] == 200


async def test_a_server_without_media(configured):
    server = await configured(enable_media_repo=False)
    alice = await server.register("alice")
    for method, path in [("POST", f"{DEPRECATED}/upload"), ("GET", f"{MEDIA}/config"), ("GET", f"{MEDIA}/download/x/y")]:
        assert await refused(alice, method, path) == (404, "M_UNRECOGNIZED")
    await alice.close()


# What lasts


async def test_what_was_acknowledged_is_there_after_a_crash(server, people):
    people_ = await people("alice", "bob")
    acknowledged, running = {}, True

    async def sender(person, size):
        while running:
            content = secrets.token_bytes(size)
            try:
                acknowledged[await upload(person, content, "image/png")] = hashlib.sha256(content).digest()
            except (aiohttp.ClientError, OSError, asyncio.TimeoutError):
                return

    senders = [asyncio.create_task(sender(person, size)) for person in people_ for size in (1000, 100_000, 2_000_000)]
    await asyncio.sleep(1.5)
    await server.kill()
    running = False
    await asyncio.gather(*senders)
    assert len(acknowledged) > 5
    await server.start()
    for media, digest in acknowledged.items():
        status, _, body = await download(people_[0], media)
        assert status == 200 and hashlib.sha256(body).digest() == digest
    # No half files: whatever has its place is whole, and what has none is gone.
    files = stored(server)
    assert not any(path.startswith("tmp/") for path in files)
    assert all(len(content) in (1000, 100_000, 2_000_000) for path, content in files.items() if path.startswith("local_content/"))


async def test_old_media_go(configured):
    server = await configured(media_retention={"local_media_lifetime": "1s"})
    alice = await server.register("alice")
    plain, face = await upload(alice, picture(100, 100), "image/png"), await upload(alice, picture(100, 100), "image/png")
    await alice.put(f"/_matrix/client/v3/profile/{alice.user}/avatar_url", {"avatar_url": f"mxc://{face}"})
    await asyncio.sleep(1.5)
    # They are looked after at the start, and then every hour.
    await server.restart()
    name = plain.split("/")[1]
    deadline = time.monotonic() + 20
    while any(name[4:] in path for path in stored(server)) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    assert not any(name[4:] in path for path in stored(server))
    assert (await download(alice, plain))[0] == 404 and (await download(alice, face))[0] == 200
    await alice.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
async def test_a_full_disk_refuses_uploads_and_leaves_nothing(configured, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mount = await asyncio.create_subprocess_exec("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small))
    if await mount.wait() != 0:
        pytest.skip("no file system can be mounted here")
    try:
        server = await configured(media_store_path=str(small / "media"))
        alice = await server.register("alice")
        kept = await upload(alice, bytes(500_000))
        status, _, body = await alice.raw("POST", f"{DEPRECATED}/upload", data=bytes(5_000_000))
        assert status >= 500 and b"M_UNKNOWN" in body and "No space left" in server.log()
        files = [path for path in (small / "media").rglob("*") if path.is_file()]
        assert len(files) == 1
        assert (await download(alice, kept))[2] == bytes(500_000)
        await upload(alice, bytes(100_000))
        await alice.close()
        await server.stop()
    finally:
        await (await asyncio.create_subprocess_exec("umount", "-l", str(small))).wait()
