"""Media of other servers, with a partner that answers, lies and stalls; and media of this one, for servers that ask."""

import asyncio
import secrets
import time

import pytest
from aiohttp import web

from homeserver import Client
from partner import Partner
from test_federation_keys import resident, town  # noqa: F401
from test_media import DEPRECATED, MEDIA, download, opened, picture, refused, stored, thumbnail, upload

FEDERATION = "/_matrix/federation/v1/media"
BOUNDARY = "gc0p4Jq0M2Yt08jU534c0p"


def parts(content, type="image/png", boundary=BOUNDARY, **headers):
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in {"Content_Type": type, **headers}.items())
    return (f"--{boundary}\r\nContent-Type: application/json\r\n\r\n{{}}\r\n--{boundary}\r\n{fields}\r\n".encode() + content
            + f"\r\n--{boundary}--".encode())


def serves(body, boundary=BOUNDARY, status=200):
    async def handler(request):
        return web.Response(body=body, status=status, headers={"Content-Type": f"multipart/mixed; boundary={boundary}"})
    return handler


def serves_plainly(content, type="image/png", **headers):
    async def handler(request):
        return web.Response(body=content, headers={"Content-Type": type, **headers})
    return handler


async def both(town, **overrides):
    server, partner = await town(**overrides), await town.partner()
    return server, partner, await server.register("alice")


async def test_a_medium_is_fetched_once_and_kept(town):  # noqa: F811
    server, partner, alice = await both(town)
    content = secrets.token_bytes(3_000_000)
    media, asked = "SomeMedia-_1", []

    async def handler(request):
        asked.append(request)
        await asyncio.sleep(0.3)
        return await serves(parts(content, Content_Disposition="inline; filename*=utf-8''%C3%A4.png"))(request)

    partner.handlers[f"{FEDERATION}/download/{media}"] = handler
    answers = await asyncio.gather(*(download(alice, f"{partner.name}/{media}") for _ in range(5)))
    for status, headers, body in answers:
        assert status == 200 and body == content and headers["Content-Type"] == "image/png"
        assert headers["Content-Disposition"] == "inline; filename*=utf-8''%C3%A4.png"
    assert (await download(alice, f"{partner.name}/{media}"))[2] == content
    assert len(asked) == 1
    assert asked[0].headers["Authorization"].startswith("X-Matrix ") and 0 < int(asked[0].query["timeout_ms"]) <= 20_000
    [path] = [path for path in stored(server) if path.startswith("remote_content/")]
    assert path.startswith(f"remote_content/{partner.name}/") and stored(server)[path] == content
    # A copy that has gone is fetched again.
    (server.folder / "media" / path).unlink()
    assert (await download(alice, f"{partner.name}/{media}"))[2] == content and len(asked) == 2
    # Who does not say who they are gets neither that nor anything new.
    nobody = Client(server)
    assert await refused(nobody, "GET", f"{DEPRECATED}/download/{partner.name}/{media}") == (404, "M_NOT_FOUND")
    await nobody.close()
    await alice.close()


async def test_thumbnails_of_other_servers_images_are_made_here(town):  # noqa: F811
    server, partner, alice = await both(town)
    partner.handlers[f"{FEDERATION}/download/picture1"] = serves(parts(picture(500, 250)))
    _, _, body = await thumbnail(alice, f"{partner.name}/picture1", 96, 96, "crop")
    assert opened(body) == ("PNG", (96, 96), 1)
    assert any(path.startswith(f"remote_thumbnail/{partner.name}/") for path in stored(server))
    assert partner.count(f"{FEDERATION}/download/picture1") == 1
    await alice.close()


async def test_a_server_that_knows_only_the_older_way(town):  # noqa: F811
    server, partner, alice = await both(town)
    seen = []

    async def handler(request):
        seen.append((dict(request.query), "Authorization" in request.headers))
        return await serves_plainly(b"content", "text/plain", **{"Content-Disposition": "attachment; filename=a.txt"})(request)

    partner.handlers[f"{DEPRECATED}/download/{partner.name}/oldmedia"] = handler
    _, headers, body = await download(alice, f"{partner.name}/oldmedia")
    assert body == b"content" and headers["Content-Disposition"] == "inline; filename=a.txt"
    [(query, signed)] = seen
    assert query["allow_remote"] == "false" and query["allow_redirect"] == "true" and not signed

    # It leads elsewhere, once.
    async def elsewhere(request):
        return web.HTTPTemporaryRedirect(f"https://{partner.name}/cdn/x")
    partner.handlers[f"{DEPRECATED}/download/{partner.name}/redirected"] = elsewhere
    partner.handlers["/cdn/x"] = serves_plainly(b"from elsewhere")
    assert (await download(alice, f"{partner.name}/redirected"))[2] == b"from elsewhere"
    await alice.close()


