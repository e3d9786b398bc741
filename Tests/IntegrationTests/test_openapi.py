"""The contract, openapi.yaml: well-formed, true, complete, and kept by the running service.

`contract.check` holds every answer of every test in this folder to it.
"""

import base64
import hashlib
import html.parser
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import contract
import pytest
import yaml
from openapi_spec_validator import validate
from wallet_client import BINARY, INHERITED, ROOT, SEED, Answer

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"


def printed(*arguments):
    """What a command of the program prints."""
    done = subprocess.run([BINARY, *arguments], env=INHERITED, capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def registry():
    """Every error code and its status, as the program explains them."""
    return {code: int(status) for code, status in re.findall(
        r"^## ([A-Z_]+)\n\n\*\*(\d+)\*\*", printed("docs", "errors"), re.MULTILINE)}


# --- The document --------------------------------------------------------------------------------


def test_the_contract_is_valid_openapi_3_1():
    assert contract.DOCUMENT["openapi"].startswith("3.1.")
    validate(contract.DOCUMENT)


def test_the_contract_has_every_route_of_the_program_and_no_other():
    served = {}
    for line in printed("docs", "routes").splitlines():
        method, path, scope, *callers = line.split()
        served[method, path] = [{caller: [scope]} for caller in callers]
        assert callers or scope == "open"
    assert {(m, p): operation["security"] for m, p, operation in contract.operations()} == served


def test_every_operation_has_a_name_of_its_own_and_a_known_tag():
    operations = [operation for _, _, operation in contract.operations()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    tags = {tag["name"] for tag in contract.DOCUMENT["tags"]}
    for operation in operations:
        assert set(operation["tags"]) <= tags and operation["summary"]


def test_every_write_takes_an_idempotency_key_and_says_when_it_is_refused():
    for method, path, operation in contract.operations():
        names = [contract.resolved(p)["name"] for p in operation.get("parameters", [])]
        assert ("Idempotency-Key" in names) == (method == "POST"), path
        if operation["security"]:
            assert {"400", "401", "403"} <= set(operation["responses"]), path


def test_error_codes_are_those_of_the_program_with_their_status():
    codes = registry()
    assert set(contract.DOCUMENT["components"]["schemas"]["ProblemCode"]["enum"]) == set(codes)
    named = set()
    for _, path, operation in contract.operations():
        for status, response in operation["responses"].items():
            for content in contract.resolved(response)["content"].values():
                schema = contract.resolved(content["schema"])
                for code in schema.get("properties", {}).get("code", {}).get("enum", []):
                    named.add(code)
                    assert codes[code] == int(status), (path, code)
    # Another method than a path has belongs to no operation, nor does a header that is not read.
    assert set(codes) - named == {"METHOD_NOT_ALLOWED", "HEADERS_TOO_LARGE"}


def test_examples_are_what_their_schemas_say():
    count = 0

    def check(where, schema, value):
        nonlocal count
        count += 1
        wrong = contract.failure(contract.validator(schema), value)
        assert not wrong, (where, wrong)

    for method, path, operation in contract.operations():
        contents = [operation["requestBody"]["content"]] if "requestBody" in operation else []
        responses = [contract.resolved(r) for r in operation["responses"].values()]
        contents += [response["content"] for response in responses]
        for content in (one for kinds in contents for one in kinds.values()):
            for name, example in content.get("examples", {}).items():
                check((method, path, name), content["schema"], example["value"])
        headers = [h for response in responses for h in response["headers"].values()]
        for part in map(contract.resolved, [*operation.get("parameters", []), *headers]):
            if "example" in part:
                check((method, path, part), part["schema"], part["example"])
    assert count > 100


# --- What it is held by --------------------------------------------------------------------------


def test_an_answer_that_breaks_the_contract_is_noticed(client):
    wallet = client.wallet(5)
    path = f"/v1/wallets/{wallet}"
    answer = client.get(path)
    assert contract.seen["GET", "/v1/wallets/{id}", 200] > 0
    headers = {name: v for name, v in answer.headers.items() if name != "Consistency-Token"}
    for broken in (
            answer._replace(json=answer.json | {"more": 1}),
            answer._replace(json={n: v for n, v in answer.json.items() if n != "version"}),
            answer._replace(json=answer.json | {"currency": "usd"}),
            answer._replace(json=answer.json | {"createdAt": "yesterday"}),
            answer._replace(status=202), answer._replace(headers=headers)):
        with pytest.raises(AssertionError, match="against the contract"):
            contract.check("GET", path, broken)
    with pytest.raises(AssertionError, match="against the contract"):
        contract.check("GET", "/v1/nothing", Answer(404, answer.headers, answer.json, answer.raw))


# --- The documents that are made from it ---------------------------------------------------------


def reference_page():
    specification = importlib.util.spec_from_file_location(
        "reference_page", ROOT / "docs/reference_page.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_page_of_errors_is_up_to_date():
    assert (ROOT / "docs/errors.md").read_text() == printed("docs", "errors"), "make documents"


def test_the_reference_page_is_up_to_date():
    page = reference_page()
    assert page.PAGE.read_text() == page.made(), "make documents"


def test_the_contract_and_its_page_are_served_to_everyone_as_they_are(server):
    anyone = server.client(secret=None)
    document = anyone.get("/openapi.yaml")
    assert document.status == 200 and document.raw == (ROOT / "openapi.yaml").read_bytes()
    assert document.headers["Content-Type"] == "application/yaml"
    page = anyone.get("/docs")
    assert page.status == 200 and page.raw == reference_page().PAGE.read_bytes()
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    anyone.close()


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.names, self.targets, self.addresses, self.elements = [], [], [], set()

    def handle_starttag(self, tag, attributes):
        self.elements.add(tag)
        for name, value in attributes:
            assert not name.startswith("on") and name != "style", (tag, name)
            if name == "id":
                self.names.append(value)
            elif name in ("href", "src"):
                (self.targets if value.startswith("#") else self.addresses).append(value)


def test_the_reference_page_needs_no_script_and_no_other_host(client):
    answer = client.get("/docs")
    page = Page()
    page.feed(answer.raw.decode())
    assert not page.elements & {"script", "link", "img", "iframe", "object", "form", "base"}
    assert page.addresses == ["/openapi.yaml"]
    assert len(page.names) == len(set(page.names))
    assert {target[1:] for target in page.targets} <= set(page.names)
    assert "url(" not in answer.raw.decode() and "@import" not in answer.raw.decode()
    style = re.search(rb"<style>(.*?)</style>", answer.raw, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert f"style-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


def test_the_reference_page_shows_every_operation_and_every_error(client):
    page = Page()
    page.feed(client.get("/docs").raw.decode())
    names = {operation["operationId"] for _, _, operation in contract.operations()}
    assert names | set(registry()) <= set(page.names)


# --- A stranger's requests -----------------------------------------------------------------------


# Schemathesis makes requests from the contract alone and holds the answers to it. What it is not
# asked, each because of what it cannot know:
LEFT_OUT_OPERATIONS = {
    # A stream has no end to wait for; test_streams.py reads it.
    "streamEvents",
    # It would end the very key that it comes with, and everything after it were 401.
    "revokeAPIKey",
}
LEFT_OUT_PARAMETERS = {
    # Made by the service and opaque: whatever a stranger makes up is refused with 400, which it
    # takes for a contradiction. test_contract.py sends real, altered and foreign ones.
    "cursor", "Consistency-Token", "Last-Event-ID",
    # It fills in `0` for this one, against the pattern, and then expects it to be taken.
    "If-Match",
}
SETTINGS = """
[auth.openapi]
apiKey = { bearer = "BEARER" }

[checks.positive_data_acceptance]
# Refusals by the state of the ledger are as good an answer to valid data as acceptance.
expected-statuses = ["2xx", "401", "403", "404", "409", "412", "422"]

[[operations]]
include-operation-id = "settleBatch"
# That no key stands twice in a batch cannot be said in a schema; it is 400.
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "422"]
"""
HOOKS = """
import re, uuid
import schemathesis

@schemathesis.hook
def before_call(context, case, kwargs):
    # A key of its own for each request, or nearly all of them were replays of the first.
    if re.fullmatch("[!-~]{1,255}", str((case.headers or {}).get("Idempotency-Key", ""))):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    # To a schema 10.0 is an integer; to us an amount with a fraction is refused, whatever it is.
    if case.meta and case.meta.generation.mode.is_positive:
        case.body = whole(case.body)

def whole(value):
    if isinstance(value, dict):
        return {name: whole(member) for name, member in value.items()}
    if isinstance(value, list):
        return [whole(member) for member in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
"""


def living_document(client):
    """The contract, with wallets, a hold and transactions that are there in its examples, and
    without what is left out."""
    paying, paid = client.wallet(1_000_000), client.wallet()
    made = {
        "getWallet": paying, "getHold": client.hold(paying, 100).json["id"],
        "getTransaction": client.transfer(paying, paid, 100).json["id"]}
    text = (ROOT / "openapi.yaml").read_text()
    for method, path, operation in contract.operations():
        if operation["operationId"] in made:
            parameter = contract.resolved(operation["parameters"][0])
            text = text.replace(parameter["example"], made[operation["operationId"]])
    document = yaml.safe_load(text)
    for path, methods in list(document["paths"].items()):
        for method, operation in list(methods.items()):
            if operation["operationId"] in LEFT_OUT_OPERATIONS:
                del methods[method]
                continue
            if not operation.get("requestBody", {}).get("required", True):
                # It takes a body that may be left out, and is, for a breach of the contract.
                del operation["requestBody"]
            operation["parameters"] = [
                parameter for parameter in operation.get("parameters", [])
                if contract.resolved(parameter)["name"] not in LEFT_OUT_PARAMETERS]
    return document


@pytest.mark.deadline(180)
def test_a_stranger_who_knows_the_contract_alone_finds_it_kept(new_server, tmp_path):
    server = new_server()
    client = server.client()
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(living_document(client)))
    (tmp_path / "schemathesis.toml").write_text(
        SETTINGS.replace("BEARER", client.secret))
    (tmp_path / "hooks.py").write_text(HOOKS)
    done = subprocess.run(
        [SCHEMATHESIS, "run", document, "--url", f"http://127.0.0.1:{server.port}",
         "--checks", "all", "--max-examples", "12", "--seed", str(SEED),
         "--generation-database", "none", "--no-color"],
        env=INHERITED | {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path, capture_output=True, text=True, timeout=150)
    report = "\n".join(line[:400] for line in done.stdout.splitlines())
    assert done.returncode == 0, report[-12_000:] + done.stderr[-2_000:]
    tested = re.search(r"Tested: (\d+)", done.stdout)
    everything = len(list(contract.operations())) - len(LEFT_OUT_OPERATIONS)
    assert tested and int(tested[1]) == everything, report[-3_000:]
    server.check_verifies()
