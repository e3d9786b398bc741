"""Reversals, frozen and closed wallets, and what became of a key, as a client sees them."""

from collections import Counter

import pytest
from test_contract import (
    AMOUNTS_OUT_OF_RANGE,
    MALFORMED_AMOUNTS,
    NOBODY,
    TRANSACTION_MEMBERS,
    movement,
)
from wallet_client import (
    LARGEST,
    check_problem,
    essence,
    fresh,
    is_replay,
    microseconds,
    parallel,
    quoted,
)


@pytest.fixture
def wallet(client):
    """A wallet that holds 1000."""
    return client.wallet(1000)


@pytest.fixture
def other(client):
    """A wallet that holds 500."""
    return client.wallet(500)


@pytest.fixture
def spender(server):
    """A client that may write, and not read."""
    return server.client(server.new_key(fresh("writer"), "write"))


def reversed_amount(client, transaction):
    return client.get(f"/v1/transactions/{transaction}").json["reversedAmount"]


# --- Reversals -----------------------------------------------------------------------------------

KINDS = ["deposit", "withdrawal", "transfer", "capture", "capture to a wallet"]


def moved(client, kind, wallet, other, amount):
    """Moves an amount: into, out of, or from the wallet."""
    if kind == "deposit":
        return client.deposit(wallet, amount).json
    if kind == "withdrawal":
        return client.withdraw(wallet, amount).json
    if kind == "transfer":
        return client.transfer(wallet, other, amount).json
    hold = client.hold(wallet, amount + 50).json["id"]
    to = {"to": other} if kind == "capture to a wallet" else {}
    return client.capture(hold, amount=amount, **to).json


@pytest.mark.parametrize("kind", KINDS)
def test_a_reversal_moves_all_of_a_transaction_back(client, wallet, other, kind):
    first = moved(client, kind, wallet, other, 300)
    assert first["amount"] == 300
    version = client.get(f"/v1/wallets/{wallet}").json["version"]
    answer = client.reverse(first["id"], description="sent back & \"late\"")
    back = answer.json
    assert answer.status == 201 and set(back) == TRANSACTION_MEMBERS
    assert (back["type"], back["amount"], back["currency"]) == ("reversal", 300, "USD")
    assert (back["from"], back["to"]) == (first["to"], first["from"])
    assert (back["reverses"], back["holdId"], back["reference"]) == (first["id"], None, None)
    assert (back["description"], back["metadata"]) == ("sent back & \"late\"", {})
    assert answer.headers["Location"] == f"/v1/transactions/{back['id']}"
    assert answer.headers["Consistency-Token"]
    debited = back["from"] or back["to"]
    balances = {b["walletId"]: b for b in back["balances"]}
    assert set(balances) == {back["from"], back["to"]} - {None}
    assert answer.headers["ETag"] == f'"v{balances[debited]["version"]}"'
    assert client.numbers(wallet) == (1000, 0, version + 1)
    assert client.numbers(other)[:2] == (500, 0)
    assert client.get(f"/v1/transactions/{back['id']}").json == back
    assert client.get(f"/v1/transactions/{first['id']}").json == first | {"reversedAmount": 300}
    assert client.history(wallet, type="reversal")[0]["transaction"] == back
    if first["holdId"]:
        hold = client.get(f"/v1/holds/{first['holdId']}").json
        assert (hold["status"], hold["capturedAmount"]) == ("captured", 300)
    before = client.numbers(wallet), client.numbers(other)
    for more in ({}, {"amount": 1}, {"amount": 300}):
        problem = check_problem(client.reverse(first["id"], **more), 422, "ALREADY_REVERSED")
        assert problem["reversedAmount"] == 300
    assert (client.numbers(wallet), client.numbers(other)) == before