async def test_content_that_is_elsewhere(town):  # noqa: F811
    server, partner, alice = await both(town)
    content = secrets.token_bytes(500_000)
    partner.handlers["/cdn/file"] = serves_plainly(content, "image/gif", **{"Content-Disposition": "inline; filename=x.gif"})
    partner.handlers[f"{FEDERATION}/download/elsewhere"] = serves(parts(b"", Location=f"https://{partner.name}/cdn/file?signed=yes"))
    _, headers, body = await download(alice, f"{partner.name}/elsewhere")
    assert body == content and headers["Content-Type"] == "image/gif" and headers["Content-Disposition"] == "inline; filename=x.gif"

    async def further(request):
        return web.HTTPFound(f"https://{partner.name}/cdn/file")
    partner.handlers["/cdn/further"] = further
    for location in (f"https://{partner.name}/cdn/further", "file:///etc/passwd", "gopher://x/", "/cdn/file", "https://user@x/", ""):
        partner.handlers[f"{FEDERATION}/download/nowhere{abs(hash(location))}"] = serves(parts(b"", Location=location))
        assert await refused(alice, "GET", f"{MEDIA}/download/{partner.name}/nowhere{abs(hash(location))}") == (502, "M_UNKNOWN")
    await alice.close()


async def test_addresses_that_are_not_connected_to(town):  # noqa: F811
    partner_elsewhere = await town.partner()
    partner_elsewhere.handlers["/secret"] = serves_plainly(b"secret")
    server = await town(ip_range_blacklist=["127.0.0.0/9"])
    partner = Partner(town.authority, host="127.128.0.1", names=("127.128.0.1",))
    await partner.start()
    partner.name = f"127.128.0.1:{partner.port}"
    alice = await server.register("alice")
    partner.handlers[f"{FEDERATION}/download/inward"] = serves(parts(b"", Location=f"https://127.0.0.1:{partner_elsewhere.port}/secret"))
    partner.handlers[f"{FEDERATION}/download/allowed"] = serves(parts(b"fine"))
    assert (await download(alice, f"{partner.name}/allowed"))[2] == b"fine"
    assert await refused(alice, "GET", f"{MEDIA}/download/{partner.name}/inward") == (502, "M_UNKNOWN")
    assert partner_elsewhere.asked == []
    await partner.stop()
    await alice.close()


async def test_what_is_too_large_is_not_kept(town):  # noqa: F811
    server, partner, alice = await both(town, max_upload_size="1M")
    partner.handlers[f"{FEDERATION}/download/announced"] = serves(parts(bytes(2 << 20)))

    async def endless(request):
        response = web.StreamResponse(headers={"Content-Type": f"multipart/mixed; boundary={BOUNDARY}"})
        await response.prepare(request)
        try:
            await response.write(parts(b"")[:-len(BOUNDARY) - 6])
            while True:
                await response.write(bytes(65_536))
        except (ConnectionError, asyncio.CancelledError):
            return response

    partner.handlers[f"{FEDERATION}/download/endless"] = endless
    before = resident(server)
    for name in ("announced", "endless"):
        assert await refused(alice, "GET", f"{MEDIA}/download/{partner.name}/{name}") == (502, "M_TOO_LARGE")
    # Nor is the error in its place.
    async def long_error(request):
        return web.Response(body=bytes(1 << 20), status=403)
    partner.handlers[f"{FEDERATION}/download/longerror"] = long_error
    assert (await refused(alice, "GET", f"{MEDIA}/download/{partner.name}/longerror"))[0] == 502
    assert resident(server) - before < 30_000_000
    assert not any(path.startswith(("remote_content/", "tmp/")) for path in stored(server))
    partner.handlers[f"{FEDERATION}/download/fits"] = serves(parts(bytes(1 << 20)))
    assert len((await download(alice, f"{partner.name}/fits"))[2]) == 1 << 20
    await alice.close()


@pytest.mark.parametrize("body", [
    b"", b"no parts at all", parts(b"x")[:20], parts(b"x")[:-4], parts(b"x", boundary="other"), b"--" + BOUNDARY.encode(),
    b"--" + BOUNDARY.encode() + b"\r\n\r\n{}\r\n--" + BOUNDARY.encode() + b"--", b"\r\n" * 100_000,
    b"--" + BOUNDARY.encode() + b"\r\nX: " + b"y" * 100_000])
