"""Batches, as a client sees them: all or none, or each on its own, and every operation once."""

import itertools
import random
import time

import pytest
from test_contract import TRANSACTION_MEMBERS
from wallet_client import (
    LARGEST,
    Book,
    Load,
    Operation,
    Server,
    check_problem,
    essence,
    eventually,
    fresh,
    is_replay,
    parallel,
    rfc3339,
)

NOBODY = "01980000-0000-7000-8000-000000000000"
MODES = pytest.mark.parametrize("atomic", [True, False], ids=["atomic", "independent"])


def operation(type_, key=None, **members):
    return {"type": type_, "idempotencyKey": key or fresh("op")} | members


def transfer(source, target, amount, key=None, **more):
    return operation("transfer", key, **{"from": source, "to": target, "amount": amount} | more)


def deposit(wallet, amount, key=None, **more):
    return operation("deposit", key, walletId=wallet, amount=amount, **more)


def withdrawal(wallet, amount, key=None, **more):
    return operation("withdrawal", key, walletId=wallet, amount=amount, **more)


def send(client, operations, atomic, key=None):
    return client.post("/v1/batches", {"atomic": atomic, "operations": operations}, key)


def results(answer):
    """The results of a batch that was settled; problems in them are whole problems."""
    assert answer.status == 200 and set(answer.json) == {"results"}, answer
    for result in answer.json["results"]:
        if "problem" in result:
            assert set(result) == {"status", "problem"}
            assert result["problem"]["status"] == result["status"] >= 400
        else:
            assert len(result) == 2 and result["status"] in (200, 201)
    return answer.json["results"]


def codes(answer):
    return [result.get("problem", {}).get("code") for result in results(answer)]


def refused(answer):
    """The results of a batch that was refused: what stood in the way of each operation."""
    problem = check_problem(answer, 422, "BATCH_REFUSED")
    for result in problem["results"]:
        if result["wouldSucceed"]:
            assert set(result) == {"wouldSucceed"}
        else:
            assert set(result) == {"wouldSucceed", "status", "problem"}
            assert result["problem"]["status"] == result["status"] >= 400
    return [result.get("problem", {}).get("code") for result in problem["results"]]


# --- What a batch does ---------------------------------------------------------------------------


@MODES
def test_every_kind_of_operation_is_answered_as_its_own_call_would_be(client, atomic):
    one, other = client.wallet(1000), client.wallet()
    captured, released = (client.hold(one, 100).json["id"] for _ in range(2))
    paid = client.deposit(one, 50).json["id"]
    operations = [
        deposit(one, 10, reference=fresh("order"), description="in", metadata={"a": "b"}),
        withdrawal(one, 20, currency="USD"), transfer(one, other, 30),
        operation("hold", walletId=one, amount=40, expiresAt="2999-01-01T00:00:00Z"),
        operation("capture", holdId=captured, amount=60, to=other),
        operation("release", holdId=released),
        operation("reversal", transactionId=paid, amount=5, description="back"),
    ]
    answer = send(client, operations, atomic)
    found = results(answer)
    assert [result["status"] for result in found] == [201, 201, 201, 201, 201, 200, 201]
    assert answer.headers["Consistency-Token"] and not is_replay(answer)
    names = ["transaction"] * 3 + ["hold", "transaction", "hold", "transaction"]
    assert [set(result) for result in found] == [{"status", name} for name in names]
    for sent, result, name in zip(operations, found, names, strict=True):
        shown = result[name]
        again = client.get(f"/v1/{name}s/{shown['id']}")
        assert (again.status, again.json) == (200, shown), sent
        if name == "transaction":
            assert set(shown) == TRANSACTION_MEMBERS and shown["type"] == sent["type"]
    assert found[0]["transaction"]["metadata"] == {"a": "b"}
    assert found[5]["hold"]["status"] == "released"
    positions = [result["transaction"]["position"] for result in found if "transaction" in result]
    assert positions == sorted(positions)
    assert client.numbers(one)[:2] == (1000 + 50 + 10 - 20 - 30 - 60 - 5, 40)
    assert client.total(other) == 30 + 60


@MODES
def test_later_operations_spend_what_earlier_ones_brought(client, atomic):
    wallets = [client.wallet(100), client.wallet(), client.wallet()]
    answer = send(client, [
        transfer(wallets[0], wallets[1], 100), transfer(wallets[1], wallets[2], 100),
        withdrawal(wallets[2], 100)], atomic)
    assert codes(answer) == [None] * 3
    assert [client.total(wallet) for wallet in wallets] == [0, 0, 0]