@pytest.mark.parametrize("kind", KINDS)
def test_parts_are_reversed_to_the_last_unit_and_not_beyond(client, wallet, other, kind):
    first, back = moved(client, kind, wallet, other, 10)["id"], 0
    for part in (3, 6):
        answer = client.reverse(first, amount=part)
        assert answer.status == 201 and answer.json["amount"] == part
        back += part
        assert reversed_amount(client, first) == back
    before = client.numbers(wallet), client.numbers(other)
    problem = check_problem(client.reverse(first, amount=2), 422, "REVERSAL_EXCEEDED")
    assert (problem["allowed"], problem["requested"]) == (1, 2)
    check_problem(client.reverse(first, amount=LARGEST), 422, "REVERSAL_EXCEEDED")
    assert (client.numbers(wallet), client.numbers(other)) == before
    assert client.reverse(first).json["amount"] == 1, "all that is left of it"
    check_problem(client.reverse(first, amount=1), 422, "ALREADY_REVERSED")
    assert client.numbers(wallet)[:2] == (1000, 0) and client.numbers(other)[:2] == (500, 0)
    assert reversed_amount(client, first) == 10


def test_a_reversal_replays_under_its_key_and_under_another_moves_nothing(client, wallet):
    first, key = client.withdraw(wallet, 300).json["id"], fresh()
    answer = client.reverse(first, key)
    before = client.numbers(wallet)
    assert before == (1000, 0, 4)
    again = client.reverse(first, key)
    assert essence(again) == essence(answer) and is_replay(again) and not is_replay(answer)
    assert again.headers["Location"] == answer.headers["Location"]
    assert again.headers["ETag"] == answer.headers["ETag"]
    for reused in (client.reverse(first, key, amount=300), client.deposit(wallet, 300, key),
                   client.reverse(first, key, description="x"), client.reverse(NOBODY, key)):
        check_problem(reused, 422, "IDEMPOTENCY_KEY_REUSED")
    check_problem(client.reverse(first), 422, "ALREADY_REVERSED")
    assert client.numbers(wallet) == before and reversed_amount(client, first) == 300


def test_of_20_parallel_reversals_one_moves_money(server, client, wallet, other):
    first = client.transfer(wallet, other, 300).json["id"]
    answers = parallel(20, lambda _: server.client().reverse(first))
    assert Counter(answer.status for answer in answers) == {201: 1, 422: 19}
    for answer in answers:
        if answer.status == 422:
            check_problem(answer, 422, "ALREADY_REVERSED")
    assert client.numbers(wallet) == (1000, 0, 4) and client.numbers(other) == (500, 0, 4)


def test_parallel_reversals_of_parts_never_exceed_the_whole(server, client, wallet, other):
    first = client.transfer(wallet, other, 100).json["id"]
    answers = parallel(20, lambda _: server.client().reverse(first, amount=30))
    assert Counter(answer.status for answer in answers) == {201: 3, 422: 17}
    for answer in answers:
        if answer.status == 422:
            assert check_problem(answer, 422, "REVERSAL_EXCEEDED")["allowed"] == 10
    assert client.numbers(wallet) == (990, 0, 6) and reversed_amount(client, first) == 90


def test_a_reversal_waits_until_the_money_is_there_again(client, wallet, other):
    first, key = client.transfer(wallet, other, 300).json["id"], fresh()
    assert client.withdraw(other, 600).status == 201
    refused = client.reverse(first, key)
    problem = check_problem(refused, 422, "INSUFFICIENT_FUNDS")
    assert (problem["walletId"], problem["available"], problem["requested"]) == (other, 200, 300)
    assert client.numbers(wallet) == (700, 0, 3) and reversed_amount(client, first) == 0
    assert client.reverse(first, amount=200).status == 201
    assert client.deposit(other, 100).status == 201
    again = client.reverse(first, key)
    assert essence(again) == essence(refused) and is_replay(again), "the key remembers"
    assert client.reverse(first).json["amount"] == 100
    assert client.numbers(wallet)[:2] == (1000, 0) and client.numbers(other)[:2] == (0, 0)


def test_a_reversal_takes_nothing_that_is_held(client):
    wallet = client.wallet()
    first = client.deposit(wallet, 100).json["id"]
    hold = client.hold(wallet, 1).json["id"]
    problem = check_problem(client.reverse(first), 422, "INSUFFICIENT_FUNDS")
    assert problem["available"] == 99
    assert client.release(hold).status == 200 and client.reverse(first).status == 201
    assert client.numbers(wallet)[:2] == (0, 0)


