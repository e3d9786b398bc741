"""Holds, as a client sees them: placing, capturing, releasing, and the time that ends them."""

import time

import pytest
from test_contract import (
    AMOUNTS_OUT_OF_RANGE,
    MALFORMED_AMOUNTS,
    NOBODY,
    TIME,
    TRANSACTION_MEMBERS,
    UUID7,
    altered,
    balance_at,
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
    rfc3339,
)

HOLD_MEMBERS = {"id", "walletId", "amount", "currency", "status", "capturedAmount", "reference",
                "description", "expiresAt", "createdAt", "metadata"}


def soon(milliseconds=400):
    """An instant in a moment, in microseconds."""
    return int(time.time() * 1e6) + milliseconds * 1000


def wait_until(instant):
    """Waits until 1 ms after an instant."""
    while (left := (instant - time.time() * 1e6) / 1e6 + 0.001) > 0:
        time.sleep(left)


def got(client, hold):
    answer = client.get(f"/v1/holds/{hold}")
    assert answer.status == 200, answer
    return answer.json


@pytest.fixture
def wallet(client):
    """A wallet that holds 1000."""
    return client.wallet(1000)


@pytest.fixture
def hold(client, wallet):
    """A hold of 300 on it."""
    return client.hold(wallet, 300).json["id"]


@pytest.fixture
def alone(new_server):
    """A client of a server that records no expiry by itself."""
    client = new_server(WALLET_SWEEP_INTERVAL_SECONDS=0).client()
    yield client
    client.close()


# --- Placing -------------------------------------------------------------------------------------


def test_placing_a_hold_answers_with_the_hold_member_by_member(client, wallet):
    more = {"reference": fresh("order"), "description": "room 12 & \"breakfast\"",
            "metadata": {"naïve": "\U0001f600"}}
    answer = client.hold(
        wallet, 300, currency="USD", expiresAt="2999-01-01T02:00:00.5+02:00", **more)
    placed = answer.json
    assert answer.status == 201 and set(placed) == HOLD_MEMBERS
    assert UUID7.fullmatch(placed["id"]) and TIME.fullmatch(placed["createdAt"])
    assert placed | more == placed
    assert (placed["walletId"], placed["amount"], placed["currency"]) == (wallet, 300, "USD")
    assert (placed["status"], placed["capturedAmount"]) == ("open", 0)
    assert placed["expiresAt"] == "2999-01-01T00:00:00.500000Z"
    assert answer.headers["Location"] == f"/v1/holds/{placed['id']}"
    assert answer.headers["ETag"] == '"v3"' and answer.headers["Consistency-Token"]
    assert got(client, placed["id"]) == placed
    assert list(client.pages(f"/v1/wallets/{wallet}/holds")) == [placed]


def test_members_of_a_hold_that_were_not_given_are_null(client, hold):
    found = got(client, hold)
    assert [found[n] for n in ("reference", "description", "expiresAt")] == [None] * 3
    assert found["metadata"] == {}


def test_a_hold_reserves_money_and_moves_none(client, wallet, hold):
    found = client.get(f"/v1/wallets/{wallet}").json
    assert found["balance"] == {"total": 1000, "held": 300, "available": 700}
    assert found["version"] == 3 and len(client.history(wallet)) == 1
    other = client.wallet()
    for refused in (client.withdraw(wallet, 701), client.transfer(wallet, other, 701),
                    client.hold(wallet, 701)):
        problem = check_problem(refused, 422, "INSUFFICIENT_FUNDS")
        assert (problem["available"], problem["requested"]) == (700, 701)
    assert client.numbers(wallet) == (1000, 300, 3)
    assert client.hold(wallet, 700).status == 201
    check_problem(client.withdraw(wallet, 1), 422, "INSUFFICIENT_FUNDS")
    assert client.numbers(wallet) == (1000, 1000, 4)


def test_the_largest_amount_can_be_held_and_captured(client):
    full = client.wallet(LARGEST)
    placed = client.hold(full, LARGEST).json
    assert placed["amount"] == LARGEST and client.numbers(full) == (LARGEST, LARGEST, 3)
    assert client.capture(placed["id"]).json["amount"] == LARGEST
    assert client.numbers(full) == (0, 0, 4)


