"""Two servers on loopback addresses of their own, of which one is the real Synapse.

With FEDERATION_SELF=1 both are: what fails then is a fault of the test."""

import asyncio
import itertools
import os

import pytest
import pytest_asyncio

from homeserver import POSTGRES, Homeserver
from partner import Authority
from synapse import Synapse, federated

SELF = os.environ.get("FEDERATION_SELF")
MARTLET = Synapse if SELF else Homeserver


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def synapse(authority, tmp_path_factory):
    """One for all tests."""
    yield from running(federated(Synapse, tmp_path_factory.mktemp("synapse"), "sqlite", authority, "127.0.0.3"))


@pytest.fixture(scope="module")
def martlet(request, authority, tmp_path_factory):
    """One for each file; on SQLite, unless a test says otherwise."""
    database = getattr(request, "param", "sqlite")
    if database == "postgres" and not POSTGRES:
        pytest.fail("MARTLET_TEST_POSTGRES is not set: run Scripts/test, which starts a private PostgreSQL")
    database = "sqlite" if SELF else database
    yield from running(federated(MARTLET, tmp_path_factory.mktemp("martlet"), database, authority, "127.0.0.2"))


def running(server):
    try:
        asyncio.run(server.start())
        yield server
        assert server.process.poll() is None, server.log()
    finally:
        asyncio.run(server.destroy())
        server.cable.end()


@pytest.fixture(params=["from_martlet", "from_synapse"])
def sides(request, martlet, synapse):
    """-> the server on which something begins, and the other one."""
    return (martlet, synapse) if request.param == "from_martlet" else (synapse, martlet)


numbers = itertools.count(1)


@pytest_asyncio.fixture
async def person():
    """await person(server, "alice") -> a Client of a new user, whose name begins so."""
    made = []

    async def register(server, name):
        client = await server.register(f"{name}{next(numbers)}")
        made.append(client)
        return client

    yield register
    for client in made:
        await client.close()