def test_independent_operations_are_refused_on_their_own(client):
    one, other = client.wallet(100), client.wallet()
    key, operations = fresh(), [
        transfer(one, other, 70), transfer(one, other, 70), deposit(one, 0),
        deposit(NOBODY, 1), transfer(one, other, 30)]
    answer = send(client, operations, False, key)
    assert codes(answer) == [
        None, "INSUFFICIENT_FUNDS", "AMOUNT_OUT_OF_RANGE", "WALLET_NOT_FOUND", None]
    assert [client.total(wallet) for wallet in (one, other)] == [0, 100]
    client.deposit(one, 500)
    again = send(client, operations, False, key)
    assert is_replay(again) and codes(again) == codes(answer)
    assert [r.get("transaction") for r in results(again)] == [
        r.get("transaction") for r in results(answer)]
    assert [client.total(wallet) for wallet in (one, other)] == [500, 100]


def test_an_atomic_batch_that_fails_changes_nothing_and_is_remembered(client):
    one, other = client.wallet(100), client.wallet()
    before = client.state(one), client.state(other)
    key, operations = fresh(), [
        transfer(one, other, 60), transfer(one, other, 60), transfer(one, other, 40)]
    first = send(client, operations, True, key)
    assert refused(first) == [None, "INSUFFICIENT_FUNDS", None]
    problem = first.json["results"][1]["problem"]
    assert (problem["available"], problem["requested"]) == (40, 60)
    assert (client.state(one), client.state(other)) == before
    client.deposit(one, 500)
    again = send(client, operations, True, key)
    assert again.json == first.json and again.status == 422 and is_replay(again)
    # Under another key it is another attempt, and the keys of the operations are still free.
    assert codes(send(client, operations, True)) == [None] * 3
    assert client.total(other) == 160


@pytest.mark.parametrize("bad, code", [
    ({"amount": 0}, "AMOUNT_OUT_OF_RANGE"), ({"amount": -1}, "AMOUNT_OUT_OF_RANGE"),
    ({"amount": LARGEST + 1}, "AMOUNT_OUT_OF_RANGE"), ({"currency": "XXQ"}, "CURRENCY_UNKNOWN"),
    ({"currency": "EUR"}, "CURRENCY_MISMATCH"), ({"reference": ""}, "VALIDATION_FAILED"),
    ({"walletId": NOBODY}, "WALLET_NOT_FOUND")])
def test_one_value_that_is_not_allowed_fails_its_operation_or_the_atomic_batch(client, bad, code):
    wallet = client.wallet()
    operations = [deposit(wallet, 1), deposit(wallet, 2) | bad, deposit(wallet, 4)]
    assert refused(send(client, operations, True)) == [None, code, None]
    assert client.total(wallet) == 0
    assert codes(send(client, operations, False)) == [None, code, None]
    assert client.total(wallet) == 5


# --- Keys ----------------------------------------------------------------------------------------


@MODES
def test_a_batch_sent_again_gets_the_same_bytes(client, atomic):
    one, other = client.wallet(100), client.wallet()
    key, operations = fresh(), [
        transfer(one, other, 1, description="a"), operation("hold", walletId=one, amount=5),
        transfer(one, other, 2)]
    first = send(client, operations, atomic, key)
    client.deposit(one, 1)
    shuffled = [dict(reversed(operation.items())) for operation in operations]
    again = send(client, shuffled, atomic, key)
    assert again.raw == first.raw and is_replay(again) and not is_replay(first)
    assert client.numbers(one)[:2] == (98, 5)


@MODES
def test_the_key_of_a_batch_stands_for_that_batch_alone(client, atomic):
    wallet, key = client.wallet(), fresh()
    operations = [deposit(wallet, 1), deposit(wallet, 2)]
    assert codes(send(client, operations, atomic, key)) == [None, None]
    state = client.state(wallet)
    for other, mode in (
        (operations, not atomic), (operations[::-1], atomic), (operations[:1], atomic),
        ([operations[0], operations[1] | {"amount": 3}], atomic),
        ([operations[0], operations[1] | {"idempotencyKey": fresh()}], atomic), ([], atomic),
    ):
        check_problem(send(client, other, mode, key), 422, "IDEMPOTENCY_KEY_REUSED")
    check_problem(client.deposit(wallet, 1, key), 422, "IDEMPOTENCY_KEY_REUSED")
    alone = fresh()
    client.deposit(wallet, 5, alone)
    check_problem(send(client, operations, atomic, alone), 422, "IDEMPOTENCY_KEY_REUSED")
    assert client.state(wallet) == (state[0] + 5, state[1] + 1)
    assert is_replay(send(client, operations, atomic, key))