@pytest.mark.parametrize("path", ["/v1/wallets/{wallet}/holds", "/v1/holds/{hold}/capture"])
def test_amounts_that_are_not_whole_numbers_in_range_are_refused(client, wallet, hold, path):
    path = path.format(wallet=wallet, hold=hold)
    cases = [(a, 400, "MALFORMED_REQUEST") for a in MALFORMED_AMOUNTS]
    cases += [(a, 422, "AMOUNT_OUT_OF_RANGE") for a in AMOUNTS_OUT_OF_RANGE]
    for amount, status, code in cases:
        key = fresh()
        check_problem(client.post(path, f'{{"amount":{amount}}}'.encode(), key), status, code)
        assert client.numbers(wallet) == (1000, 300, 3), amount[:40]
    assert client.post(path, {"amount": 1}, key).status == 201, "the key is free"


@pytest.mark.parametrize("what, body", [
    ("holds", {}), ("holds", {"amount": 1, "to": NOBODY}), ("holds", {"amount": 1, "extra": 1}),
    ("holds", {"amount": 1, "expiresAt": None}), ("holds", {"amount": 1, "expiresAt": 5}),
    ("holds", b""), ("capture", b""), ("capture", None), ("capture", {"amuont": 1}),
    ("capture", {"to": None}), ("capture", {"to": "x"}), ("capture", {"reference": "r"}),
    ("capture", b'{"amount":1,"amount":1}'), ("capture", []), ("release", {"amount": 1}),
    ("release", {"reason": "x"}), ("release", []), ("release", b"{"), ("release", b"null")])
def test_a_body_with_other_members_is_malformed(client, wallet, hold, what, body):
    path = f"/v1/wallets/{wallet}/holds" if what == "holds" else f"/v1/holds/{hold}/{what}"
    check_problem(client.post(path, body), 400, "MALFORMED_REQUEST")
    assert client.numbers(wallet) == (1000, 300, 3)


@pytest.mark.parametrize("at", ["tomorrow", "2999-01-01", "2999-01-01T00:00:00", "",
                                "2999-02-30T00:00:00Z", "2999-01-01T00:00:00.1234567Z"])
def test_a_malformed_expiry_is_a_malformed_request(client, wallet, at):
    check_problem(client.hold(wallet, 1, expiresAt=at), 400, "MALFORMED_REQUEST")
    assert client.numbers(wallet) == (1000, 0, 2)


def test_a_hold_does_not_expire_in_the_past(client, wallet):
    key = fresh()
    for ago in (0, 1_000_000, 86_400_000_000):
        past = rfc3339(microseconds(client.get(f"/v1/wallets/{wallet}").json["createdAt"]) - ago)
        problem = check_problem(
            client.hold(wallet, 1, key, expiresAt=past), 422, "VALIDATION_FAILED")
        assert problem["field"] == "expiresAt"
    assert client.numbers(wallet) == (1000, 0, 2)
    assert client.hold(wallet, 1, key).status == 201, "the key is free"


def test_a_hold_is_in_the_currency_of_its_wallet(client, wallet):
    check_problem(client.hold(wallet, 1, currency="EUR"), 422, "CURRENCY_MISMATCH")
    check_problem(client.hold(wallet, 1, currency="usd"), 422, "CURRENCY_UNKNOWN")
    assert client.numbers(wallet) == (1000, 0, 2)


def test_a_reference_is_used_once_whether_for_a_hold_or_a_movement(server, client, wallet):
    reference, key = fresh("order"), fresh()
    first = client.hold(wallet, 10, key, reference=reference)
    for again in (client.hold(wallet, 10, reference=reference),
                  client.withdraw(wallet, 10, reference=reference)):
        problem = check_problem(again, 409, "REFERENCE_ALREADY_USED")
        assert problem["holdId"] == first.json["id"] and "transactionId" not in problem
    assert is_replay(client.hold(wallet, 10, key, reference=reference))
    assert client.numbers(wallet) == (1000, 10, 3)
    another = server.client(server.new_key(fresh("principal"), "read,write"))
    assert another.hold(wallet, 10, reference=reference).status == 201
    assert client.hold(client.wallet(10), 10, reference=reference).status == 201
    taken = fresh("order")
    assert client.withdraw(wallet, 10, reference=taken).status == 201
    check_problem(client.hold(wallet, 1, reference=taken), 409, "REFERENCE_ALREADY_USED")
    check_problem(client.hold(wallet, 1, reference="r" * 129), 422, "VALIDATION_FAILED")


# --- Capturing -----------------------------------------------------------------------------------


