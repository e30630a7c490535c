"""What a server costs, counted from outside: processor time of its processes and memory, by /proc and the processes' clocks."""

import asyncio
import os
import time

import psycopg2

TICKS = os.sysconf("SC_CLK_TCK")


def fields(pid):
    """The fields of /proc/PID/stat after the name; None for a process that has gone."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            text = stat.read()
    except OSError:
        return None
    return text[text.rindex(")") + 2:].split()


def tree(root):
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (found := fields(entry)):
            children.setdefault(int(found[1]), []).append(int(entry))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children.get(pid, [])
    return found


def seconds(root):
    """Processor time of a process and all it has started, also of those that have ended."""
    total = 0.0
    for pid in tree(root):
        if not (found := fields(pid)):
            continue
        try:
            total += time.clock_gettime((~pid << 3) | 2)  # the processor clock of another process: clock_getcpuclockid(3)
        except OSError:
            continue
        total += (int(found[13]) + int(found[14])) / TICKS
    return total


def resident(root):
    """KiB."""
    total = 0
    for pid in tree(root):
        try:
            with open(f"/proc/{pid}/status") as status:
                total += next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
        except (OSError, StopIteration):
            continue
    return total


class Meter:
    """Of one server: its process, and the cluster that its database is in."""

    def __init__(self, server):
        self.roots = [server.process.pid]
        if server.kind == "postgres":
            with psycopg2.connect(os.environ["MARTLET_TEST_POSTGRES"]) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                self.roots.append(int(fields(cursor.fetchone()[0])[1]))

    def now(self):
        return sum(seconds(root) for root in self.roots)

    async def quiet(self):
        """Waits until the server has done what it had to do, at most five seconds."""
        last = self.now()
        for _ in range(10):
            await asyncio.sleep(0.5)
            current = self.now()
            if current - last < 0.005:
                return
            last = current

    async def of(self, work):
        """Milliseconds that `work` makes the server spend, with what it does afterwards."""
        await self.quiet()
        before = self.now()
        await work
        await self.quiet()
        return (self.now() - before) * 1000