@MODES
def test_an_operation_is_the_same_alone_and_in_a_batch(client, atomic):
    one, other = client.wallet(100), client.wallet()
    before, after = fresh(), fresh()
    alone = client.transfer(one, other, 10, before)
    answer = send(client, [transfer(one, other, 10, before), transfer(one, other, 5, after)],
                  atomic)
    assert results(answer)[0] == {"status": 201, "transaction": alone.json}
    assert not is_replay(answer)
    again = client.transfer(one, other, 5, after)
    assert is_replay(again) and again.json == results(answer)[1]["transaction"]
    assert client.total(other) == 15
    check_problem(client.transfer(one, other, 6, after), 422, "IDEMPOTENCY_KEY_REUSED")
    reused = [transfer(one, other, 7, after), deposit(one, 1)]
    if atomic:
        assert refused(send(client, reused, True)) == ["IDEMPOTENCY_KEY_REUSED", None]
    else:
        assert codes(send(client, reused, False)) == ["IDEMPOTENCY_KEY_REUSED", None]


def test_a_refusal_that_is_remembered_fails_the_atomic_batch_it_comes_with(client):
    wallet, key = client.wallet(), fresh()
    check_problem(client.withdraw(wallet, 5, key), 422, "INSUFFICIENT_FUNDS")
    client.deposit(wallet, 5)
    operations = [deposit(wallet, 1), withdrawal(wallet, 5, key)]
    assert refused(send(client, operations, True)) == [None, "INSUFFICIENT_FUNDS"]
    assert client.total(wallet) == 5


def test_a_batch_from_which_nothing_came_is_known_all_the_same(client):
    wallet, key = client.wallet(), fresh()
    operations = [withdrawal(wallet, 1), withdrawal(wallet, 2)]
    first = send(client, operations, False, key)
    assert codes(first) == ["INSUFFICIENT_FUNDS"] * 2
    client.deposit(wallet, 10)
    again = send(client, operations, False, key)
    assert is_replay(again) and again.json == first.json
    check_problem(send(client, [deposit(wallet, 1)], False, key), 422, "IDEMPOTENCY_KEY_REUSED")
    assert client.total(wallet) == 10


def test_the_key_of_a_batch_tells_what_its_operations_led_to(client):
    wallet, done = client.wallet(), fresh()
    client.deposit(wallet, 1, done)
    whole, part, nothing, failed = (fresh() for _ in range(4))
    answer = send(client, [deposit(wallet, 2), deposit(wallet, 3)], True, whole)
    found = client.get(f"/v1/idempotency-keys/{whole}")
    assert (found.status, found.json) == (200, answer.json) and is_replay(found)
    answer = send(
        client, [withdrawal(wallet, 99), deposit(wallet, 4), deposit(wallet, 1, done)], False, part)
    found = client.get(f"/v1/idempotency-keys/{part}")
    assert found.json == {"results": [None, results(answer)[1], None]}
    send(client, [withdrawal(wallet, 99), deposit(wallet, 0)], False, nothing)
    assert client.get(f"/v1/idempotency-keys/{nothing}").json == {"results": [None, None]}
    answer = send(client, [withdrawal(wallet, 99), deposit(wallet, 1)], True, failed)
    found = client.get(f"/v1/idempotency-keys/{failed}")
    assert refused(found) == ["INSUFFICIENT_FUNDS", None] and essence(found) == essence(answer)


# --- What is no batch ----------------------------------------------------------------------------


@pytest.mark.parametrize("change", [
    lambda body: body.pop("atomic"), lambda body: body.pop("operations"),
    lambda body: body.update(atomic=1), lambda body: body.update(atomic="true"),
    lambda body: body.update(atomic=None), lambda body: body.update(operations={}),
    lambda body: body.update(operations=[1]), lambda body: body.update(extra=1),
    lambda body: body["operations"].append(dict(body["operations"][0])),
    lambda body: body["operations"][0].pop("type"),
    lambda body: body["operations"][0].pop("idempotencyKey"),
    lambda body: body["operations"][0].pop("amount"),
    lambda body: body["operations"][0].update(type="openWallet"),
    lambda body: body["operations"][0].update(type="Deposit"),
    lambda body: body["operations"][0].update(idempotencyKey=""),
    lambda body: body["operations"][0].update(idempotencyKey="a b"),
    lambda body: body["operations"][0].update(idempotencyKey="k" * 256),
    lambda body: body["operations"][0].update(amount="1"),
    lambda body: body["operations"][0].update(to=NOBODY),
    lambda body: body["operations"][0].update(ifMatch="v1"),
    lambda body: body["operations"][0].update(walletId="1")])