def test_a_capture_takes_all_that_is_held_out_of_the_ledger(client, wallet, hold):
    answer = client.capture(hold)
    moved = answer.json
    assert answer.status == 201 and set(moved) == TRANSACTION_MEMBERS
    assert (moved["type"], moved["amount"], moved["currency"]) == ("capture", 300, "USD")
    assert (moved["from"], moved["to"], moved["holdId"]) == (wallet, None, hold)
    assert moved["balances"] == [{
        "walletId": wallet, "total": 700, "held": 0, "available": 700, "version": 4}]
    assert answer.headers["Location"] == f"/v1/transactions/{moved['id']}"
    assert answer.headers["ETag"] == '"v4"' and answer.headers["Consistency-Token"]
    assert client.get(f"/v1/transactions/{moved['id']}").json == moved
    found = got(client, hold)
    assert (found["status"], found["capturedAmount"], found["amount"]) == ("captured", 300, 300)
    assert client.numbers(wallet) == (700, 0, 4)
    entry = client.history(wallet, type="capture")[0]
    assert (entry["transaction"], entry["change"], entry["balanceAfter"]) == (moved, -300, 700)


@pytest.mark.parametrize("amount", [1, 299, 300])
def test_a_capture_of_a_part_releases_the_rest(client, wallet, hold, amount):
    other = client.wallet(5)
    answer = client.capture(hold, amount=amount, to=other)
    assert answer.status == 201 and answer.json["amount"] == amount
    assert (answer.json["from"], answer.json["to"]) == (wallet, other)
    balances = {b["walletId"]: (b["total"], b["held"]) for b in answer.json["balances"]}
    assert balances == {wallet: (1000 - amount, 0), other: (5 + amount, 0)}
    assert client.numbers(wallet) == (1000 - amount, 0, 4)
    assert client.numbers(other) == (5 + amount, 0, 3)
    found = got(client, hold)
    assert (found["status"], found["capturedAmount"]) == ("captured", amount)


def test_a_capture_takes_the_money_of_its_own_hold_only(client):
    wallet = client.wallet(500)
    first, second = (client.hold(wallet, amount).json["id"] for amount in (300, 200))
    assert client.capture(first, amount=100).status == 201
    assert client.numbers(wallet) == (400, 200, 5)
    assert client.capture(second).status == 201
    assert client.numbers(wallet) == (200, 0, 6)


def test_a_capture_that_cannot_be_leaves_the_hold_open(client, wallet, hold):
    euros = client.wallet(0, "EUR")
    full = client.wallet(LARGEST)
    problem = check_problem(client.capture(hold, amount=301), 422, "HOLD_EXCEEDED")
    assert (problem["allowed"], problem["requested"]) == (300, 301)
    check_problem(client.capture(hold, to=wallet), 422, "SAME_WALLET")
    check_problem(client.capture(hold, to=euros), 422, "CURRENCY_MISMATCH")
    check_problem(client.capture(hold, to=NOBODY), 404, "WALLET_NOT_FOUND")
    check_problem(client.capture(hold, to=full), 422, "BALANCE_OVERFLOW")
    assert client.numbers(wallet) == (1000, 300, 3) and client.numbers(euros) == (0, 0, 1)
    assert got(client, hold)["status"] == "open"
    assert client.capture(hold, amount=300).status == 201


# --- Releasing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [None, b"", {}, b" {} "], ids=["none", "empty", "{}", "spaces"])
def test_a_release_gives_the_money_back_and_answers_with_the_hold(client, wallet, body):
    placed = client.hold(wallet, 300, metadata={"a": "b"}, description="d", reference=fresh(),
                         expiresAt="2999-01-01T00:00:00Z")
    answer = client.release(placed.json["id"], body=body)
    assert answer.status == 200 and answer.json == placed.json | {"status": "released"}
    assert answer.headers["ETag"] == '"v4"' and answer.headers["Consistency-Token"]
    assert answer.headers["Location"] is None
    assert got(client, placed.json["id"]) == answer.json
    assert client.numbers(wallet) == (1000, 0, 4)