async def test_answers_that_are_no_media(town, body):  # noqa: F811
    server, partner, alice = await both(town)
    partner.handlers[f"{FEDERATION}/download/broken"] = serves(body)
    assert await refused(alice, "GET", f"{MEDIA}/download/{partner.name}/broken") == (502, "M_UNKNOWN")
    partner.handlers[f"{FEDERATION}/download/plain"] = serves_plainly(b"not in parts")
    assert await refused(alice, "GET", f"{MEDIA}/download/{partner.name}/plain") == (502, "M_UNKNOWN")
    assert not any(path.startswith(("remote_content/", "tmp/")) for path in stored(server))
    # The server is asked again as if nothing had been.
    partner.handlers[f"{FEDERATION}/download/good"] = serves(parts(b"good"))
    assert (await download(alice, f"{partner.name}/good"))[2] == b"good"
    await alice.close()


async def test_empty_files(town):  # noqa: F811
    server, partner, alice = await both(town)
    partner.handlers[f"{FEDERATION}/download/emptypart"] = serves(parts(b"", Content_Disposition="inline; filename=a.png"))
    status, headers, body = await download(alice, f"{partner.name}/emptypart")
    assert (status, body, headers["Content-Type"]) == (200, b"", "image/png")
    assert headers["Content-Disposition"] == "inline; filename=a.png"

    # Synapse sends no parts then, and fewer bytes than it announces.
    async def as_synapse(request):
        response = web.StreamResponse(headers={"Content-Type": f"multipart/mixed; boundary={BOUNDARY}", "Content-Length": "232"})
        await response.prepare(request)
        await response.write(b"\r\n--" + BOUNDARY.encode() + b"--\r\n")
        await asyncio.sleep(60)
        return response

    partner.handlers[f"{FEDERATION}/download/nopart"] = as_synapse
    status, headers, body = await asyncio.wait_for(download(alice, f"{partner.name}/nopart"), 30)
    assert (status, body, headers["Content-Type"]) == (200, b"", "application/octet-stream")
    assert (await thumbnail(alice, f"{partner.name}/nopart", 32, 32))[0] in (400, 404)
    # That connection is not used again.
    partner.handlers[f"{FEDERATION}/download/after"] = serves(parts(b"after"))
    assert (await download(alice, f"{partner.name}/after"))[2] == b"after"
    # They are kept like others.
    assert (await download(alice, f"{partner.name}/nopart"))[2] == b"" and partner.count(f"{FEDERATION}/download/nopart") == 1
    await alice.close()


async def test_what_is_not_there_and_what_is_not_there_yet(town):  # noqa: F811
    server, partner, alice = await both(town)

    def says(status, errcode):
        async def handler(request):
            return web.json_response({"errcode": errcode, "error": "no"}, status=status)
        return handler

    partner.handlers[f"{FEDERATION}/download/missing1"] = says(404, "M_NOT_FOUND")
    partner.handlers[f"{FEDERATION}/download/later123"] = says(504, "M_NOT_YET_UPLOADED")
    partner.handlers[f"{FEDERATION}/download/forbidden"] = says(403, "M_FORBIDDEN")
    assert await refused(alice, "GET", f"{MEDIA}/download/{partner.name}/missing1") == (404, "M_NOT_FOUND")
    for _ in range(3):
        assert await refused(alice, "GET", f"{MEDIA}/download/{partner.name}/later123") == (504, "M_NOT_YET_UPLOADED")
    assert await refused(alice, "GET", f"{MEDIA}/download/{partner.name}/forbidden") == (502, "M_UNKNOWN")
    assert await refused(alice, "GET", f"{MEDIA}/download/{server.name}/missing1") == (404, "M_NOT_FOUND")
    assert partner.count(f"{FEDERATION}/download/later123") == 3
    await alice.close()


async def test_servers_whose_media_nobody_sees(town):  # noqa: F811
    partner = await town.partner()
    server = await town(prevent_media_downloads_from=[partner.name])
    alice = await server.register("alice")
    partner.handlers[f"{FEDERATION}/download/blocked1"] = serves(parts(picture(50, 50)))
    assert await refused(alice, "GET", f"{MEDIA}/download/{partner.name}/blocked1") == (404, "M_NOT_FOUND")
    assert await refused(alice, "GET", f"{MEDIA}/thumbnail/{partner.name}/blocked1?width=1&height=1") == (404, "M_NOT_FOUND")
    assert partner.asked == []
    await alice.close()