@MODES
def test_a_malformed_batch_is_refused_whole(client, change, atomic):
    wallet = client.wallet()
    body = {"atomic": atomic, "operations": [deposit(wallet, 1), deposit(wallet, 2)]}
    change(body)
    check_problem(client.post("/v1/batches", body), 400, "MALFORMED_REQUEST")
    assert client.total(wallet) == 0


def test_the_key_of_a_batch_may_not_be_that_of_an_operation(client):
    wallet, key = client.wallet(), fresh()
    check_problem(send(client, [deposit(wallet, 1, key)], False, key), 400, "MALFORMED_REQUEST")
    assert client.deposit(wallet, 1, key).status == 201


def test_duplicate_members_if_match_and_queries_are_refused(client):
    wallet = client.wallet()
    body = {"atomic": True, "operations": [deposit(wallet, 1)]}
    twice = (b'{"atomic": true, "operations": [{"type": "deposit", "type": "deposit", '
             b'"idempotencyKey": "x", "walletId": "%s", "amount": 1}]}' % wallet.encode())
    check_problem(client.post("/v1/batches", twice), 400, "MALFORMED_REQUEST")
    check_problem(client.post("/v1/batches", body, If_Match='"v1"'), 400, "MALFORMED_REQUEST")
    check_problem(client.post("/v1/batches?dry=1", body), 400, "MALFORMED_REQUEST")
    check_problem(client.request("POST", "/v1/batches", body, headers={"Idempotency-Key": None}),
                  400, "IDEMPOTENCY_KEY_REQUIRED")
    assert client.total(wallet) == 0


@MODES
def test_a_batch_has_1_to_1000_operations(client, atomic):
    wallet, key = client.wallet(), fresh()
    operations = [deposit(wallet, 1) for _ in range(1001)]
    for wrong in ([], operations):
        problem = check_problem(send(client, wrong, atomic, key), 422, "VALIDATION_FAILED")
        assert problem["field"] == "operations"
    assert client.total(wallet) == 0
    answer = send(client, operations[:1000], atomic, key)  # The refusals were not remembered.
    assert codes(answer) == [None] * 1000 and client.total(wallet) == 1000
    assert send(client, operations[:1000], atomic, key).raw == answer.raw


@MODES
def test_1000_transfers_in_one_call(client, rng, atomic):
    book, operations = Book(client, 20, funds=5000), []
    for _ in range(1000):
        source, target = rng.sample(book.wallets, 2)
        made = Operation("transfer", rng.randint(1, 4), source, target)
        operations.append(transfer(source, target, made.amount, made.key))
        book.apply(made)
    found = results(send(client, operations, atomic))
    assert [result["transaction"]["amount"] for result in found] == [
        operation["amount"] for operation in operations]
    positions = [result["transaction"]["position"] for result in found]
    assert positions == list(range(positions[0], positions[0] + 1000)), "one transaction"
    book.check(client)


def test_a_reader_may_not_send_a_batch(server, client):
    wallet = client.wallet()
    reader = server.client(server.new_key("reader", "read"))
    check_problem(send(reader, [deposit(wallet, 1)], True), 403, "FORBIDDEN")


# --- Many at once, and cut short -----------------------------------------------------------------


def test_batches_and_single_calls_with_the_same_keys_do_everything_once(server, client, rng):
    book = Book(client, 6, funds=10_000)
    pool = [Operation("transfer", rng.randint(1, 5), *rng.sample(book.wallets, 2))
            for _ in range(120)]
    seeds = [rng.random() for _ in range(12)]

    def run(index):
        own, dice, heard = server.client(timeout=60), random.Random(seeds[index]), []
        for _ in range(12):
            if index % 3 == 0:
                chosen = [dice.choice(pool)]
                answers = [chosen[0].send(own)]
                heard += [(chosen[0], answers[0].status, answers[0].json)]
                continue
            chosen = dice.sample(pool, dice.randint(1, 30))
            body = [transfer(o.source, o.target, o.amount, o.key) for o in chosen]
            found = results(send(own, body, index % 3 == 1))
            heard += [(o, r["status"], r["transaction"])
                      for o, r in zip(chosen, found, strict=True)]
        own.close()
        return heard

    told = {}
    for done, status, transaction in itertools.chain(*parallel(12, run)):
        assert status == 201
        assert told.setdefault(done.key, transaction) == transaction, "two answers for one key"
    for done in pool:
        if done.key in told:
            book.apply(done)
    assert len(told) > 100
    book.check(client)