# --- What is not open ----------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["capture", "release"])
def test_a_closed_hold_replays_under_its_key_and_is_refused_under_another(
        client, wallet, hold, end):
    key = fresh()
    first = client.post(f"/v1/holds/{hold}/{end}", {}, key)
    assert first.status in (200, 201) and not is_replay(first)
    before = client.numbers(wallet)
    for _ in range(2):
        again = client.post(f"/v1/holds/{hold}/{end}", {}, key)
        assert essence(again) == essence(first) and is_replay(again)
        assert again.headers["ETag"] == first.headers["ETag"]
        assert again.headers["Location"] == first.headers["Location"]
    status = {"capture": "captured", "release": "released"}[end]
    for refused in (client.capture(hold), client.capture(hold, amount=1), client.release(hold)):
        problem = check_problem(refused, 422, "HOLD_NOT_OPEN")
        assert (problem["holdId"], problem["holdStatus"]) == (hold, status)
    assert client.numbers(wallet) == before
    refused_key = fresh()
    assert is_replay(client.release(hold, refused_key)) is False
    assert is_replay(client.release(hold, refused_key)) is True, "the refusal is remembered"


def test_a_placement_replays_as_it_was_whatever_became_of_the_hold(client, wallet):
    key = fresh()
    first = client.hold(wallet, 300, key)
    assert client.capture(first.json["id"], amount=10).status == 201
    again = client.hold(wallet, 300, key)
    assert essence(again) == essence(first) and is_replay(again)
    assert again.headers["ETag"] == '"v3"'
    assert client.numbers(wallet) == (990, 0, 4)


def test_a_key_of_a_hold_is_not_used_for_another_request(client, wallet, hold):
    other, key = client.wallet(), fresh()
    assert client.capture(hold, key, amount=10).status == 201
    second = client.hold(wallet, 10).json["id"]
    before = client.numbers(wallet)
    for reused in (
            client.capture(hold, key), client.capture(hold, key, amount=11),
            client.capture(hold, key, amount=10, to=other), client.capture(second, key, amount=10),
            client.release(hold, key), client.release(second, key), client.hold(wallet, 10, key),
            client.post(f"/v1/holds/{hold}/capture", {"amount": 10}, key, If_Match='"v3"')):
        check_problem(reused, 422, "IDEMPOTENCY_KEY_REUSED")
    assert client.numbers(wallet) == before
    assert is_replay(client.capture(hold, key, amount=10))


def test_what_does_not_exist_is_not_found(client, wallet, hold):
    moved = client.deposit(wallet, 1).json["id"]
    for id in (NOBODY, wallet, moved):
        for answer in (client.get(f"/v1/holds/{id}"), client.capture(id), client.release(id)):
            check_problem(answer, 404, "HOLD_NOT_FOUND")
    check_problem(client.get(f"/v1/transactions/{hold}"), 404, "TRANSACTION_NOT_FOUND")
    for answer in (client.hold(NOBODY, 1), client.get(f"/v1/wallets/{NOBODY}/holds"),
                   client.get(f"/v1/wallets/{hold}/holds")):
        check_problem(answer, 404, "WALLET_NOT_FOUND")
    assert client.numbers(wallet) == (1001, 300, 4)


@pytest.mark.parametrize("id", ["abc", NOBODY.upper(), NOBODY[:-1], "{" + NOBODY + "}"])
def test_a_malformed_identifier_is_a_malformed_request(client, id):
    path = f"/v1/holds/{quoted(id)}"
    for answer in (client.get(path), client.post(path + "/capture", {}),
                   client.post(path + "/release", {}), client.hold(quoted(id), 1),
                   client.get(f"/v1/wallets/{quoted(id)}/holds")):
        check_problem(answer, 400, "MALFORMED_REQUEST")


def test_a_version_that_is_no_longer_current_is_refused(client, wallet, hold):
    path, key = f"/v1/holds/{hold}", fresh()
    for what in ("capture", "release"):
        stale = client.post(f"{path}/{what}", {}, key, If_Match='"v2"')
        problem = check_problem(stale, 412, "VERSION_MISMATCH")
        assert (problem["walletId"], problem["version"]) == (wallet, 3)
    holds = f"/v1/wallets/{wallet}/holds"
    check_problem(client.post(holds, {"amount": 1}, If_Match='"v2"'), 412, "VERSION_MISMATCH")
    check_problem(client.post(holds, {"amount": 1}, If_Match="v3"), 400, "MALFORMED_REQUEST")
    assert client.post(holds, {"amount": 1}, If_Match='"v3"').status == 201
    assert client.post(f"{path}/capture", {"amount": 1}, key, If_Match='"v4"').status == 201
    last = client.hold(wallet, 1).json["id"]
    answer = client.post(f"/v1/holds/{last}/release", {}, If_Match='"v6"')
    assert answer.status == 200 and answer.headers["ETag"] == '"v7"'
    assert client.numbers(wallet) == (999, 1, 7)


