"""Derives `responses.json` from a checkout of the specification: for every client-server endpoint and status, the shape of its body.

    python3 Tests/EndToEnd/specification/derive.py CHECKOUT > Tests/EndToEnd/specification/responses.json

Only the structure is kept (types, names of members, which are required, enumerations): that is what the suite checks answers
against. Run it again when the specification has a new version. Needs PyYAML.
"""

import json
import pathlib
import sys

import yaml

STRUCTURE = {"type", "required", "enum", "const", "minItems", "maxItems", "minimum", "maximum"}
NESTED = {"properties", "patternProperties"}
LISTS = {"allOf", "oneOf", "anyOf"}


class Source:
    """Follows `$ref` from file to file."""

    def __init__(self):
        self.files = {}

    def load(self, path):
        path = path.resolve()
        if path not in self.files:
            self.files[path] = yaml.safe_load(path.read_text())
        return self.files[path]

    def follow(self, reference, file):
        name, _, pointer = reference.partition("#")
        target = (file.parent / name).resolve() if name else file
        value = self.load(target)
        for part in filter(None, pointer.split("/")):
            value = value[part.replace("~1", "/").replace("~0", "~")]
        return value, target

    def shape(self, schema, file, trail=()):
        """The structure of a schema. A schema that contains itself ends there: anything is allowed below."""
        if "$ref" in schema:
            key = (file, schema["$ref"])
            if key in trail:
                return {}
            target, where = self.follow(schema["$ref"], file)
            merged = self.shape(target, where, trail + (key,))
            rest = self.shape({k: v for k, v in schema.items() if k != "$ref"}, file, trail)
            if not rest:
                return merged
            return {"allOf": [merged, rest]}
        result = {}
        for key, value in schema.items():
            if key in STRUCTURE:
                result[key] = value
            elif key in NESTED:
                result[key] = {name: self.shape(inner, file, trail) for name, inner in value.items()}
            elif key in LISTS:
                # Alternatives of which two fit (an event and any object, say) are no fault of an answer.
                name = "anyOf" if key == "oneOf" else key
                result[name] = [self.shape(inner, file, trail) for inner in value]
            elif key in ("items", "additionalProperties") and isinstance(value, dict):
                result[key] = self.shape(value, file, trail)
        return result


def main(checkout):
    source = Source()
    endpoints = []
    for file in sorted((pathlib.Path(checkout) / "data/api/client-server").glob("*.yaml")):
        document = source.load(file)
        base = document.get("servers", [{}])[0].get("variables", {}).get("basePath", {}).get("default", "")
        for path, methods in document.get("paths", {}).items():
            for method, operation in methods.items():
                responses = {}
                for status, response in operation.get("responses", {}).items():
                    where = file.resolve()
                    if "$ref" in response:
                        response, where = source.follow(response["$ref"], where)
                    body = response.get("content", {}).get("application/json", {}).get("schema")
                    if body is not None:
                        responses[str(status)] = source.shape(body, where)
                if responses:
                    endpoints.append({"method": method.upper(), "path": (base + path).strip(), "responses": responses})
    lines = ",\n".join(json.dumps(endpoint, separators=(",", ":"), sort_keys=True) for endpoint in endpoints)
    print(f"[\n{lines}\n]")


if __name__ == "__main__":
    main(sys.argv[1])
