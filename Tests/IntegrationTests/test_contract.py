"""The HTTP contract, call by call, as a client sees it over a socket."""

import bisect
import json
import re
import threading
import time
from datetime import timedelta, timezone

import pytest
from wallet_client import (
    LARGEST,
    check_problem,
    essence,
    eventually,
    fresh,
    is_replay,
    microseconds,
    parallel,
    quoted,
    raw_request,
    rfc3339,
)

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")
NOBODY = "0198c0de-0000-7000-8000-000000000000"
TRANSACTION_MEMBERS = {
    "id", "type", "amount", "currency", "from", "to", "reference", "description", "createdAt",
    "position", "balances", "reverses", "reversedAmount", "holdId", "actor", "metadata"}


def transaction_of(entry):
    return entry["transaction"]


def altered(token):
    """An opaque text with one character in the middle changed."""
    middle = len(token) // 2
    return token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1:]


@pytest.fixture
def wallet(client):
    """A wallet that holds 1000."""
    return client.wallet(1000)


@pytest.fixture(scope="module")
def platform(server):
    """API keys of other callers, by name."""
    return {
        "shop": server.new_key("shop", "read,write"),
        "shop's new key": server.new_key("shop", "read,write"),
        "other": server.new_key("other", "read,write"),
        "reader": server.new_key("reader", "read"),
        "writer": server.new_key("writer", "write")}


# --- Start and health ----------------------------------------------------------------------------


def test_the_program_says_once_on_stdout_that_it_is_ready(server):
    assert sum("ready" in line for line in server.stdout) == 1, server.stdout


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_is_open_without_a_key(server, client, path):
    stranger = server.client(secret=None)
    assert stranger.get(path).status == 200
    stranger.close()


# --- Shapes --------------------------------------------------------------------------------------


def test_opening_a_wallet_answers_with_the_wallet_its_location_and_version(client):
    metadata = {"plan": "gold", "naïve \"key\"": "line\n\\ \u2028 \U0001f600"}
    answer = client.post(
        "/v1/wallets", {"userId": "u-17", "currency": "USD", "metadata": metadata})
    opened = answer.json
    assert answer.status == 201
    assert set(opened) == {"id", "userId", "currency", "status", "balance", "version",
                           "createdAt", "updatedAt", "metadata"}
    assert UUID7.fullmatch(opened["id"])
    assert (opened["userId"], opened["currency"], opened["status"]) == ("u-17", "USD", "active")
    assert opened["balance"] == {"total": 0, "held": 0, "available": 0}
    assert opened["version"] == 1 and answer.headers["ETag"] == '"v1"'
    assert TIME.fullmatch(opened["createdAt"]) and TIME.fullmatch(opened["updatedAt"])
    assert abs(microseconds(opened["createdAt"]) / 1e6 - time.time()) < 60
    assert opened["metadata"] == metadata
    assert answer.headers["Location"].endswith(f"/v1/wallets/{opened['id']}")
    assert client.get(f"/v1/wallets/{opened['id']}").json == opened


def test_metadata_is_an_empty_object_when_none_was_given(client, wallet):
    assert client.get(f"/v1/wallets/{wallet}").json["metadata"] == {}
    assert client.deposit(wallet, 1).json["metadata"] == {}


@pytest.mark.parametrize("currency", ["JPY", "USD", "EUR", "KWD", "CLF"])
def test_every_currency_of_the_registry_can_be_held(client, currency):
    assert client.wallet(7, currency)


@pytest.mark.parametrize("kind", ["deposit", "withdrawal", "transfer"])
def test_a_movement_answers_with_the_transaction_member_by_member(client, wallet, kind):
    other = client.wallet()
    more = {"currency": "USD", "reference": fresh("order"), "description": "tea & \"milk\"",
            "metadata": {"till": "3"}}
    answer = {
        "deposit": lambda: client.deposit(wallet, 250, **more),
        "withdrawal": lambda: client.withdraw(wallet, 250, **more),
        "transfer": lambda: client.transfer(wallet, other, 250, **more)}[kind]()
    moved = answer.json
    total = 1250 if kind == "deposit" else 750
    assert answer.status == 201 and set(moved) == TRANSACTION_MEMBERS
    assert UUID7.fullmatch(moved["id"]) and TIME.fullmatch(moved["createdAt"])
    assert moved["position"] > 0
    assert moved | more | {"type": kind, "amount": 250} == moved
    assert moved["from"] == (None if kind == "deposit" else wallet)
    assert moved["to"] == {"deposit": wallet, "withdrawal": None, "transfer": other}[kind]
    assert (moved["reverses"], moved["reversedAmount"], moved["holdId"]) == (None, 0, None)
    assert moved["actor"] == "bootstrap"
    balances = {balance.pop("walletId"): balance for balance in json.loads(
        answer.raw)["balances"]}
    expected = {wallet: {"total": total, "held": 0, "available": total, "version": 3}}
    if kind == "transfer":
        expected[other] = {"total": 250, "held": 0, "available": 250, "version": 2}
    assert balances == expected
    assert answer.headers["ETag"] == '"v3"'
    found = client.get(f"/v1/transactions/{moved['id']}")
    assert (found.status, found.json) == (200, moved)


def test_members_that_were_not_given_are_null(client, wallet):
    moved = client.deposit(wallet, 1).json
    assert (moved["reference"], moved["description"]) == (None, None)


def test_a_balance_answers_member_by_member(client, wallet):
    answer = client.get(f"/v1/wallets/{wallet}/balance")
    assert answer.status == 200 and TIME.fullmatch(answer.json["at"])
    assert {name: value for name, value in answer.json.items() if name != "at"} == {
        "walletId": wallet, "currency": "USD", "total": 1000, "held": 0, "available": 1000,
        "version": 2, "final": True}