def test_of_a_capture_and_a_release_at_once_exactly_one_wins_100_times(server, client):
    wallet, other = client.wallet(100 * 50), client.wallet()
    holds = [client.hold(wallet, 50).json["id"] for _ in range(100)]
    racers = [server.client(), server.client()]
    captured = 0
    for number, hold in enumerate(holds):
        runners = [lambda own: own.capture(hold, amount=30, to=other),
                   lambda own: own.release(hold)]
        turn = number % 2  # Who is first to be started takes turns.
        answers = parallel(2, lambda i: runners[(i + turn) % 2](racers[i]))
        won = [answer for answer in answers if answer.status in (200, 201)]
        lost = [answer for answer in answers if answer not in won]
        assert len(won) == len(lost) == 1, answers
        status = check_problem(lost[0], 422, "HOLD_NOT_OPEN")["holdStatus"]
        assert status == {200: "released", 201: "captured"}[won[0].status]
        assert got(client, hold)["status"] == status
        captured += won[0].status == 201
    for racer in racers:
        racer.close()
    assert client.numbers(wallet) == (5000 - 30 * captured, 0, 2 + 200)
    assert client.numbers(other) == (30 * captured, 0, 1 + captured)


# --- Expiry --------------------------------------------------------------------------------------


def test_a_hold_expires_for_every_reader_1_ms_after_its_instant_without_a_record(alone):
    wallet, instant = alone.wallet(1000), soon()
    placed = alone.hold(wallet, 300, expiresAt=rfc3339(instant)).json
    lasting = alone.hold(wallet, 100).json
    path = f"/v1/wallets/{wallet}/holds"
    assert got(alone, placed["id"]) == placed and time.time() * 1e6 < instant
    assert list(alone.pages(path, status="open")) == [placed, lasting]
    wait_until(instant)
    expired = placed | {"status": "expired"}
    assert got(alone, placed["id"]) == expired
    assert alone.numbers(wallet) == (1000, 100, 5), "the version counts what will be recorded"
    assert alone.get(f"/v1/wallets/{wallet}").json["balance"]["available"] == 900
    user = alone.get(f"/v1/wallets/{wallet}").json["userId"]
    assert alone.page(f"/v1/users/{user}/wallets")[0][0]["balance"]["held"] == 100
    assert list(alone.pages(path)) == [expired, lasting]
    assert list(alone.pages(path, status="open")) == [lasting]
    assert list(alone.pages(path, status="expired", limit=1)) == [expired]
    types = [event["event"]["type"] for event in alone.page("/v1/events", after=0)[0]]
    assert "holdExpired" not in types, "the test is about an expiry that nothing has recorded"
    for refused in (alone.capture(placed["id"]), alone.release(placed["id"])):
        assert check_problem(refused, 422, "HOLD_NOT_OPEN")["holdStatus"] == "expired"
    assert alone.numbers(wallet) == (1000, 100, 5), "the refused command recorded the expiry"
    assert got(alone, placed["id"]) == expired
    assert list(alone.pages(path, status="expired", limit=1)) == [expired]


def test_the_money_of_an_expired_hold_can_be_spent_at_once(client):
    wallet, instant = client.wallet(1000), soon()
    key = fresh()
    first = client.hold(wallet, 1000, key, expiresAt=rfc3339(instant))
    check_problem(client.withdraw(wallet, 1), 422, "INSUFFICIENT_FUNDS")
    wait_until(instant)
    assert client.withdraw(wallet, 1000).status == 201 and client.numbers(wallet)[:2] == (0, 0)
    again = client.hold(wallet, 1000, key, expiresAt=rfc3339(instant))
    assert essence(again) == essence(first) and is_replay(again), "the key has the first word"


