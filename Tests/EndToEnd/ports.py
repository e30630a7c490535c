"""Ports for servers under test."""

import itertools
import os
import random
import socket

# Below those that the kernel gives to outgoing connections: of these one may be taken between its being found and its being used. Each of
# the processes in which tests run has its own.
FIRST, COUNT, WORKERS = 12_000, 2_000, 10
worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
begin = random.randrange(COUNT)
numbers = (FIRST + worker * COUNT + (begin + turn) % COUNT for turn in itertools.count())


def free_port(address="127.0.0.1"):
    """-> a port of this machine that nothing uses, and that this process has not been given lately."""
    for port in itertools.islice(numbers, COUNT):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((address, port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"every port of {address} from {FIRST + worker * COUNT} on is in use")