def test_a_reversal_does_not_overflow_a_wallet(client, wallet):
    first = client.withdraw(wallet, 300).json["id"]
    assert client.deposit(wallet, LARGEST - 800).status == 201
    problem = check_problem(client.reverse(first), 422, "BALANCE_OVERFLOW")
    assert (problem["allowed"], problem["requested"]) == (100, 300)
    assert client.reverse(first, amount=100).status == 201
    assert client.numbers(wallet)[:2] == (LARGEST, 0)


def test_a_reversal_is_not_reversed(client, wallet):
    back = client.reverse(client.deposit(wallet, 5).json["id"]).json["id"]
    for more in ({}, {"amount": 1}, {"amount": 6}):
        check_problem(client.reverse(back, **more), 422, "NOT_REVERSIBLE")
    assert client.numbers(wallet) == (1000, 0, 4)


def test_only_transactions_are_reversed(client, wallet):
    hold = client.hold(wallet, 5).json["id"]
    for id in (NOBODY, wallet, hold):
        check_problem(client.reverse(id), 404, "TRANSACTION_NOT_FOUND")
    for id in ("abc", NOBODY.upper(), NOBODY + "0"):
        check_problem(client.reverse(id), 400, "MALFORMED_REQUEST")


def test_amounts_of_reversals_are_whole_numbers_in_range(client, wallet):
    path = f"/v1/transactions/{client.deposit(wallet, 5).json['id']}/reversals"
    cases = [(a, 400, "MALFORMED_REQUEST") for a in MALFORMED_AMOUNTS]
    cases += [(a, 422, "AMOUNT_OUT_OF_RANGE") for a in AMOUNTS_OUT_OF_RANGE]
    for amount, status, code in cases:
        key = fresh()
        check_problem(client.post(path, f'{{"amount":{amount}}}'.encode(), key), status, code)
        assert client.numbers(wallet) == (1005, 0, 3), amount[:40]
    assert client.post(path, {"amount": 1}, key).status == 201, "the key is free"


@pytest.mark.parametrize("body", [
    None, b"", b"[]", b"null", {"amuont": 1}, {"metadata": {}}, {"reference": "r"},
    {"description": 5}, {"description": None}, b'{"amount":1,"amount":1}'])
def test_a_reversal_with_another_body_is_malformed(client, wallet, body):
    id = client.deposit(wallet, 5).json["id"]
    answer = client.post(f"/v1/transactions/{id}/reversals", body)
    check_problem(answer, 400, "MALFORMED_REQUEST")
    assert client.numbers(wallet) == (1005, 0, 3)


def test_a_reversal_is_bound_to_the_version_of_the_debited_wallet(client, wallet, other):
    for first, debited, version in (
            (client.transfer(wallet, other, 5).json, other, 3),
            (client.withdraw(wallet, 5).json, wallet, 5)):
        path, key = f"/v1/transactions/{first['id']}/reversals", fresh()
        problem = check_problem(
            client.post(path, {}, key, If_Match=f'"v{version - 1}"'), 412, "VERSION_MISMATCH")
        assert (problem["walletId"], problem["version"]) == (debited, version)
        answer = client.post(path, {}, key, If_Match=f'"v{version}"')
        assert answer.status == 201 and answer.headers["ETag"] == f'"v{version + 1}"'


# --- Frozen and closed ---------------------------------------------------------------------------