def test_a_wallet_shows_what_happened_to_it(client, wallet):
    before = client.get(f"/v1/wallets/{wallet}").json
    assert client.withdraw(wallet, 1).status == 201
    after = client.get(f"/v1/wallets/{wallet}").json
    assert after["balance"] == {"total": 999, "held": 0, "available": 999}
    assert after["version"] == before["version"] + 1 and after["createdAt"] == before["createdAt"]
    assert microseconds(after["updatedAt"]) > microseconds(before["updatedAt"])


def test_an_entry_is_the_transaction_with_the_change_to_this_wallet(client, wallet):
    other = client.wallet()
    moved = client.transfer(wallet, other, 30).json
    for id, change, after, version in ((wallet, -30, 970, 3), (other, 30, 30, 2)):
        items, following = client.page(f"/v1/wallets/{id}/transactions", limit=1)
        assert items == [{"transaction": moved, "change": change, "balanceAfter": after,
                          "version": version}]
        assert following or id == other


# --- Consistency token ---------------------------------------------------------------------------


def test_every_answer_carries_a_consistency_token(client, wallet):
    moved = client.deposit(wallet, 1)
    answers = [
        moved, client.post("/v1/wallets", {"userId": "u", "currency": "USD"}),
        client.withdraw(wallet, 5000), client.get(f"/v1/wallets/{wallet}"),
        client.get(f"/v1/wallets/{NOBODY}"), client.get(f"/v1/wallets/{wallet}/balance"),
        client.get(f"/v1/wallets/{wallet}/balance?at={quoted(moved.json['createdAt'])}"),
        client.get(f"/v1/wallets/{wallet}/transactions"), client.get("/v1/users/u/wallets"),
        client.get(f"/v1/transactions/{moved.json['id']}"), client.get("/v1/events?after=0")]
    missing = [answer for answer in answers if not answer.headers.get("Consistency-Token")]
    assert not missing


def test_a_read_with_the_token_of_a_write_sees_the_write(client, wallet):
    for expected in range(1001, 1021):
        token = client.deposit(wallet, 1).headers["Consistency-Token"]
        read = client.get(f"/v1/wallets/{wallet}/balance", **{"Consistency-Token": token})
        assert read.status == 200 and read.json["total"] == expected


@pytest.mark.parametrize("spoil", [altered, lambda token: "gibberish!", lambda token: token + "x"])
def test_a_token_that_was_tampered_with_is_malformed(client, wallet, spoil):
    token = client.get(f"/v1/wallets/{wallet}").headers["Consistency-Token"]
    answer = client.get(f"/v1/wallets/{wallet}", **{"Consistency-Token": spoil(token)})
    check_problem(answer, 400, "MALFORMED_REQUEST")


def test_the_token_of_another_ledger_is_unknown(client, wallet, new_server):
    stranger = new_server().client()
    theirs = stranger.wallet(5)
    token = stranger.get(f"/v1/wallets/{theirs}").headers["Consistency-Token"]
    answer = client.get(f"/v1/wallets/{wallet}", **{"Consistency-Token": token})
    check_problem(answer, 409, "TOKEN_UNKNOWN")


# --- Authentication ------------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", [
    None, "", "Bearer", "Bearer ", "Bearer wk_test_0123456789abcdefghik", "Bearer wk_",
    "Bearer wk_test_0123456789abcdefghij extra", "Bearer wk_test_0123456789abcdefgh",
    "wk_test_0123456789abcdefghij", "Basic d2tfdGVzdDp4",
    "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_a_valid_key_nobody_gets_in(client, wallet, method, authorization):
    before = client.state(wallet)
    path, body = ("/v1/wallets/" + wallet, None) if method == "GET" else (
        f"/v1/wallets/{wallet}/deposits", {"amount": 5})
    answer = client.request(method, path, body, headers={"Authorization": authorization})
    check_problem(answer, 401, "UNAUTHENTICATED")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert client.state(wallet) == before


def test_a_key_without_the_scope_is_refused(server, client, wallet, platform):
    before = client.state(wallet)
    reader, writer = server.client(platform["reader"]), server.client(platform["writer"])
    assert reader.get(f"/v1/wallets/{wallet}").status == 200
    assert writer.deposit(wallet, 1).status == 201
    for refused in (
            reader.deposit(wallet, 1), reader.withdraw(wallet, 1),
            reader.transfer(wallet, NOBODY, 1), reader.get("/v1/events?after=0"),
            reader.post("/v1/wallets", {"userId": "u", "currency": "USD"}),
            writer.get(f"/v1/wallets/{wallet}"), writer.get(f"/v1/wallets/{wallet}/balance"),
            writer.get(f"/v1/wallets/{wallet}/transactions"), writer.get("/v1/users/u/wallets"),
            writer.get(f"/v1/transactions/{NOBODY}"), writer.get("/v1/events?after=0"),
            server.client(platform["shop"]).get("/v1/events?after=0")):
        check_problem(refused, 403, "FORBIDDEN")
    assert client.state(wallet) == (before[0] + 1, before[1] + 1)


def test_keys_are_listed_without_their_secret_and_a_revoked_one_stops_working(server):
    secret = server.new_key("short-lived", "read,write")
    listed = server.run("keys list")
    assert listed.returncode == 0 and secret not in listed.stdout
    line = next(line for line in listed.stdout.splitlines() if "short-lived" in line)
    assert "read" in line and "write" in line and "revoked" not in line
    holder = server.client(secret)
    revoked = server.run("keys revoke", line.split()[0])
    assert revoked.returncode == 0, (revoked.stdout, revoked.stderr)
    eventually(lambda: holder.get("/v1/users/u/wallets").status == 401, 6, "the key is refused")
    line = next(s for s in server.run("keys list").stdout.splitlines() if "short-lived" in s)
    assert "revoked" in line
    for file in server.folder.glob("ledger.sqlite*"):
        assert secret.encode() not in file.read_bytes(), "the secret itself is stored"


