"""Finds out which functions the server runs every day, and writes their names in the order in which they are to stand in it.

The server runs under callgrind, which notes each instruction that is run, in parts: from the start to the first answer, what happens again and
again, and what happens now and then (everyday.py)."""

import argparse
import asyncio
import bisect
import subprocess
import sys
from pathlib import Path

from servers import Measured  # first: it makes the rest of the tests' code known
from everyday import Everyday
from partner import Authority

PARTS = ["often", "sometimes", "start"]  # in the order in which they stand


class Traced(Measured):
    label = "Traced"

    def __init__(self, folder, database, binary):
        self.binary = binary
        self.command = ["valgrind", "--quiet", "--tool=callgrind", "--dump-instr=yes", f"--callgrind-out-file={folder / 'trace'}", str(binary)]
        super().__init__(folder, database)

    def end_part(self, name):
        """What was run since the last part belongs to this one."""
        subprocess.run(["callgrind_control", "-d", name, str(self.process.pid)], check=True, stdout=subprocess.DEVNULL)

    def addresses(self):
        """-> for each part the addresses in the binary of the instructions that were run."""
        parts = {}
        for path in self.folder.glob("trace.*"):
            name, found = addresses(path, self.binary)
            parts.setdefault(name, set()).update(found)
        return parts


def addresses(path, binary):
    """-> (the part, the addresses of instructions of `binary`) of a file that callgrind wrote (format: callgrind's manual, 6.4)."""
    part, found, names = None, set(), {}
    is_ours, address = False, 0
    with open(path, errors="replace") as lines:
        for line in lines:
            if line.startswith("desc: Trigger: dump "):
                part = line.rsplit(None, 1)[1]
            elif line.startswith(("ob=", "cob=")):
                number, _, name = line.partition("=")[2].strip().partition(" ")
                if name:
                    names[number] = name
                if line.startswith("ob="):
                    is_ours = names[number] == str(binary)
            elif line[0] in "0+-*":
                # Addresses are told in full, by their distance from the last one, or as the same.
                told = line.split(None, 1)[0]
                address = int(told, 16) if told.startswith("0x") else address + (0 if told == "*" else int(told))
                if is_ours:
                    found.add(address)
    return part, found


class Symbols:
    """The functions of a binary."""

    def __init__(self, binary):
        self.names = {}
        for line in subprocess.run(["nm", "--numeric-sort", "--defined-only", binary], capture_output=True, text=True, check=True).stdout.splitlines():
            address, kind, name = line.split(" ", 2)
            if kind in "tTwWuV":
                self.names.setdefault(int(address, 16), []).append(name)
        self.starts = sorted(self.names)

    def start(self, address):
        """-> where the function begins in which an instruction is."""
        return self.starts[bisect.bisect_right(self.starts, address) - 1]


class Lumps:
    """The parts of the binary that the linker cannot take apart, being one section of an object file each: to move them among what is run often
    would part what is to stand together."""

    LIMIT = 8192

    def __init__(self, linker_map):
        self.starts, self.ends = [], []
        with open(linker_map, errors="replace") as lines:
            for line in lines:
                # Address, load address and size in hexadecimal, alignment, and for a section of an object file: FILE:(SECTION)
                fields = line.split(None, 4)
                if len(fields) == 5 and fields[4].rstrip().endswith(":(.text)") and int(fields[2], 16) > self.LIMIT:
                    self.starts.append(int(fields[0], 16))
                    self.ends.append(int(fields[0], 16) + int(fields[2], 16))

    def __contains__(self, address):
        index = bisect.bisect_right(self.starts, address) - 1
        return index >= 0 and address < self.ends[index]


def ordered(symbols, lumps, parts):
    """-> names: those of the first part first, in it as they stand now, and each once."""
    known = set()
    for part in PARTS:
        for start in sorted({symbols.start(address) for address in parts[part]} - known):
            known.add(start)
            if start not in lumps:
                yield from symbols.names[start]


async def trace(folder, database, binary):
    server = Traced(folder, database, binary)
    try:
        authority = Authority(folder / "authority")
        server.configure(federation_custom_ca_list=[str(authority.path)], ip_range_blacklist=[])
        await server.start()
        server.end_part("start")
        everyday = Everyday(server, authority)
        await everyday.settle()
        server.end_part("sometimes")
        await everyday.often()
        server.end_part("often")
        await everyday.sometimes()
        server.end_part("sometimes")
        await everyday.leave()
        return server.addresses()
    finally:
        await server.destroy()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--binary", type=Path, required=True, help="with symbols, and without what debuggers need")
    parser.add_argument("--map", type=Path, required=True, help="what the linker tells of the binary (lld -Map)")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    parts = {name: set() for name in PARTS}
    for database in ("sqlite", "postgres"):
        print(f"running under callgrind on {database} (a few minutes)", file=sys.stderr)
        for name, found in (await trace(options.folder / database, database, options.binary)).items():
            parts[name] |= found
    names = list(ordered(Symbols(options.binary), Lumps(options.map), parts))
    options.output.write_text("\n".join(names) + "\n")
    print(f"{len(names)} functions", file=sys.stderr)


asyncio.run(main())
