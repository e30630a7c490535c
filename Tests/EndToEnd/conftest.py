"""Fixtures: every test that asks for `server` runs on SQLite and again on PostgreSQL."""

import pytest
import pytest_asyncio

from homeserver import POSTGRES, Client, Homeserver


@pytest.fixture(params=["sqlite", "postgres"])
def database(request):
    if request.param == "postgres" and not POSTGRES:
        pytest.fail("MARTLET_TEST_POSTGRES is not set: run Scripts/test, which starts a private PostgreSQL")
    return request.param


@pytest_asyncio.fixture
async def server(database, tmp_path):
    """A running server of its own for one test."""
    homeserver = Homeserver(tmp_path / "server", database)
    try:
        await homeserver.start()
        yield homeserver
        assert homeserver.process is None or homeserver.process.poll() in (None, 0, -9), homeserver.log()
    finally:
        await homeserver.destroy()


@pytest_asyncio.fixture
async def configured(database, tmp_path):
    """await configured(option=…) -> a running server with these options."""
    servers = []

    async def start(**options):
        server = Homeserver(tmp_path / f"server{len(servers)}", database, **options)
        servers.append(server)
        await server.start()
        return server

    yield start
    for server in servers:
        await server.destroy()


@pytest_asyncio.fixture
async def started(tmp_path):
    """await started(option=…) -> a running server with these options, where one kind of database is enough."""
    servers = []

    async def start(port=None, **options):
        server = Homeserver(tmp_path / f"server{len(servers)}", "sqlite", port=port, **options)
        servers.append(server)
        return await server.start()

    yield start
    for server in servers:
        await server.destroy()


@pytest_asyncio.fixture
async def people(server):
    """people("alice", …) -> Clients of newly registered users, closed at the end."""
    made = []

    async def register(*names):
        clients = [await server.register(name) for name in names]
        made.extend(clients)
        return clients if len(clients) > 1 else clients[0]

    yield register
    for client in made:
        await client.close()


@pytest_asyncio.fixture
async def anonymous(server):
    client = Client(server)
    yield client
    await client.close()