def test_a_change_of_status_answers_with_the_wallet(client):
    opened = client.post("/v1/wallets", {"userId": "u", "currency": "JPY",
                                         "metadata": {"plan": "gold"}}).json
    wallet = opened["id"]
    assert client.deposit(wallet, 70).status == 201
    assert client.hold(wallet, 20).status == 201
    first, key = None, fresh()
    for what, status, version in (("freeze", "frozen", 4), ("freeze", "frozen", 5),
                                  ("unfreeze", "active", 6)):
        answer = client.change(wallet, what, key if first is None else None, reason="a, \"b\"")
        found = client.get(f"/v1/wallets/{wallet}").json
        assert answer.status == 200 and answer.json == found
        assert found | {"status": status, "version": version, "balance": {
            "total": 70, "held": 20, "available": 50}} == found
        assert [found[n] for n in ("userId", "currency", "createdAt", "metadata")] == [
            opened[n] for n in ("userId", "currency", "createdAt", "metadata")]
        assert microseconds(found["updatedAt"]) > microseconds(opened["updatedAt"])
        assert answer.headers["ETag"] == f'"v{version}"' and answer.headers["Consistency-Token"]
        assert answer.headers["Location"] is None
        first = first or answer
    again = client.change(wallet, "freeze", key, reason="a, \"b\"")
    assert essence(again) == essence(first) and is_replay(again), "as it was then"
    assert client.get(f"/v1/wallets/{wallet}").json["status"] == "active"
    check_problem(client.change(wallet, "freeze", key), 422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize("what", ["freeze", "unfreeze", "close"])
def test_a_status_is_changed_without_a_body_or_with_a_reason_and_nothing_else(client, what):
    wallet = client.wallet()
    path = f"/v1/wallets/{wallet}/{what}"
    for body in ({"why": "x"}, {"reason": 5}, {"reason": None}, [], b"{", b"x"):
        check_problem(client.post(path, body), 400, "MALFORMED_REQUEST")
    check_problem(client.post(path, {"reason": "x" * 1001}), 422, "VALIDATION_FAILED")
    check_problem(client.post(path, {}, If_Match='"v2"'), 412, "VERSION_MISMATCH")
    check_problem(client.post(f"/v1/wallets/{NOBODY}/{what}", {}), 404, "WALLET_NOT_FOUND")
    check_problem(client.post(f"/v1/wallets/x/{what}", {}), 400, "MALFORMED_REQUEST")
    check_problem(client.post(path, b"x", Content_Type="text/plain"), 415)
    assert client.numbers(wallet) == (0, 0, 1)
    answer = client.post(path, None, If_Match='"v1"')
    assert answer.status == 200 and answer.headers["ETag"] == '"v2"'


def test_a_frozen_wallet_takes_money_in_and_lets_none_out(client, wallet, other):
    paid, spent = client.deposit(wallet, 50).json["id"], client.withdraw(wallet, 50).json["id"]
    held, dropped = (client.hold(wallet, 100).json["id"] for _ in range(2))
    theirs = client.hold(other, 40).json["id"]
    assert client.change(wallet, "freeze").status == 200
    before = client.numbers(wallet)
    for refused in (client.withdraw(wallet, 1), client.transfer(wallet, other, 1),
                    client.hold(wallet, 1), client.hold(wallet, 5000)):
        assert check_problem(refused, 422, "WALLET_FROZEN")["walletId"] == wallet
    assert client.numbers(wallet) == before == (1000, 200, 7)
    for allowed, total, held_now in (
            (lambda: client.deposit(wallet, 10), 1010, 200),
            (lambda: client.transfer(other, wallet, 10), 1020, 200),
            (lambda: client.capture(theirs, to=wallet), 1060, 200),
            (lambda: client.reverse(paid), 1010, 200), (lambda: client.reverse(spent), 1060, 200),
            (lambda: client.capture(held, amount=60), 1000, 100),
            (lambda: client.release(dropped), 1000, 0)):
        assert allowed().status in (200, 201)
        assert client.numbers(wallet)[:2] == (total, held_now)
    assert client.change(wallet, "unfreeze").json["status"] == "active"
    assert client.withdraw(wallet, 1000).status == 201
    assert client.change(wallet, "freeze").status == 200
    assert client.change(wallet, "close").json["status"] == "closed"


def test_a_wallet_that_is_not_empty_does_not_close(client, wallet):
    hold = client.hold(wallet, 300).json["id"]
    problem = check_problem(client.change(wallet, "close"), 422, "WALLET_NOT_EMPTY")
    assert (problem["total"], problem["held"]) == (1000, 300)
    assert client.capture(hold).status == 201
    key = fresh()
    refused = client.change(wallet, "close", key)
    check_problem(refused, 422, "WALLET_NOT_EMPTY")
    assert client.withdraw(wallet, 700).status == 201
    again = client.change(wallet, "close", key)
    assert essence(again) == essence(refused) and is_replay(again)
    assert client.change(wallet, "close").json["status"] == "closed"


def test_a_closed_wallet_does_nothing_any_more(client, wallet, other):
    transfer = client.transfer(wallet, other, 900).json["id"]
    spent = client.withdraw(wallet, 100).json["id"]
    theirs = client.hold(other, 40).json["id"]
    closed, key = client.wallet(), fresh()
    assert client.change(closed, "close", key).status == 200
    assert client.change(wallet, "close").json["status"] == "closed"
    for refused in (
            client.deposit(wallet, 1), client.withdraw(wallet, 1), client.hold(wallet, 1),
            client.transfer(wallet, other, 1), client.transfer(other, wallet, 1),
            client.capture(theirs, to=wallet), client.reverse(transfer), client.reverse(spent),
            client.change(wallet, "freeze"), client.change(wallet, "unfreeze"),
            client.change(wallet, "close")):
        assert check_problem(refused, 422, "WALLET_CLOSED")["walletId"] == wallet
    assert client.numbers(wallet) == (0, 0, 5) and client.numbers(other)[:2] == (1400, 40)
    again = client.change(closed, "close", key)
    assert again.status == 200 and is_replay(again) and again.json["status"] == "closed"


# --- What became of a key ------------------------------------------------------------------------


def test_a_key_leads_to_its_first_answer_whatever_it_was_for(client, wallet, other):
    keys = [fresh("key") for _ in range(13)]
    hold = client.hold(wallet, 10, keys[0], metadata={"a": "b"}, description="d")
    dropped = client.hold(wallet, 10, keys[1], reference=fresh("order"))
    deposit = client.deposit(wallet, 10, keys[2], metadata={"a": "b"})
    first = [
        hold, dropped, deposit,
        client.capture(hold.json["id"], keys[3], amount=4), client.reverse(
            deposit.json["id"], keys[4], amount=3, description="x"),
        client.release(dropped.json["id"], keys[5]), client.withdraw(wallet, 1, keys[6]),
        client.transfer(wallet, other, 1, keys[7]), client.change(wallet, "freeze", keys[8]),
        client.change(wallet, "unfreeze", keys[9], reason="y"),
        client.withdraw(wallet, 5000, keys[10]), client.change(wallet, "close", keys[11]),
        client.post("/v1/wallets", {"userId": "u", "currency": "EUR", "metadata": {"k": "v"}},
                    keys[12])]
    assert [answer.status for answer in first] == [
        201, 201, 201, 201, 201, 200, 201, 201, 200, 200, 422, 422, 201]
    before = client.numbers(wallet)
    for key, answer in zip(keys, first):
        found = client.get(f"/v1/idempotency-keys/{key}")
        assert essence(found) == essence(answer) and is_replay(found), key
        if answer.status == 422:
            assert found.json["requestId"] == answer.json["requestId"]
        for name in ("ETag", "Location", "Content-Type"):
            assert found.headers[name] == answer.headers[name]
        assert found.headers["Consistency-Token"]
    assert client.numbers(wallet) == before


def test_nothing_is_known_of_keys_that_led_to_nothing(server, client, wallet):
    unused, missing, invalid, malformed = (fresh("key") for _ in range(4))
    check_problem(client.deposit(NOBODY, 1, missing), 404)
    check_problem(client.deposit(wallet, 0, invalid), 422, "AMOUNT_OUT_OF_RANGE")
    check_problem(client.post(*movement("deposits", wallet, "", ',"amount":1.0'), malformed), 400)
    for key in (unused, missing, invalid, malformed):
        answer = client.get(f"/v1/idempotency-keys/{key}")
        check_problem(answer, 404, "NOT_FOUND")
        assert not is_replay(answer) and answer.headers["Consistency-Token"]


def test_a_key_tells_only_its_own_principal_what_became_of_it(server, client, wallet, spender):
    principal, key = fresh("shop"), fresh("key")
    old, new = (server.client(server.new_key(principal, "read,write")) for _ in range(2))
    first = old.deposit(wallet, 10, key)
    assert essence(new.get(f"/v1/idempotency-keys/{key}")) == essence(first)
    check_problem(client.get(f"/v1/idempotency-keys/{key}"), 404, "NOT_FOUND")
    assert spender.deposit(wallet, 1, key).status == 201
    check_problem(spender.get(f"/v1/idempotency-keys/{key}"), 403, "FORBIDDEN")


def test_a_key_may_have_any_visible_characters_in_a_path(client, wallet):
    every = fresh() + "".join(map(chr, range(0x21, 0x7f)))
    for key in (every, every[:255].ljust(255, "~"), fresh() + "/../a%2Fb?c#d", fresh() + "%"):
        first = client.deposit(wallet, 1, key)
        assert first.status == 201
        assert essence(client.get(f"/v1/idempotency-keys/{quoted(key)}")) == essence(first), key
    for bad in ("a%20b", "caf%C3%A9", "a%00", "k" * 256, "%FF", "%zz"):
        check_problem(client.get(f"/v1/idempotency-keys/{bad}"), 400, "MALFORMED_REQUEST")
    for nothing in ("", "/", "/a/b"):
        check_problem(client.get(f"/v1/idempotency-keys{nothing}"), 404, "NOT_FOUND")


# --- Who may -------------------------------------------------------------------------------------


def test_movements_need_the_scope_to_write(server, client, wallet, spender):
    reader = server.client(server.new_key(fresh("reader"), "read"))
    hold, first = client.hold(wallet, 10).json["id"], client.deposit(wallet, 5).json["id"]
    before = client.numbers(wallet)
    for refused in (
            reader.hold(wallet, 1), reader.capture(hold), reader.release(hold),
            reader.reverse(first), reader.change(wallet, "freeze"),
            reader.change(wallet, "unfreeze"), reader.change(wallet, "close"),
            spender.get(f"/v1/holds/{hold}"), spender.get(f"/v1/wallets/{wallet}/holds")):
        check_problem(refused, 403, "FORBIDDEN")
    assert client.numbers(wallet) == before
    assert reader.get(f"/v1/holds/{hold}").status == 200
    assert spender.capture(hold).status == 201


@pytest.mark.parametrize("method, path, allowed", [
    ("GET", "/v1/holds/{}/capture", {"POST"}), ("GET", "/v1/holds/{}/release", {"POST"}),
    ("POST", "/v1/holds/{}", {"GET", "HEAD"}), ("GET", "/v1/transactions/{}/reversals", {"POST"}),
    ("DELETE", "/v1/wallets/{}/holds", {"GET", "HEAD", "POST"}),
    ("GET", "/v1/wallets/{}/close", {"POST"}),
    ("POST", "/v1/idempotency-keys/k", {"GET", "HEAD"})])
def test_a_wrong_method_is_told_the_right_ones(client, method, path, allowed):
    answer = client.request(method, path.format(NOBODY), {} if method == "POST" else None)
    check_problem(answer, 405, "METHOD_NOT_ALLOWED")
    assert {name.strip() for name in answer.headers["Allow"].split(",")} == allowed


@pytest.mark.parametrize("path", [
    "/v1/wallets/{}/holds", "/v1/holds/{}/capture", "/v1/holds/{}/release",
    "/v1/transactions/{}/reversals", "/v1/wallets/{}/freeze", "/v1/wallets/{}/unfreeze",
    "/v1/wallets/{}/close"])
def test_every_movement_needs_a_key_and_takes_no_query(client, path):
    path, body = path.format(NOBODY), {"amount": 1} if path.endswith("/holds") else {}
    answer = client.request("POST", path, body, headers={"Idempotency-Key": None})
    check_problem(answer, 400, "IDEMPOTENCY_KEY_REQUIRED")
    check_problem(client.post(path + "?force=true", body), 400, "MALFORMED_REQUEST")
    check_problem(client.post(path, body), 404)