def test_a_balance_at_an_instant_counts_holds_by_their_effective_expiry(alone):
    wallet, instant = alone.wallet(1000), soon()
    captured = alone.hold(wallet, 200).json
    placed = alone.hold(wallet, 300, expiresAt=rfc3339(instant)).json
    capture = alone.capture(captured["id"], amount=150).json
    wait_until(instant)
    expected = [  # Instant, total and held.
        (microseconds(captured["createdAt"]) - 1, 1000, 0),
        (microseconds(captured["createdAt"]), 1000, 200),
        (microseconds(placed["createdAt"]) - 1, 1000, 200),
        (microseconds(placed["createdAt"]), 1000, 500),
        (microseconds(capture["createdAt"]) - 1, 1000, 500),
        (microseconds(capture["createdAt"]), 850, 300),
        (instant - 1, 850, 300), (instant, 850, 0), (instant + 1, 850, 0)]

    def check():
        for at, total, held in expected:
            found = balance_at(alone, wallet, at).json
            assert (found["total"], found["held"]) == (total, held), at
            assert found["available"] == total - held

    check()
    deposit = alone.deposit(wallet, 1).json  # Records the expiry, late.
    expected.append((microseconds(deposit["createdAt"]), 851, 0))
    assert alone.numbers(wallet) == (851, 0, 7)
    check()


# --- Pages ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(server):
    """A wallet with 26 holds of every status, in the order of their placement."""
    client = server.client()
    wallet, instant = client.wallet(10_000), soon(700)
    ends = [lambda hold: None, client.capture, client.release, lambda hold: None]
    for number in range(26):
        expiry = {"expiresAt": rfc3339(instant)} if number % 4 == 3 else {}
        placed = client.hold(wallet, 1 + number, metadata={"n": str(number)}, **expiry)
        assert placed.status == 201
        ends[number % 4](placed.json["id"])
    wait_until(instant)
    holds = list(client.pages(f"/v1/wallets/{wallet}/holds", limit=200))
    client.close()
    return wallet, holds


def test_the_holds_of_a_wallet_are_listed_in_order_of_their_placement(client, many):
    wallet, holds = many
    path = f"/v1/wallets/{wallet}/holds"
    assert [(hold["amount"], hold["metadata"]) for hold in holds] == [
        (1 + number, {"n": str(number)}) for number in range(26)]
    statuses = ["open", "captured", "released", "expired"]
    assert [hold["status"] for hold in holds] == [statuses[n % 4] for n in range(26)]
    assert all(got(client, hold["id"]) == hold for hold in holds)
    for limit in (1, 7, 25, 26, 27):
        assert list(client.pages(path, limit=limit)) == holds
        for status in statuses:
            assert list(client.pages(path, limit=limit, status=status)) == [
                hold for hold in holds if hold["status"] == status]
    items, following = client.page(path, limit=26)
    assert len(items) == 26 and following is None
    assert client.page(f"/v1/wallets/{client.wallet()}/holds") == ([], None)


def test_pages_of_holds_stay_in_place_while_holds_come_and_go(client):
    wallet = client.wallet(1000)
    holds = [client.hold(wallet, 1).json["id"] for _ in range(20)]
    path, seen, cursor = f"/v1/wallets/{wallet}/holds", [], None
    while len(seen) < 20:
        items, cursor = client.page(path, cursor, limit=4)
        seen += [hold["id"] for hold in items]
        assert client.release(items[0]["id"]).status == 200
        assert client.hold(wallet, 1).status == 201
    assert seen == holds
    seen, cursor = [], None
    while True:  # What leaves the filter behind the cursor moves nothing.
        items, cursor = client.page(path, cursor, limit=3, status="open")
        seen += [hold["id"] for hold in items]
        if cursor is None:
            break
        assert client.capture(items[-1]["id"]).status == 201
    assert len(set(seen)) == len(seen) == 20


def test_a_cursor_of_holds_fits_only_the_list_that_it_came_from(client, many):
    wallet, _ = many
    path = f"/v1/wallets/{wallet}/holds"
    _, cursor = client.page(path, limit=5)
    other = client.wallet(5)
    for bad in (f"{path}?cursor={quoted(altered(cursor))}", f"{path}?cursor=gibberish",
                f"{path}?cursor={quoted(cursor)}&status=open",
                f"/v1/wallets/{other}/holds?cursor={quoted(cursor)}",
                f"/v1/wallets/{wallet}/transactions?cursor={quoted(cursor)}"):
        check_problem(client.get(bad), 400, "MALFORMED_REQUEST")


@pytest.mark.parametrize("query", ["status=gone", "status=", "status=OPEN", "limit=0", "limit=201",
                                   "state=open", "status=open&status=open"])
def test_a_malformed_query_is_a_malformed_request(client, many, query):
    answer = client.get(f"/v1/wallets/{many[0]}/holds?{query}")
    check_problem(answer, 400, "MALFORMED_REQUEST")
