"""Where a device that is logged in and one that is to be meet: MSC4108 and MSC4388."""

import asyncio
import json

import pytest
import pytest_asyncio

from homeserver import Client, MatrixFailure
from test_authentication_service import Service

BEGIN = "/_matrix/client/unstable/org.matrix.msc4108/rendezvous"
JSON = "/_matrix/client/unstable/io.element.msc4388/rendezvous"


@pytest_asyncio.fixture
async def service():
    async with Service() as service:
        yield service


async def test_by_headers(configured, service):
    server = await configured(**service.options(), experimental_features={"msc4108_enabled": True})
    device = Client(server)
    versions = await device.get("/_matrix/client/versions")
    assert versions["unstable_features"]["org.matrix.msc4108"] is True and versions["unstable_features"]["io.element.msc4388"] is False

    async def call(method, path, data=None, **headers):
        headers = {"Content-Type": "text/plain", **{name.replace("_", "-"): value for name, value in headers.items()}}
        return await device.raw(method, path, data=data, headers=headers)

    status, headers, body = await call("POST", BEGIN, b"foo=bar")
    assert status == 201
    url = json.loads(body)["url"]
    assert url.startswith(server.base + "/_synapse/client/rendezvous/") and len(url.rsplit("/", 1)[1]) >= 24
    path, tag = url.removeprefix(server.base), headers["ETag"]
    for name in ("Expires", "Last-Modified"):
        assert headers[name].endswith("GMT")
    assert headers["Cache-Control"] == "no-store, no-transform" and headers["Pragma"] == "no-cache"
    assert "ETag" in headers["Access-Control-Expose-Headers"]

    status, headers, body = await call("GET", path)
    assert (status, body, headers["ETag"], headers["Content-Type"]) == (200, b"foo=bar", tag, "text/plain")
    status, headers, body = await call("GET", path, If_None_Match=tag)
    assert (status, body, headers["ETag"]) == (304, b"", tag)

    status, headers, body = await call("PUT", path, b"foo=baz", If_Match=tag)
    assert (status, body) == (202, b"") and headers["ETag"] != tag and headers["Content-Type"] == "text/plain"
    new = headers["ETag"]
    status, headers, body = await call("PUT", path, b"bar=baz", If_Match=tag)
    assert status == 412 and headers["ETag"] == new
    assert json.loads(body)["errcode"] == "M_UNKNOWN" and json.loads(body)["org.matrix.msc4108.errcode"] == "M_CONCURRENT_WRITE"
    status, headers, body = await call("GET", path, If_None_Match=tag)
    assert (status, body) == (200, b"foo=baz")

    assert json.loads((await call("PUT", path, b"x"))[2])["errcode"] == "M_MISSING_PARAM"
    assert (await call("POST", BEGIN, b"x" * 4097))[0] == 413
    assert (await call("PUT", path, b"x" * 4097, If_Match=new))[0] == 413
    assert (await call("POST", BEGIN, b"x" * 100_000))[0] == 413
    status, _, body = await device.raw("POST", BEGIN, body={"a": 1})
    assert status == 400 and json.loads(body)["errcode"] == "M_INVALID_PARAM"
    status, headers, _ = await device.raw("OPTIONS", path)
    assert status == 200 and "If-Match" in headers["Access-Control-Allow-Headers"]

    assert (await call("DELETE", path))[0] == 204
    for method in ("GET", "DELETE"):
        status, _, body = await call(method, path)
        assert status == 404 and json.loads(body)["errcode"] == "M_NOT_FOUND"
    # Too many at once from one place are refused: they would push out those of others.
    statuses = [(await call("POST", BEGIN, b"x"))[0] for _ in range(30)]
    assert statuses.count(201) <= 22 and statuses[-1] == 429
    await device.close()


async def test_by_json(configured, service):
    server = await configured(**service.options(), experimental_features={"msc4388_mode": "open"})
    device = Client(server)
    assert await device.get(JSON) == {"create_available": True}
    begun = await device.post(JSON, {"data": "hello"})
    assert 110_000 < begun["expires_in_ms"] <= 120_000 and len(begun["id"]) >= 24
    path = f"{JSON}/{begun['id']}"
    read = await device.get(path)
    assert read["data"] == "hello" and read["sequence_token"] == begun["sequence_token"]
    changed = await device.put(path, {"sequence_token": begun["sequence_token"], "data": "world"})
    assert changed["sequence_token"] != begun["sequence_token"]
    # The same once more, as after a lost answer, and something else.
    assert await device.put(path, {"sequence_token": begun["sequence_token"], "data": "world"}) == changed
    for token in (begun["sequence_token"], "*", ""):
        with pytest.raises(MatrixFailure) as failure:
            await device.put(path, {"sequence_token": token, "data": "other"})
        assert failure.value.status == 409 and failure.value.errcode == "IO_ELEMENT_MSC4388_CONCURRENT_WRITE"
    assert (await device.get(path))["data"] == "world"

    for headers in ({"Sec-Fetch-Dest": "document"}, {"Sec-Fetch-Mode": "navigate"}, {"Sec-Fetch-User": "?1"}, {"Sec-Fetch-Site": "none"}):
        assert (await device.raw("GET", path, headers=headers))[0] == 403
    assert (await device.raw("GET", path, headers={"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site"}))[0] == 200

    for body, status in [({}, 400), ({"data": 5}, 400), ({"data": "x" * 4097}, 413)]:
        with pytest.raises(MatrixFailure) as failure:
            await device.post(JSON, body)
        assert failure.value.status == status
    await device.call("DELETE", path)
    with pytest.raises(MatrixFailure) as failure:
        await device.get(path)
    assert failure.value.status == 404
    await device.close()


async def test_by_json_for_those_who_are_logged_in(configured, service):
    server = await configured(**service.options(), experimental_features={"msc4388_mode": "authenticated"})
    stranger, alice = Client(server), await service.user(server, "alice")
    for call in (stranger.get(JSON), stranger.post(JSON, {"data": "x"})):
        with pytest.raises(MatrixFailure) as failure:
            await call
        assert failure.value.errcode == "M_MISSING_TOKEN"
    begun = await alice.post(JSON, {"data": "x"})
    # Whoever knows the place can read there.
    assert (await stranger.get(f"{JSON}/{begun['id']}"))["data"] == "x"
    for client in (stranger, alice):
        await client.close()


async def test_elsewhere_or_nowhere(configured, service):
    server = await configured(
        **service.options(), experimental_features={"msc4108_delegation_endpoint": "https://rendezvous.example/begin"})
    device = Client(server)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"POST {BEGIN} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 307") and "Location: https://rendezvous.example/begin\r\n" in answer
    assert (await device.raw("GET", "/_synapse/client/rendezvous/x"))[0] == 404
    assert (await device.raw("GET", JSON))[0] == 404
    await device.close()