# --- Routes, methods, headers --------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/wallets", "/v1/nothing", "/v1/transfers/x/y",
                                  "/v1/wallets/%00/balance/x", "/favicon.ico"])
def test_an_unknown_route_is_a_problem(client, path):
    check_problem(client.get(path), 404, "NOT_FOUND")


@pytest.mark.parametrize("method, path, allowed", [
    ("GET", "/v1/wallets", "POST"), ("GET", "/v1/transfers", "POST"),
    ("PUT", "/v1/transfers", "POST"), ("DELETE", f"/v1/wallets/{NOBODY}", "GET"),
    ("PATCH", f"/v1/wallets/{NOBODY}/balance", "GET"),
    ("GET", f"/v1/wallets/{NOBODY}/deposits", "POST"),
    ("POST", f"/v1/wallets/{NOBODY}/transactions", "GET"), ("POST", "/v1/events", "GET"),
    ("DELETE", f"/v1/transactions/{NOBODY}", "GET"), ("POST", "/v1/users/u/wallets", "GET"),
    ("DELETE", "/health/live", "GET")])
def test_a_wrong_method_is_told_the_right_ones(client, method, path, allowed):
    answer = client.request(method, path, {} if method in ("POST", "PUT", "PATCH") else None)
    check_problem(answer, 405, "METHOD_NOT_ALLOWED")
    methods = {name.strip() for name in answer.headers["Allow"].split(",")}
    assert allowed in methods and method not in methods


@pytest.mark.parametrize("type", ["text/plain", "application/x-www-form-urlencoded",
                                  "application/jsonp", "multipart/form-data; boundary=x"])
def test_a_body_that_is_not_called_json_is_refused(client, wallet, type):
    answer = client.request("POST", f"/v1/wallets/{wallet}/deposits", {"amount": 1},
                            headers={"Content-Type": type})
    check_problem(answer, 415, "UNSUPPORTED_MEDIA_TYPE")
    assert client.total(wallet) == 1000


