"""Holds what the service answers to openapi.yaml, the contract that clients read."""

import copy
import functools
import threading
from collections import Counter
from pathlib import Path

import jsonschema_rs
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = yaml.safe_load((ROOT / "openapi.yaml").read_text())
METHODS = ("get", "post", "put", "patch", "delete")
PROBLEM = {"$ref": "#/components/schemas/Problem"}


def resolved(value):
    """What a reference stands for, together with what stands beside it."""
    while "$ref" in value:
        target = DOCUMENT
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        value = target | {name: v for name, v in value.items() if name != "$ref"}
    return value


def operations():
    """Every operation: its method, its path, and itself."""
    for path, methods in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in methods:
                yield method.upper(), path, methods[method]


def _closed(schema):
    """The same schema, refusing members that it does not name: what we answer is documented,
    although clients are asked to ignore what they do not know."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: _closed(value) for name, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        schema.setdefault("additionalProperties", False)
    return schema


COMPONENTS = {"schemas": _closed(copy.deepcopy(DOCUMENT["components"]["schemas"]))}


def validator(schema):
    return jsonschema_rs.Draft202012Validator(
        schema | {"components": COMPONENTS}, validate_formats=True)


def failure(schema_validator, value):
    """What is wrong with a value, in one line; nothing if it is right."""
    error = next(iter(schema_validator.iter_errors(value)), None)
    return error and f"{'/'.join(map(str, error.instance_path))}: {error.message}"


class _Expectation:
    """What one response of one operation must be like."""

    def __init__(self, response):
        response = resolved(response)
        self.bodies = {
            kind.partition(";")[0]: validator(content["schema"]) if "json" in kind else None
            for kind, content in response.get("content", {}).items()}
        self.headers = []
        for name, header in response.get("headers", {}).items():
            header = resolved(header)
            is_integer = header["schema"].get("type") == "integer"
            self.headers.append(
                (name, header.get("required", False), is_integer, validator(header["schema"])))

    def check(self, answer):
        for name, required, is_integer, schema in self.headers:
            value = answer.headers.get(name)
            if value is None:
                assert not required, f"{name} is missing: {answer.headers.items()}"
            else:
                wrong = failure(schema, int(value) if is_integer else value)
                assert not wrong, f"{name}: {wrong}"
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        assert kind in self.bodies, f"{kind} is not in the contract"
        if (schema := self.bodies[kind]) is not None and not schema.is_valid(answer.json):
            raise AssertionError(f"{failure(schema, answer.json)} in {answer.raw[:600]!r}")


@functools.cache
def _expectation(method, path, status):
    responses = DOCUMENT["paths"][path][method.lower()]["responses"]
    assert str(status) in responses, "the status is not in the contract"
    return _Expectation(responses[str(status)])


_elsewhere = validator(PROBLEM)
_templates = [(path, path.split("/")) for path in DOCUMENT["paths"]]


def template(target):
    """The path of the contract that a request's target belongs to, if there is one."""
    parts = target.partition("?")[0].split("/")
    for path, segments in _templates:
        if len(parts) == len(segments) and all(
                ours == theirs or ours.startswith("{") and theirs
                for ours, theirs in zip(segments, parts)):
            return path
    return None


seen = Counter()
_lock = threading.Lock()


def check(method, target, answer):
    """Fails unless the answer is one that the contract has for this request."""
    path = template(target)
    known = path is not None and method.lower() in DOCUMENT["paths"][path]
    with _lock:
        seen[(method, path, answer.status) if known else (None, None, answer.status)] += 1
    try:
        if known:
            _expectation(method, path, answer.status).check(answer)
            return
        expected = "NOT_FOUND" if path is None else "METHOD_NOT_ALLOWED"
        assert _elsewhere.is_valid(answer.json) and answer.json["code"] == expected, answer.raw
    except AssertionError as error:
        raise AssertionError(
            f"{method} {target} is answered {answer.status}, against the contract: {error}"
        ) from None
