"""Questions put to both sides, and what differs."""

from dataclasses import dataclass, field
from typing import Any

import explained
from answers import MatrixCore
from reference import Verdict


@dataclass
class Difference:
    """One question that the two sides answer differently."""

    place: str
    version: str
    question: dict[str, Any]
    synapse: Any
    matrix_core: Any
    about: Any = None
    """What the question is about, in a form in which it can be looked into: the PDU as Synapse reads it."""

    def __str__(self) -> str:
        lines = [f"DIFFERENCE {self.place}, room version {self.version}: {self.question.get('ask')}"]
        lines += [f"  question:   {shortened(self.question)}", f"  about:      {shortened(self.about)}"]
        if isinstance(self.synapse, dict) and isinstance(self.matrix_core, dict) and "error" not in self.matrix_core:
            for key in self.synapse:
                if self.synapse[key] != self.matrix_core.get(key):
                    lines += [
                        f"  Synapse     {key}: {self.synapse[key]!r}",
                        f"  MatrixCore  {key}: {self.matrix_core.get(key)!r}",
                    ]
        else:
            lines += [f"  Synapse:    {self.synapse!r}", f"  MatrixCore: {self.matrix_core!r}"]
        return "\n".join(lines)


def shortened(value: Any, limit: int = 3000) -> str:
    text = str(value)
    return text if len(text) <= limit else f"{text[:limit]} … ({len(text)} characters)"


@dataclass
class Result:
    """What a number of comparisons came to."""

    compared: dict[str, int] = field(default_factory=dict)
    """Answers compared, by kind of question."""
    positive: dict[str, int] = field(default_factory=dict)
    """How many of them were yes, so that a generator which asks only trivial questions is noticed."""
    explained: dict[str, int] = field(default_factory=dict)
    """Differences by the section of the specification that explains them."""
    differences: list[Difference] = field(default_factory=list)

    def add(self, other: "Result") -> None:
        for mine, theirs in (
            (self.compared, other.compared),
            (self.positive, other.positive),
            (self.explained, other.explained),
        ):
            for key, count in theirs.items():
                mine[key] = mine.get(key, 0) + count
        self.differences += other.differences


class Comparison:
    """Asks MatrixCore and holds its answers against Synapse's."""

    def __init__(self, core: MatrixCore, result: Result, place: str, version: str):
        self.core = core
        self.result = result
        self.place = place
        self.version = version

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        return self.core.ask(question)[0]

    def check(
        self, question: dict[str, Any], synapse: Any, matrix_core: Any, about: Any = None, same: bool | None = None
    ) -> bool:
        """Counts a comparison; keeps the difference if there is one that nothing explains."""
        kind = question["ask"]
        self.result.compared[kind] = self.result.compared.get(kind, 0) + 1
        if same is None:
            same = synapse == matrix_core
        if same:
            return True
        difference = Difference(self.place, self.version, question, synapse, matrix_core, about)
        section = explained.section(difference)
        if section:
            self.result.explained[section] = self.result.explained.get(section, 0) + 1
        else:
            # What it was about may be objects of Synapse's, which do not pass from one process to another.
            difference.about = shortened(about)
            self.result.differences.append(difference)
        return False

    def count_positive(self, kind: str, is_positive: bool) -> None:
        if is_positive:
            self.result.positive[kind] = self.result.positive.get(kind, 0) + 1

    def verdict(self, question: dict[str, Any], synapse: Verdict, answer: dict[str, Any], about: Any) -> bool:
        """Compares whether something is allowed. The reasons are shown, not compared."""
        self.count_positive(question["ask"], synapse.allowed)
        return self.check(question, vars(synapse), answer, about, same=synapse.allowed == answer.get("allowed"))
