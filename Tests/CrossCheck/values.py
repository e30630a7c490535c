"""Random values without a room: JSON texts, identifiers, server access control lists."""

import random
from typing import Any

import malformed
import reference
from answers import MatrixCore
from comparison import Comparison, Result

NUMBER_TEXTS = (
    "0", "-0", "1", "-1", "00", "01", "-01", "+1", "1.", ".5", "1.0", "-0.0", "1e3", "1E3", "1e+3", "1e-3", "1e",
    "1.5e300", "1e400", "-1e400", "1e-400", "9007199254740991", "9007199254740992", "-9007199254740991",
    "-9007199254740992", "9223372036854775807", "9223372036854775808", "123456789012345678901234567890", "0.1",
    "123456789.123", "1e16", "1e15", "9999999999999998.0", "12345678901234567.0", "18014398509481984.0",
    "1.7976931348623157e308", "5e-324", "0.0001", "0.00001", "NaN", "Infinity", "-Infinity", "0x10", "1_0", "-",
    "--1", "4.35", "0.30000000000000004", "100.0", "1e22", "1e23", "123e-2",
)
STRING_TEXTS = (
    '""', '"a"', '"\\u0041"', '"\\u00e9"', '"é"', '"e\u0301"', '"\\ud83d\\ude00"', '"\\ud83d"', '"\\ude00"',
    '"\\ude00\\ud83d"', '"\\ud83d\\ud83d\\ude00"', '"\\u0000"', '"\\u001f"', '"\x7f"', '"\\/"', '"/"',
    '"\\b\\f\\n\\r\\t"', '"\\u000b"', '"\t"', '"\n"', '"\\x41"', '"\\u12"', '"\\u12G4"', '"\u2028\u2029"',
    '"\\u2028"', '"\ufeff"', '"unterminated', "'a'", '"\\', '"\U0010ffff"', '"\\udbff\\udfff"',
)
WHITE_SPACE = ("", "", "", " ", "\n", "\t \r", "\u00a0", "\u000b", "/**/", "\ufeff")

SERVER_NAMES = (
    "a", "one.example", "one.example:8448", "ONE.example", "one.example:", "one.example:0", "one.example:65536",
    "one.example:123456", "one.example:-1", "one.example:+1", "one.example:8448:1", "one_example", "one..example",
    ".one.example", "one.example.", "-one.example", "1.2.3.4", "1.2.3.4:80", "1.2.3", "256.1.1.1", "1.2.3.256",
    "1.2.3.4.5", "01.2.3.4", "1.2.3.004", "[::1]", "[::1]:8448", "[::1", "::1", "[1.2.3.4]", "[]", "[::1]x",
    "[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7]", "[::ffff:1.2.3.4]", "[::ffff:1.2.3.256]", "[g::1]", "[1::2::3]",
    "[fe80::1%eth0]", "[12345::]", "[:::]", "[::1]:", "", " ", "é.example", "one.example/", "one.example?x", "a b",
    "one.example\n", "\u0661.example", "a" * 200 + ".example", "a" * 230 + ".example", "a" * 255, "a" * 256,
    "xn--e1afmkfd.example", "0", "[::]", "[0:0:0:0:0:0:0:0]", "[0:0:0:0:0:0:0:0:0]", "[1:2:3:4:5:6:1.2.3.4]", "[1::]",
    "[1:]", "[:1]",
)
LOCALPARTS = (
    "", "a", "alice", "Alice", "a/b", "a=2f", "é", "a b", "a\u0000b", "\u0000", "#", "@", "a.b-c_d+e", "a" * 230,
    "a" * 250, "é" * 120, "\U0001f600",
)

ACL_PATTERNS = (
    "*", "one.example", "*.example", "?ne.example", "ONE.example", "*one*", "1.2.3.4", "1.2.*", "[::1]", "*:8448",
    "one.example:8448", "", "o*e.e?ample", "**", "e.xample", "one.example.", ".", "[a-z]ne.example", "(one).example",
    "one|two", "\\*", "é.example", "t*o.*", "??????????",
)
ACL_SERVERS = (
    "one.example", "One.Example", "two.example", "one.example:8448", "1.2.3.4", "1.2.3.4:8448", "[::1]", "[::1]:8448",
    "1.2.3", "evil.example", "sub.one.example", "e.xample", "three.example:8448", "1.2.3.4.5", "01.2.3.4",
    "xn--e1afmkfd.example", "[2001:db8::1]:1",
)