@pytest.mark.parametrize("type", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_may_be_called_by_its_full_name(client, wallet, type):
    answer = client.request("POST", f"/v1/wallets/{wallet}/deposits", {"amount": 1},
                            headers={"Content-Type": type})
    assert answer.status == 201


@pytest.mark.parametrize("path, body", [
    ("/v1/wallets", {"userId": "u", "currency": "USD"}),
    ("/v1/wallets/{}/deposits", {"amount": 1}), ("/v1/wallets/{}/withdrawals", {"amount": 1}),
    ("/v1/transfers", {"from": "{}", "to": NOBODY, "amount": 1})])
def test_a_write_needs_an_idempotency_key(client, wallet, path, body):
    body = json.loads(json.dumps(body).replace("{}", wallet))
    answer = client.request("POST", path.format(wallet), body, headers={"Idempotency-Key": None})
    check_problem(answer, 400, "IDEMPOTENCY_KEY_REQUIRED")
    assert client.total(wallet) == 1000


@pytest.mark.parametrize("key", ["k" * 256, "two words", "tab\tinside", "caf\u00e9"])
def test_an_idempotency_key_is_1_to_255_visible_characters(client, wallet, key):
    answer = client.deposit(wallet, 1, key=key.encode("latin-1"))
    check_problem(answer, 400)
    assert client.total(wallet) == 1000


def test_an_idempotency_key_may_have_any_visible_characters(client, wallet):
    every = "".join(map(chr, range(0x21, 0x7f)))
    for key in ((fresh() + every)[:255].ljust(255, "~"), fresh() + every):
        assert client.deposit(wallet, 1, key=key).status == 201
        assert is_replay(client.deposit(wallet, 1, key=key))


# --- Amounts -------------------------------------------------------------------------------------

MALFORMED_AMOUNTS = ["10.0", "1e3", "1E0", "10.5", '"10"', "null", "true", "[]", "{}", "[10]",
                     "01", "+1", ".5", "1.", "0x10", "NaN", "Infinity", "1_000", "1e400", "--1"]
AMOUNTS_OUT_OF_RANGE = ["0", "-5", str(2**53), str(10**30), str(-(10**30)), str(2**63),
                        str(2**64 + 1), str(-(2**63)), str(-(2**64) + 5), "1" + "0" * 400]


def movement(kind, wallet, other, members):
    """Path and bytes of a movement whose amount is written out by the caller."""
    if kind == "transfers":
        return "/v1/transfers", f'{{"from":"{wallet}","to":"{other}"{members}}}'.encode()
    return f"/v1/wallets/{wallet}/{kind}", f"{{{members.lstrip(',')}}}".encode()


@pytest.mark.parametrize("kind", ["deposits", "withdrawals", "transfers"])
def test_amounts_that_are_not_whole_numbers_in_range_are_refused(client, wallet, kind):
    other = client.wallet()
    cases = [(f',"amount":{a}', 400, "MALFORMED_REQUEST") for a in MALFORMED_AMOUNTS]
    cases += [(f',"amount":{a}', 422, "AMOUNT_OUT_OF_RANGE") for a in AMOUNTS_OUT_OF_RANGE]
    cases += [("", 400, "MALFORMED_REQUEST"), (',"amount":-0', None, None)]
    for members, status, code in cases:
        key = fresh()
        answer = client.post(*movement(kind, wallet, other, members), key)
        assert 400 <= answer.status < 500, (members[:40], answer)
        check_problem(answer, status, code)
        assert client.state(wallet) == (1000, 2) and client.state(other) == (0, 1), members[:40]
    # Stateless refusals do not use their key up.
    answer = client.post(*movement(kind, wallet, other, ',"amount":1'), key)
    assert answer.status == 201 and not is_replay(answer)


def test_the_largest_amount_is_exact_and_nothing_fits_on_top_of_it(client):
    full, giver = client.wallet(), client.wallet(1)
    assert client.deposit(full, LARGEST).json["amount"] == LARGEST
    assert client.state(full) == (LARGEST, 2)
    check_problem(client.deposit(full, 1), 422, "BALANCE_OVERFLOW")
    check_problem(client.deposit(full, LARGEST), 422, "BALANCE_OVERFLOW")
    check_problem(client.transfer(giver, full, 1), 422, "BALANCE_OVERFLOW")
    assert client.state(full) == (LARGEST, 2) and client.state(giver) == (1, 2)
    assert client.withdraw(full, LARGEST).status == 201 and client.total(full) == 0


# --- Bodies --------------------------------------------------------------------------------------

BAD_BODIES = {
    "empty": b"", "spaces only": b"  \n", "an array": b'[{"amount":1}]', "an empty array": b"[]",
    "a number": b"1", "null": b"null", "a string": b'"amount"', "an empty object": b"{}",
    "a duplicate member": b'{"amount":1,"amount":1}',
    "a duplicate member behind an escape": b'{"amount":1,"\\u0061mount":1}',
    "a duplicate in metadata": b'{"amount":1,"metadata":{"a":"1","a":"2"}}',
    "an unknown member": b'{"amount":1,"amuont":1}',
    "a member of another case": b'{"amount":1,"Reference":"r"}',
    "trailing garbage": b'{"amount":1}x', "two values": b'{"amount":1}{"amount":1}',
    "a trailing bracket": b'{"amount":1}}', "a NUL at the end": b'{"amount":1}\x00',
    "a trailing comma": b'{"amount":1,}', "a comment": b'{"amount":1/**/}',
    "no closing bracket": b'{"amount":1', "no quotes": b"{amount:1}",
    "single quotes": b"{'amount':1}", "no value": b'{"amount":}', "no colon": b'{"amount" 1}',
    "invalid UTF-8": b'{"amount":1,"description":"\xff"}',
    "cut UTF-8": b'{"amount":1,"description":"\xe2\x82"}',
    "overlong UTF-8": b'{"amount":1,"description":"\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"amount":1,"description":"\xed\xa0\x80"}',
    "beyond Unicode": b'{"amount":1,"description":"\xf4\x90\x80\x80"}',
    "a lone high surrogate": b'{"amount":1,"description":"\\ud800"}',
    "a lone low surrogate": b'{"amount":1,"description":"\\udc00"}',
    "surrogates in the wrong order": b'{"amount":1,"description":"\\udc00\\ud800"}',
    "a lone surrogate in a name": b'{"amount":1,"metadata":{"\\ud800":"x"}}',
    "a raw control character": b'{"amount":1,"description":"a\nb"}',
    "an unknown escape": b'{"amount":1,"description":"\\x41"}',
    "a short escape": b'{"amount":1,"description":"\\u12"}',
    "a byte order mark": b'\xef\xbb\xbf{"amount":1}',
    "UTF-16": '{"amount":1}'.encode("utf-16"),
    "a number as description": b'{"amount":1,"description":5}',
    "an array as metadata": b'{"amount":1,"metadata":[]}',
    "a number in metadata": b'{"amount":1,"metadata":{"a":1}}',
    "null in metadata": b'{"amount":1,"metadata":{"a":null}}',
    "an object in metadata": b'{"amount":1,"metadata":{"a":{"b":"c"}}}',
    "100,000 brackets": b"[" * 100_000,
    "100,000 brackets, closed": b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects": b'{"a":' * 100_000,
    "100,000 brackets in metadata": b'{"amount":1,"metadata":' + b"[" * 100_000,
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_body_changes_nothing(client, wallet, name):
    key = fresh()
    answer = client.post(f"/v1/wallets/{wallet}/deposits", BAD_BODIES[name], key)
    check_problem(answer)
    assert answer.status == 400 or "metadata" in name and answer.status == 422, answer
    assert client.state(wallet) == (1000, 2)
    assert client.deposit(wallet, 1, key).status == 201, "the key is free"


def test_a_body_of_1_mib_is_read_and_a_longer_one_is_not(server, client, wallet):
    path = f"/v1/wallets/{wallet}/deposits"
    whole = b'{"amount":1}'.ljust(2**20)
    assert client.post(path, whole).status == 201
    for head, body in (
            ({}, whole + b" "),
            ({"Content_Length": None, "Transfer_Encoding": "chunked"},
             b"100001\r\n" + whole + b" \r\n0\r\n\r\n")):
        with server.raw() as raw:
            try:
                raw.send(raw_request("POST", path, body, **{"Content_Length": len(body)} | head))
            except OSError:
                pass  # It may stop reading as soon as it knows.
            check_problem(raw.answer(), 413, "BODY_TOO_LARGE")
    assert client.state(wallet) == (1001, 3)


def test_a_chunked_body_is_read(server, client, wallet):
    with server.raw() as raw:
        raw.send(raw_request(
            "POST", f"/v1/wallets/{wallet}/deposits", b'5\r\n{"amo\r\n7\r\nunt":1}\r\n0\r\n\r\n',
            Content_Length=None, Transfer_Encoding="chunked"))
        assert raw.answer().status == 201
    assert client.total(wallet) == 1001


# --- Fields --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "currency", ["ABC", "usd", "Usd", "US", "USDD", "USD ", "\uff35\uff33\uff24"])
def test_an_unknown_currency_is_refused(client, wallet, currency):
    for answer in (client.post("/v1/wallets", {"userId": "u", "currency": currency}),
                   client.deposit(wallet, 1, currency=currency)):
        check_problem(answer, 422, "CURRENCY_UNKNOWN")
    assert client.total(wallet) == 1000


def test_money_of_one_currency_never_becomes_another(client, wallet):
    euros = client.wallet(50, "EUR")
    for refused in (
            client.deposit(wallet, 1, currency="EUR"), client.withdraw(wallet, 1, currency="EUR"),
            client.transfer(wallet, euros, 1), client.transfer(euros, wallet, 1),
            client.transfer(wallet, client.wallet(), 1, currency="EUR")):
        check_problem(refused, 422, "CURRENCY_MISMATCH")
    assert (client.state(wallet), client.state(euros)) == ((1000, 2), (50, 2))


def test_a_transfer_to_the_same_wallet_is_refused(client, wallet):
    check_problem(client.transfer(wallet, wallet, 1), 422, "SAME_WALLET")
    assert client.state(wallet) == (1000, 2)


def test_more_than_is_there_cannot_leave(client, wallet):
    problem = check_problem(client.withdraw(wallet, 1001), 422, "INSUFFICIENT_FUNDS")
    assert (problem["available"], problem["requested"]) == (1000, 1001)
    check_problem(client.transfer(wallet, client.wallet(), 1001), 422, "INSUFFICIENT_FUNDS")
    assert client.state(wallet) == (1000, 2)
    assert client.withdraw(wallet, 1000).status == 201 and client.state(wallet) == (0, 3)


@pytest.mark.parametrize("id", ["abc", "1", NOBODY[:-1], NOBODY + "0", NOBODY.upper(),
                                NOBODY.replace("-", ""), "{" + NOBODY + "}", "g" + NOBODY[1:]])
def test_a_malformed_identifier_is_a_malformed_request(client, wallet, id):
    path = f"/v1/wallets/{quoted(id)}"
    for answer in (
            client.get(path), client.get(path + "/balance"), client.get(path + "/transactions"),
            client.post(path + "/deposits", {"amount": 1}),
            client.post(path + "/withdrawals", {"amount": 1}), client.transfer(id, wallet, 1),
            client.transfer(wallet, id, 1), client.get(f"/v1/transactions/{quoted(id)}")):
        check_problem(answer, 400, "MALFORMED_REQUEST")


def test_a_wallet_that_does_not_exist_is_not_found(client, wallet):
    path = f"/v1/wallets/{NOBODY}"
    for answer in (
            client.get(path), client.get(path + "/balance"),
            client.get(path + "/balance?at=2026-01-01T00:00:00Z"),
            client.get(path + "/transactions"), client.deposit(NOBODY, 1),
            client.withdraw(NOBODY, 1), client.transfer(NOBODY, wallet, 1),
            client.transfer(wallet, NOBODY, 1)):
        check_problem(answer, 404, "WALLET_NOT_FOUND")
    check_problem(client.get(f"/v1/transactions/{NOBODY}"), 404, "TRANSACTION_NOT_FOUND")
    assert client.state(wallet) == (1000, 2)


def test_a_wallet_is_no_transaction(client, wallet):
    check_problem(client.get(f"/v1/transactions/{wallet}"), 404, "TRANSACTION_NOT_FOUND")


@pytest.mark.parametrize("metadata, fits", [
    ({f"key {i}": "x" for i in range(20)}, True), ({f"key {i}": "x" for i in range(21)}, False),
    ({"k": "x" * 3500}, True), ({"k": "x" * 5000}, False), ({"k": "é" * 2500}, False),
    ({"k" * 5000: "x"}, False)], ids=["20", "21", "short", "long", "accents", "long name"])
def test_metadata_is_limited(client, wallet, metadata, fits):
    for answer in (
            client.post("/v1/wallets", {"userId": "u", "currency": "USD", "metadata": metadata}),
            client.deposit(wallet, 1, metadata=metadata)):
        if fits:
            assert answer.status == 201 and answer.json["metadata"] == metadata
        else:
            check_problem(answer, 422, "VALIDATION_FAILED")
    assert client.total(wallet) == 1000 + fits


@pytest.mark.parametrize("user, fits", [
    ("", False), ("u", True), ("u" * 128, True), ("u" * 129, False), ("é" * 128, True),
    ("é" * 129, False)], ids=["0", "1", "128", "129", "128 accents", "129 accents"])
def test_a_user_id_has_1_to_128_characters(client, user, fits):
    answer = client.post("/v1/wallets", {"userId": user, "currency": "USD"})
    if fits:
        assert answer.status == 201 and answer.json["userId"] == user
    else:
        check_problem(answer, 422, "VALIDATION_FAILED")


@pytest.mark.parametrize("body", [
    {"currency": "USD"}, {"userId": "u"}, {"userId": 5, "currency": "USD"},
    {"userId": None, "currency": "USD"}, {"userId": "u", "currency": 840},
    {"userId": "u", "currency": "USD", "id": NOBODY}])
def test_a_wallet_is_opened_with_exactly_the_members_of_the_contract(client, body):
    check_problem(client.post("/v1/wallets", body), 400, "MALFORMED_REQUEST")


def test_users_whose_names_only_look_alike_are_different_people(client):
    base = fresh()
    users = [base + end for end in (
        "alice", "Alice", "ALICE", "\u00e1lice", "a\u0301lice", "alice ", " alice", "alice\u00a0",
        "alic\u0435", "alice%20", "alice+", "a/b", "a%2Fb", "a?b", "a#b", "100%", "auth0|7",
        "\u00df", "ss", "\u0131", "i", "\u2126",
        "\u03a9", "\ufb01", "fi", "\U0001f600", "ali\u200bce")]
    wallets = {user: client.wallet(user=user) for user in users}
    for user, wallet in wallets.items():
        found = client.get(f"/v1/users/{quoted(user)}/wallets")
        assert found.status == 200
        assert [(w["id"], w["userId"]) for w in found.json["items"]] == [(wallet, user)], user


# --- Idempotency ---------------------------------------------------------------------------------


def test_the_same_key_gives_the_first_answer_again(client, wallet):
    other, key = client.wallet(), {kind: fresh() for kind in "odwt"}
    requests = [
        lambda: client.post("/v1/wallets", {"userId": "u", "currency": "USD"}, key["o"]),
        lambda: client.deposit(wallet, 10, key["d"], metadata={"a": "b"}, description="x"),
        lambda: client.withdraw(wallet, 10, key["w"], reference=key["w"]),
        lambda: client.transfer(wallet, other, 10, key["t"])]
    first = [send() for send in requests]
    assert client.deposit(first[0].json["id"], 5).status == 201
    assert client.deposit(wallet, 5).status == 201  # The answers stay what they were.
    before = client.state(wallet)
    for send, answer in zip(requests, first):
        again = send()
        assert answer.status == 201 and not is_replay(answer)
        assert essence(again) == essence(answer) and is_replay(again)
        assert again.headers["Location"] == answer.headers["Location"]
    assert client.state(wallet) == before


def test_a_key_is_not_used_for_another_request(client, wallet):
    other, key = client.wallet(), fresh()
    assert client.deposit(wallet, 10, key).status == 201
    for reused in (
            client.deposit(wallet, 11, key), client.deposit(other, 10, key),
            client.withdraw(wallet, 10, key), client.transfer(wallet, other, 10, key),
            client.deposit(wallet, 10, key, reference="r"),
            client.deposit(wallet, 10, key, description="d"),
            client.deposit(wallet, 10, key, metadata={"a": "b"}),
            client.post("/v1/wallets", {"userId": "u", "currency": "USD"}, key),
            client.post(f"/v1/wallets/{wallet}/deposits", {"amount": 10}, key, If_Match='"v2"')):
        check_problem(reused, 422, "IDEMPOTENCY_KEY_REUSED")
    assert client.state(wallet) == (1010, 3) and client.state(other) == (0, 1)
    assert is_replay(client.deposit(wallet, 10, key))


def test_white_space_and_order_of_members_do_not_make_another_request(client, wallet):
    other, key = client.wallet(), fresh()
    first = client.transfer(wallet, other, 10, key, metadata={"a": "1", "b": "2"})
    text = '{ "metadata" : {"b":"2",\n"a":"\\u0031"} ,"amount":10,"to":"%s","from":\t"%s"}'
    again = client.post("/v1/transfers", (text % (other, wallet)).encode(), key)
    assert essence(again) == essence(first) and is_replay(again)
    assert client.total(other) == 10


def test_a_refused_withdrawal_stays_refused_under_its_key(client, wallet):
    key = fresh()
    first = client.withdraw(wallet, 1500, key)
    check_problem(first, 422, "INSUFFICIENT_FUNDS")
    assert not is_replay(first) and client.deposit(wallet, 1000).status == 201
    again = client.withdraw(wallet, 1500, key)
    assert essence(again) == essence(first) and is_replay(again)
    check_problem(client.withdraw(wallet, 1, key), 422, "IDEMPOTENCY_KEY_REUSED")
    assert client.withdraw(wallet, 1500).status == 201 and client.total(wallet) == 500


def test_what_is_not_found_is_not_remembered(client, wallet):
    key = fresh()
    check_problem(client.deposit(NOBODY, 1, key), 404, "WALLET_NOT_FOUND")
    answer = client.deposit(wallet, 1, key)
    assert answer.status == 201 and not is_replay(answer)


def test_a_key_belongs_to_its_principal(server, client, wallet, platform):
    old, new, other = (
        server.client(platform[name]) for name in ("shop", "shop's new key", "other"))
    key = fresh()
    first = old.deposit(wallet, 10, key)
    assert first.status == 201 and first.json["actor"] == "shop"
    again = new.deposit(wallet, 10, key)
    assert essence(again) == essence(first) and is_replay(again)
    theirs = other.deposit(wallet, 10, key)
    assert theirs.status == 201 and not is_replay(theirs) and theirs.json["actor"] == "other"
    assert client.state(wallet) == (1020, 4)


def test_a_version_that_is_no_longer_current_is_refused(client, wallet):
    other, path = client.wallet(), f"/v1/wallets/{wallet}/withdrawals"
    assert client.post(path, {"amount": 1}, If_Match='"v2"').status == 201
    key = fresh()
    stale = client.post(path, {"amount": 1}, key, If_Match='"v2"')
    check_problem(stale, 412, "VERSION_MISMATCH")
    body = {"from": wallet, "to": other, "amount": 1}
    check_problem(client.post("/v1/transfers", body, If_Match='"v1"'), 412, "VERSION_MISMATCH")
    assert client.post("/v1/transfers", body, If_Match='"v3"').status == 201
    assert client.post(path, {"amount": 1}, key, If_Match='"v4"').status == 201
    assert client.state(wallet) == (997, 5)


def test_a_reference_is_used_once_for_each_debited_wallet(server, client, wallet, platform):
    other, reference, key = client.wallet(100), fresh("order"), fresh()
    first = client.withdraw(wallet, 10, key, reference=reference)
    assert first.status == 201
    for again in (
            client.withdraw(wallet, 10, reference=reference),
            client.transfer(wallet, other, 20, reference=reference),
            client.deposit(wallet, 10, reference=reference)):
        problem = check_problem(again, 409, "REFERENCE_ALREADY_USED")
        assert problem["transactionId"] == first.json["id"]
    assert is_replay(client.withdraw(wallet, 10, key, reference=reference))
    assert client.state(wallet) == (990, 3)
    assert client.withdraw(other, 10, reference=reference).status == 201
    another = server.client(platform["other"])
    assert another.withdraw(wallet, 10, reference=reference).status == 201
    assert client.withdraw(wallet, 10, reference=reference.upper()).status == 201


# --- A balance at any time -----------------------------------------------------------------------


def balance_at(client, wallet, instant, **more):
    text = rfc3339(instant, **more) if isinstance(instant, int) else instant
    return client.get(f"/v1/wallets/{wallet}/balance?at={quoted(text)}")


def test_a_balance_at_any_instant_is_the_running_sum(client, rng):
    wallet, other = client.wallet(), client.wallet(10_000)
    total, steps = 0, []  # Instant and total after it.
    while len(steps) < 200:
        amount, kind = rng.randint(1, 100), rng.choice(("deposit", "withdraw", "in", "out"))
        if kind in ("withdraw", "out") and amount > total:
            continue
        answer = {"deposit": lambda: client.deposit(wallet, amount),
                  "withdraw": lambda: client.withdraw(wallet, amount),
                  "in": lambda: client.transfer(other, wallet, amount),
                  "out": lambda: client.transfer(wallet, other, amount)}[kind]()
        assert answer.status == 201
        total += amount if kind in ("deposit", "in") else -amount
        steps.append((microseconds(answer.json["createdAt"]), total))
    instants = [instant for instant, _ in steps]
    assert instants == sorted(set(instants)), "times are not strictly increasing"
    before = 0
    for version, (instant, total) in enumerate(steps, start=2):
        now, just_before = (balance_at(client, wallet, instant - ago).json for ago in (0, 1))
        assert (now["total"], now["available"], now["version"]) == (total, total, version)
        assert now["final"] is True and microseconds(now["at"]) == instant
        assert (just_before["total"], just_before["version"]) == (before, version - 1)
        before = total
    for _ in range(100):
        instant = rng.randint(instants[0], instants[-1])
        step = bisect.bisect_right(instants, instant) - 1
        assert balance_at(client, wallet, instant).json["total"] == steps[step][1]


def test_before_it_was_opened_a_wallet_is_empty(client, wallet):
    opened = microseconds(client.get(f"/v1/wallets/{wallet}").json["createdAt"])
    for instant in (opened - 1, opened - 86_400_000_000, "1970-01-01T00:00:00Z"):
        answer = balance_at(client, wallet, instant)
        assert answer.status == 200 and answer.json["existed"] is False
        assert [answer.json[n] for n in ("total", "held", "available", "version")] == [0] * 4
        assert answer.json["walletId"] == wallet and answer.json["final"] is True
    assert balance_at(client, wallet, opened).json.get("existed", True) is True
    assert balance_at(client, wallet, opened).json["version"] == 1


def test_a_final_balance_is_never_contradicted(server, client, rng):
    wallet = client.wallet(1_000)
    stop, finals = threading.Event(), []

    def write():
        own = server.client()
        while not stop.is_set():
            soon = rfc3339(int(time.time() * 1e6) + rng.randint(2_000, 30_000))
            assert own.hold(wallet, 1, expiresAt=soon).status in (201, 422)
            assert own.deposit(wallet, 1).status == 201

    def read(finals):
        own = server.client()
        while not stop.is_set():
            finals.append(own.get(f"/v1/wallets/{wallet}/balance").json)

    lists = [[] for _ in range(3)]
    threads = [threading.Thread(target=write) for _ in range(4)]
    threads += [threading.Thread(target=read, args=(found,)) for found in lists]
    for thread in threads:
        thread.start()
    time.sleep(3)
    stop.set()
    for thread in threads:
        thread.join()
    finals = [found for found in sum(lists, []) if found["final"]]
    assert len(finals) > 50, "hardly any answer was final"
    names = ("total", "held", "available", "version", "final")
    for found in finals:
        then = balance_at(client, wallet, found["at"]).json
        assert [then[n] for n in names] == [found[n] for n in names], (found, then)


def test_the_future_is_not_known(client, wallet):
    answer = balance_at(client, wallet, int(time.time() * 1e6) + 3_600_000_000)
    check_problem(answer, 422, "FUTURE_TIMESTAMP")
    assert answer.headers["Consistency-Token"]
    check_problem(balance_at(client, wallet, "9999-12-31T23:59:59Z"), 422, "FUTURE_TIMESTAMP")


@pytest.mark.parametrize("at", [
    "yesterday", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "1767225600",
    "2026-02-30T00:00:00Z", "2026-01-01T25:00:00Z", "2026-01-01T00:00:00+0200", "T", " ",
    "2026-01-01T00:00:00Zx", "2026-01-01 00:00:00", "-2026-01-01T00:00:00Z"])
def test_a_malformed_time_is_a_malformed_request(client, wallet, at):
    check_problem(balance_at(client, wallet, at), 400, "MALFORMED_REQUEST")
    answer = client.get(f"/v1/wallets/{wallet}/transactions?from={quoted(at)}")
    check_problem(answer, 400, "MALFORMED_REQUEST")


@pytest.mark.parametrize("hours", [2, -3.5, 14])
def test_an_offset_names_the_same_instant(client, wallet, hours):
    instant = microseconds(client.deposit(wallet, 1).json["createdAt"])
    offset = timezone(timedelta(hours=hours))
    for ago, total in ((0, 1001), (1, 1000)):
        assert balance_at(client, wallet, instant - ago, offset=offset).json["total"] == total


# --- Pages ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def history(server):
    """A wallet with 43 transactions of three types, and its entries, oldest first."""
    client = server.client()
    wallet, other = client.wallet(), client.wallet(1000)
    kinds = [lambda: client.deposit(wallet, 50, reference=fresh("r")),
             lambda: client.withdraw(wallet, 7), lambda: client.transfer(other, wallet, 3)]
    for number in range(43):
        assert kinds[number % 3]().status == 201
    entries = client.history(wallet)
    assert len(entries) == 43
    client.close()
    return wallet, entries


def test_pages_of_any_size_hold_every_entry_once_in_either_order(client, history):
    wallet, entries = history
    path = f"/v1/wallets/{wallet}/transactions"
    versions = [entry["version"] for entry in entries]
    assert versions == list(range(2, 45))
    for limit in (1, 7, 42, 43, 44, 200):
        assert list(client.pages(path, limit=limit, order="asc")) == entries
        assert list(client.pages(path, limit=limit, order="desc")) == entries[::-1]
    assert list(client.pages(path)) == entries[::-1], "newest first by default"
    items, following = client.page(path, limit=7)
    assert len(items) == 7 and following


def test_a_page_holds_50_unless_told_otherwise(client):
    wallet = client.wallet(1)
    for _ in range(50):
        assert client.deposit(wallet, 1).status == 201
    items, following = client.page(f"/v1/wallets/{wallet}/transactions")
    assert len(items) == 50 and following is not None


def test_entries_are_filtered_by_type_reference_and_period(client, history):
    wallet, entries = history
    for type in ("deposit", "withdrawal", "transfer"):
        expected = [e for e in entries if transaction_of(e)["type"] == type]
        assert len(expected) >= 14 and client.history(wallet, type=type, limit=5) == expected
    assert client.history(wallet, type="reversal") == []
    reference = transaction_of(entries[9])["reference"]
    assert client.history(wallet, reference=reference) == [entries[9]]
    assert client.history(wallet, reference="none") == []
    start, end = (transaction_of(entries[i])["createdAt"] for i in (10, 20))
    period = {"from": start, "to": end}
    assert client.history(wallet, **period) == entries[10:20], "[from, to)"
    assert client.history(wallet, **period, limit=3, order="desc") == entries[10:20][::-1]
    assert client.history(wallet, **{"from": end}) == entries[20:]
    assert client.history(wallet, to=start) == entries[:10]
    assert client.history(wallet, **{"from": end, "to": end}) == []
    assert client.history(wallet, **period, type="deposit") == [
        e for e in entries[10:20] if transaction_of(e)["type"] == "deposit"]


def test_pages_stay_in_place_while_new_entries_arrive(client):
    wallet = client.wallet()
    for _ in range(25):
        assert client.deposit(wallet, 1).status == 201
    path, seen, cursor = f"/v1/wallets/{wallet}/transactions", [], None
    while True:
        items, cursor = client.page(path, cursor, limit=4)
        seen += [entry["version"] for entry in items]
        if cursor is None:
            break
        assert client.deposit(wallet, 1).status == 201
    assert seen == list(range(26, 1, -1))


def test_a_cursor_fits_only_the_list_that_it_came_from(client, history):
    wallet, _ = history
    path = f"/v1/wallets/{wallet}/transactions"
    _, cursor = client.page(path, limit=5)
    other = client.wallet(5)
    for bad in (
            f"{path}?limit=5&cursor={quoted(altered(cursor))}",
            f"{path}?limit=5&cursor={quoted(cursor + 'x')}", f"{path}?limit=5&cursor=gibberish",
            f"{path}?limit=5&cursor={quoted(cursor)}&type=deposit",
            f"{path}?limit=5&cursor={quoted(cursor)}&order=asc",
            f"{path}?limit=5&cursor={quoted(cursor)}&from=2026-01-01T00:00:00Z",
            f"/v1/wallets/{other}/transactions?cursor={quoted(cursor)}",
            f"/v1/users/u/wallets?cursor={quoted(cursor)}"):
        check_problem(client.get(bad), 400, "MALFORMED_REQUEST")


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=abc", "limit=-1", "limit=1.5",
                                   "limit=99999999999999999999", "limit=", "order=up", "type=gift"])