class Batch:
    """A batch of random movements that may be sent any number of times."""

    def __init__(self, rng, wallets):
        self.key, self.atomic = f"batch-{rng.getrandbits(96):024x}", rng.random() < 0.5
        self.operations = [
            Operation.random(rng, wallets) for _ in range(rng.choice((1, 3, 20, 150)))]

    def send(self, client):
        def members(made):
            if made.kind == "transfer":
                return transfer(made.source, made.target, made.amount, made.key)
            if made.kind == "deposit":
                return deposit(made.target, made.amount, made.key)
            return withdrawal(made.source, made.amount, made.key)
        return send(client, [members(made) for made in self.operations], self.atomic, self.key)

    def happened(self, answer):
        """The operations that succeeded, by an answer."""
        if answer.status == 422:
            assert self.atomic
            refused(answer)
            return []
        found = results(answer)
        done = [o for o, r in zip(self.operations, found, strict=True) if r["status"] == 201]
        assert not self.atomic or len(done) == len(self.operations), "half an atomic batch"
        return done


@pytest.mark.deadline(300)
def test_batches_that_are_cut_short_by_kills_are_finished_by_sending_them_again(new_server, rng):
    server = new_server()
    client = server.client()
    book = Book(client, 12, funds=300)
    client.close()
    unknown = done = 0
    for kill in range(8):
        load = Load(server, lambda dice: Batch(dice, book.wallets), rng, threads=6)
        time.sleep(rng.uniform(0.2, 1.0))
        server.kill9()
        load.join()
        assert not load.failed, load.failed[0]
        if kill % 4 == 3:
            server.check_verifies()
        server.start()
        client = server.client()
        for batch, answer in [*load.done, *load.refused]:
            again = batch.send(client)
            assert essence(again) == essence(answer) and is_replay(again), batch.key
            for made in batch.happened(answer):
                book.apply(made)
        for batch, _ in load.unknown:
            first = batch.send(client)
            again = batch.send(client)
            assert essence(again) == essence(first) and is_replay(again), batch.key
            for made in batch.happened(first):
                book.apply(made)
        client.close()
        unknown += len(load.unknown)
        done += len(load.done)
    client = server.client()
    book.check(client)
    client.close()
    assert done > 20 and unknown > 0, "nothing was done, or nothing cut short"
    server.check_verifies()


# --- Expired holds that nobody asks for ----------------------------------------------------------


def events(client, after=0):
    page = client.get(f"/v1/events?after={after}&limit=200").json
    return [item["event"] for item in page["items"]]


@pytest.mark.parametrize("interval, recorded", [(1, True), (0, False)])
def test_a_sweep_records_expired_holds_unless_it_is_switched_off(new_server, interval, recorded):
    server = new_server(WALLET_SWEEP_INTERVAL_SECONDS=interval)
    client = server.client()
    wallet = client.wallet(100)
    due = rfc3339(int(time.time() * 1e6) + 300_000)
    holds = [client.hold(wallet, 10, expiresAt=due).json["id"] for _ in range(3)]
    kept = client.hold(wallet, 10).json["id"]
    head = events(client)[-1]["position"]

    def expired():
        return [event["hold"] for event in events(client, head) if event["type"] == "holdExpired"]

    if recorded:
        eventually(lambda: len(expired()) == 3, 10, "the expired holds are recorded")
        assert sorted(expired()) == sorted(holds)
    else:
        time.sleep(1.5)
        assert expired() == []
    assert client.numbers(wallet)[1] == 10
    assert client.get(f"/v1/holds/{kept}").json["status"] == "open"
    client.close()
    assert server.sigterm() == 0
    server.check_verifies()


def test_the_interval_of_sweeps_must_be_a_number(tmp_path):
    server = Server(tmp_path)
    with pytest.raises(AssertionError, match="WALLET_SWEEP_INTERVAL_SECONDS"):
        server.start(WALLET_SWEEP_INTERVAL_SECONDS="often")
    Server.created.remove(server)