async def test_so_many_bytes_are_fetched_for_an_address(town):  # noqa: F811
    server, partner, alice = await both(town, remote_media_download_per_second="1K", remote_media_download_burst_count="3M")
    for number in range(3):
        partner.handlers[f"{FEDERATION}/download/number{number}"] = serves(parts(bytes(1_500_000)))
    assert len((await download(alice, f"{partner.name}/number0"))[2]) == 1_500_000
    assert (await download(alice, f"{partner.name}/number1"))[0] == 200
    assert await refused(alice, "GET", f"{MEDIA}/download/{partner.name}/number2") == (429, "M_LIMIT_EXCEEDED")
    # What is here already costs nothing.
    assert (await download(alice, f"{partner.name}/number0"))[0] == 200
    await alice.close()


# What other servers get of this one


async def ask(partner, server, path, query=None, authorization=None):
    import aiohttp
    import yarl
    uri = path + ("?" + "&".join(f"{k}={v}" for k, v in query.items()) if query else "")
    if authorization is None:
        authorization = partner.authorization("GET", uri, server.name)
    async with aiohttp.ClientSession() as session, session.get(yarl.URL(server.base + uri, encoded=True),
                                                               headers={"Authorization": authorization}) as answer:
        return answer.status, answer.headers, await answer.read()


def second_part(headers, body):
    boundary = headers["Content-Type"].split("boundary=")[1].encode()
    assert headers["Content-Type"].startswith("multipart/mixed; ")
    before, first, second, after = body.split(b"\r\n--" + boundary)
    assert before == b"" and first == b"\r\nContent-Type: application/json\r\n\r\n{}" and after == b"--\r\n"
    fields, content = second[2:].split(b"\r\n\r\n", 1)
    return dict(line.split(": ", 1) for line in fields.decode().split("\r\n")), content


@pytest.mark.parametrize("size", [0, 1000, 3_000_000])
async def test_other_servers_get_media_in_parts(town, size):  # noqa: F811
    server, partner, alice = await both(town)
    content = secrets.token_bytes(size)
    name = (await upload(alice, content, "image/png", "a.png")).split("/")[1]
    status, headers, body = await ask(partner, server, f"{FEDERATION}/download/{name}")
    assert status == 200 and int(headers["Content-Length"]) == len(body)
    assert second_part(headers, body) == ({"Content-Type": "image/png", "Content-Disposition": "inline; filename=a.png"}, content)
    status, _, _ = await ask(partner, server, f"{FEDERATION}/download/{name}", authorization="X-Matrix origin=x,key=y,sig=z")
    assert status == 401
    assert (await ask(partner, server, f"{FEDERATION}/download/unknownmedia"))[0] == 404
    assert (await ask(partner, server, f"{FEDERATION}/download/..%2F..%2Fx"))[0] == 404
    await alice.close()


async def test_other_servers_get_thumbnails_in_parts(town):  # noqa: F811
    server, partner, alice = await both(town)
    name = (await upload(alice, picture(400, 200, "GIF", frames=3), "image/gif")).split("/")[1]
    status, headers, body = await ask(partner, server, f"{FEDERATION}/thumbnail/{name}", {"width": 96, "height": 96, "method": "crop"})
    fields, content = second_part(headers, body)
    assert status == 200 and fields["Content-Type"] == "image/png" and opened(content)[1] == (96, 96)
    _, headers, body = await ask(
        partner, server, f"{FEDERATION}/thumbnail/{name}", {"width": 96, "height": 96, "method": "crop", "animated": "true"})
    fields, content = second_part(headers, body)
    assert fields["Content-Type"] == "image/webp" and opened(content) == ("WEBP", (96, 96), 3)
    assert (await ask(partner, server, f"{FEDERATION}/thumbnail/{name}"))[0] == 400
    await alice.close()


async def test_other_servers_wait_for_an_upload(town):  # noqa: F811
    server, partner, alice = await both(town)
    name = (await alice.post("/_matrix/media/v1/create"))["content_uri"].split("/")[3]
    assert (await ask(partner, server, f"{FEDERATION}/download/{name}", {"timeout_ms": 0}))[0] == 504
    waiting = asyncio.create_task(ask(partner, server, f"{FEDERATION}/download/{name}", {"timeout_ms": 30000}))
    begun = time.monotonic()
    await asyncio.sleep(0.2)
    await alice.call("PUT", f"{DEPRECATED}/upload/{server.name}/{name}", data=b"late", headers={"Content-Type": "text/plain"})
    status, headers, body = await waiting
    assert status == 200 and second_part(headers, body)[1] == b"late" and time.monotonic() - begun < 25
    await alice.close()
