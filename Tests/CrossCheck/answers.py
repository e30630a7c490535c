"""MatrixCore's side: the executable `crosscheck`, which answers a line of questions with a line of answers."""

import json
import subprocess
from typing import Any


class MatrixCore:
    """A running `crosscheck`."""

    def __init__(self, executable: str):
        self.process = subprocess.Popen([executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, *questions: dict[str, Any]) -> list[dict[str, Any]]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(questions).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"crosscheck stopped with {self.process.wait()}, asked: {json.dumps(questions)[:20_000]}"
            )
        return json.loads(line)

    def stop(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()