class Values:
    """A handful of questions of each kind."""

    def __init__(self, core: MatrixCore, result: Result, version: str, seed: int, number: int):
        self.rng = random.Random(f"values {seed} {number}")
        self.comparison = Comparison(core, result, f"seed {seed}, values of history {number}", version)

    def run(self) -> None:
        for _ in range(30):
            self.compare_json()
        for _ in range(12):
            self.compare_identifier()
        for _ in range(12):
            self.compare_server_acl()

    # MARK: JSON

    def compare_json(self) -> None:
        text, strict = self.json_text(), self.rng.random() < 0.5
        question = {"ask": "canonical", "json": text, "strict": strict}
        answer = self.comparison.ask(question)
        try:
            expected: dict[str, Any] = {"canonical": reference.canonical_text(text, strict)}
            same = answer == expected
        except Exception as error:
            expected = {"error": reference.describe(error)}
            same = "error" in answer
        self.comparison.count_positive("canonical", "canonical" in expected)
        self.comparison.check(question, expected, answer, same=same)

    def json_text(self) -> str:
        """A JSON text, or nearly one."""
        rng = self.rng
        if rng.random() < 0.4:
            return malformed.spell(malformed.value(rng), rng)
        text = self.raw_value()
        if rng.random() < 0.1:
            text = rng.choice(WHITE_SPACE) + text + rng.choice((*WHITE_SPACE, ",", "x", "}", "]", text))
        if rng.random() < 0.05 and text:
            position = rng.randrange(len(text))
            text = text[:position] + rng.choice(("", "\\", '"', "}", "0", "\u0001")) + text[position + 1 :]
        return text

    def raw_value(self, depth: int = 0) -> str:
        rng = self.rng
        kind = rng.randrange(10 if depth < 3 else 7)
        if kind < 3:
            return rng.choice(NUMBER_TEXTS)
        if kind < 6:
            return rng.choice(STRING_TEXTS)
        if kind == 6:
            return rng.choice(("true", "false", "null", "True", "nul", "{}", "[]", ""))
        space = lambda: rng.choice(WHITE_SPACE) if rng.random() < 0.1 else ""
        if kind == 7:
            elements = [space() + self.raw_value(depth + 1) + space() for _ in range(rng.randrange(4))]
            return "[" + ",".join(elements) + (rng.choice((",", "")) if rng.random() < 0.1 else "") + "]"
        members = [
            space()
            + rng.choice(
                (
                    '"a"', '"b"', '"\\u0061"', '"é"', '"\U0001f600"', '"\uffff"', '"\\ud83d\\ude00"', '""',
                    rng.choice(STRING_TEXTS),
                )
            )
            + space()
            + ":"
            + self.raw_value(depth + 1)
            for _ in range(rng.randrange(5))
        ]
        return "{" + ",".join(members) + "}"

    # MARK: Identifiers

    def compare_identifier(self) -> None:
        rng = self.rng
        kind = rng.choice(("user", "room", "alias", "server"))
        text = rng.choice(SERVER_NAMES)
        if kind != "server":
            sigil = {"user": "@", "room": "!", "alias": "#"}[kind]
            if rng.random() < 0.1:
                sigil = rng.choice(("", "@", "!", "#", "$", "+"))
            text = sigil + rng.choice(LOCALPARTS) + rng.choice((":", ":", ":", "")) + text
            if kind == "room" and rng.random() < 0.2:
                text = (
                    "!"
                    + "".join(rng.choice("ABCxyz019-_") for _ in range(rng.choice((42, 43, 43, 43, 44))))
                    + rng.choice(("", "", "=", "+", "\n"))
                )
        question = {"ask": "identifier", "kind": kind, "text": text}
        answer = self.comparison.ask(question)
        valid = reference.identifier_is_valid(kind, text)
        self.comparison.count_positive("identifier", valid)
        self.comparison.check(question, {"valid": valid}, answer, same=valid == answer.get("valid"))

    # MARK: Server access control lists

    def compare_server_acl(self) -> None:
        rng = self.rng
        content: dict[str, Any] = {}
        for name in ("allow", "deny"):
            if rng.random() < 0.85:
                content[name] = [rng.choice(ACL_PATTERNS) for _ in range(rng.randrange(4))]
            if rng.random() < 0.1:
                content.setdefault(name, []).append(rng.choice((None, 5, ["*"])))
            if rng.random() < 0.05:
                content[name] = rng.choice((None, "*", {}, 5, []))
        if rng.random() < 0.5:
            content["allow_ip_literals"] = rng.choice((True, False, False, None, 0, "false"))
        if rng.random() < 0.5:
            content["allow"] = ["*"]
        server = rng.choice(ACL_SERVERS)
        question = {"ask": "server acl", "content": content, "server": server}
        answer = self.comparison.ask(question)
        allowed = reference.server_acl_allows(content, server)
        self.comparison.count_positive("server acl", allowed)
        self.comparison.check(question, {"allowed": allowed}, answer)