def test_a_malformed_query_is_a_malformed_request(client, history, query):
    answer = client.get(f"/v1/wallets/{history[0]}/transactions?{query}")
    check_problem(answer, 400, "MALFORMED_REQUEST")


def test_the_wallets_of_a_user_are_listed_in_order_of_creation(client):
    user = fresh("collector")
    wallets = [client.wallet(user=user, currency=c) for c in ("USD", "EUR", "JPY") * 4]
    assert client.deposit(wallets[5], 5).status == 201
    path = f"/v1/users/{user}/wallets"
    for limit in (1, 5, 12, 13):
        assert [w["id"] for w in client.pages(path, limit=limit)] == wallets
    assert list(client.pages(path))[5] == client.get(f"/v1/wallets/{wallets[5]}").json
    assert client.page(f"/v1/users/{fresh()}/wallets") == ([], None)
    for limit in ("0", "201", "abc"):
        check_problem(client.get(f"{path}?limit={limit}"), 400, "MALFORMED_REQUEST")


# --- The log -------------------------------------------------------------------------------------


def test_the_log_is_read_in_order_and_without_a_gap(client, wallet):
    moved = [client.deposit(wallet, amount).json for amount in range(1, 13)]
    start = after = moved[0]["position"] - 1
    events = []
    while items := client.page("/v1/events", after=after, limit=5)[0]:
        assert len(items) <= 5
        events += items
        after = items[-1]["position"]
    assert [event["position"] for event in events] == list(range(start + 1, start + 13))
    for event, transaction in zip(events, moved):
        assert event["position"] == transaction["position"]
        assert transaction["id"] in json.dumps(event) and wallet in json.dumps(event)


def test_the_log_begins_at_position_1(client, wallet):
    items = client.page("/v1/events", after=0, limit=200)[0]
    assert [event["position"] for event in items[:2]] == [1, 2]


@pytest.mark.parametrize("after", ["-1", "abc", "1.5", "99999999999999999999"])
def test_a_malformed_position_is_a_malformed_request(client, after):
    check_problem(client.get(f"/v1/events?after={after}"), 400, "MALFORMED_REQUEST")


# --- Times ---------------------------------------------------------------------------------------


def test_times_increase_strictly_along_the_log_even_under_load(server, client):
    wallets = [client.wallet() for _ in range(8)]

    def deposit(index):
        own = server.client()
        return [own.deposit(wallets[index], 1).json for _ in range(25)]

    moved = sorted(sum(parallel(8, deposit), []), key=lambda t: t["position"])
    times = [microseconds(transaction["createdAt"]) for transaction in moved]
    assert len(moved) == 200 and times == sorted(set(times))
    assert len({t["position"] for t in moved}) == len({t["id"] for t in moved}) == 200
