"""Holds answers of the server against the shapes that the specification gives them (`responses.json`, made by `derive.py`)."""

import json
import pathlib

import jsonschema


class Endpoint:
    def __init__(self, entry):
        self.segments = entry["path"].split("/")
        self.checks = {int(status): jsonschema.Draft202012Validator(schema)
                       for status, schema in entry["responses"].items() if status.isdigit()}

    def literals(self, segments):
        """How many segments are the same words, or None where the path is another one."""
        if len(segments) != len(self.segments):
            return None
        same = 0
        for ours, theirs in zip(self.segments, segments):
            if ours == theirs:
                same += 1
            elif not (ours.startswith("{") and ours.endswith("}")):
                return None
        return same


def load():
    endpoints = {}
    for entry in json.loads((pathlib.Path(__file__).parent / "responses.json").read_text()):
        endpoints.setdefault(entry["method"], []).append(Endpoint(entry))
    return endpoints


ENDPOINTS = load()


def problem(method, path, status, body):
    """What is wrong with a body, in a line; None where nothing is, or where the specification has no shape for it."""
    # The shape of a 401 is that of interactive authentication; who has no token, or a locked account, is told so before that.
    if status == 401 and isinstance(body, dict) and body.get("errcode") in ("M_MISSING_TOKEN", "M_UNKNOWN_TOKEN", "M_USER_LOCKED"):
        return None
    segments = path.partition("?")[0].split("/")
    matching = [(endpoint.literals(segments), endpoint) for endpoint in ENDPOINTS.get(method, [])]
    matching = [pair for pair in matching if pair[0] is not None]
    if not matching:
        return None
    check = max(matching, key=lambda pair: pair[0])[1].checks.get(status)
    error = check and jsonschema.exceptions.best_match(check.iter_errors(body))
    if error is None:
        return None
    return f"{method} {path} answered {status} with a body that the specification does not allow, at {error.json_path}: {error.message[:300]}"
