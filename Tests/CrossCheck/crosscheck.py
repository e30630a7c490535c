"""Holds MatrixCore's answers against those of Synapse's own code. Scripts/crosscheck starts it.

Every question depends on the seed and the number of its history alone, so that a difference can be had again:
`--seed N --only HISTORY`.
"""

import argparse
import multiprocessing
import os
import sys
import time

from answers import MatrixCore
from comparison import Result
from history import History
from values import Values

VERSIONS = [str(number) for number in range(1, 13)]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="Scripts/crosscheck", description=__doc__)
    parser.add_argument("--executable", required=True, help="the built `crosscheck`")
    parser.add_argument("--seed", type=int, default=1, help="what all random choices come from (1)")
    parser.add_argument("--histories", type=int, default=1800, help="how many rooms to make (1800)")
    parser.add_argument("--only", type=int, help="only the history of this number")
    parser.add_argument("--version", choices=VERSIONS, help="only rooms of this version")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes (one per core)")
    parser.add_argument("--show", type=int, default=20, help="how many differences to print in full (20)")
    return parser.parse_args()


def compare(executable: str, seed: int, numbers: list[int], only_version: str | None) -> Result:
    result = Result()
    core = MatrixCore(executable)
    for number in numbers:
        version = VERSIONS[number % len(VERSIONS)]
        if only_version in (None, version):
            History(core, result, version, seed, number).run()
            Values(core, result, version, seed, number).run()
    core.stop()
    return result


def run(arguments: argparse.Namespace) -> Result:
    numbers = [arguments.only] if arguments.only is not None else list(range(arguments.histories))
    # Small portions, so that the last process does not work alone for long.
    portions = [numbers[start : start + 24] for start in range(0, len(numbers), 24)]
    total = Result()
    if len(portions) == 1 or arguments.jobs == 1:
        for portion in portions:
            total.add(compare(arguments.executable, arguments.seed, portion, arguments.version))
        return total
    with multiprocessing.Pool(arguments.jobs) as pool:
        tasks = [
            pool.apply_async(compare, (arguments.executable, arguments.seed, portion, arguments.version))
            for portion in portions
        ]
        for task in tasks:
            total.add(task.get())
    return total


def main() -> int:
    arguments = parse_arguments()
    start = time.monotonic()
    total = run(arguments)
    for difference in total.differences[: arguments.show]:
        print(difference)
    for kind, count in sorted(total.compared.items()):
        positive = f", {total.positive[kind]} of them positive" if kind in total.positive else ""
        print(f"{count:9} {kind}{positive}")
    for section, count in sorted(total.explained.items()):
        print(f"{count:9} explained by {section}")
    compared = sum(total.compared.values())
    print(
        f"seed {arguments.seed}, {arguments.histories} histories, {time.monotonic() - start:.0f} s: "
        f"{compared} answers compared, {len(total.differences)} differ"
        f" ({sum(total.explained.values())} more are explained by the specification)"
    )
    return 1 if total.differences or compared == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
