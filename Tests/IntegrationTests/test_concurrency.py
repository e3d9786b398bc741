"""Many callers at once: nothing is lost, invented or done twice."""

import random
from collections import Counter

from wallet_client import (
    Book,
    Operation,
    check_problem,
    essence,
    fresh,
    is_replay,
    microseconds,
    parallel,
)


def test_of_200_parallel_withdrawals_of_1_from_100_exactly_100_succeed(server, client):
    wallet = client.wallet(100)
    answers = parallel(200, lambda _: server.client(timeout=60).withdraw(wallet, 1))
    assert Counter(answer.status for answer in answers) == {201: 100, 422: 100}
    for answer in answers:
        if answer.status == 422:
            assert check_problem(answer, 422, "INSUFFICIENT_FUNDS")["available"] == 0
    assert client.state(wallet) == (0, 102)
    after = sorted(a.json["balances"][0]["total"] for a in answers if a.status == 201)
    assert after == list(range(100))


def test_600_opposite_transfers_neither_fail_nor_change_the_sum(server, client):
    pair, steps = (client.wallet(100), client.wallet(100)), iter(range(600))

    def transfer(index):
        own = server.client()
        source, target = pair if index % 2 else pair[::-1]
        return [own.transfer(source, target, 1 + step % 9) for step in steps]

    answers = sum(parallel(32, transfer), [])
    assert len(answers) == 600 and {answer.status for answer in answers} <= {201, 422}
    assert sum(answer.status == 201 for answer in answers) > 200
    for answer in answers:
        if answer.status == 422:
            check_problem(answer, 422, "INSUFFICIENT_FUNDS")
    totals = [client.total(wallet) for wallet in pair]
    assert sum(totals) == 200 and min(totals) >= 0


def test_one_key_sent_50_times_at_once_happens_once(server, client):
    source, target, key = client.wallet(100), client.wallet(), fresh()
    answers = parallel(50, lambda _: server.client(timeout=60).transfer(source, target, 7, key))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert sum(not is_replay(answer) for answer in answers) == 1
    assert all(essence(answer) == essence(answers[0]) for answer in answers)
    assert (client.state(source), client.state(target)) == ((93, 3), (7, 2))


def test_one_key_sent_at_once_for_two_requests_happens_for_one(server, client):
    for _ in range(10):
        wallet, key = client.wallet(), fresh()
        answers = parallel(8, lambda i: server.client().deposit(wallet, 1 + i % 2, key))
        done = {answer.json["amount"] for answer in answers if answer.status == 201}
        assert Counter(answer.status for answer in answers) == {201: 4, 422: 4}
        for answer in answers:
            if answer.status == 422:
                check_problem(answer, 422, "IDEMPOTENCY_KEY_REUSED")
        assert len(done) == 1 and client.state(wallet) == (done.pop(), 2)


def test_one_reference_sent_at_once_under_many_keys_is_used_once(server, client):
    wallet, reference = client.wallet(), fresh("order")
    answers = parallel(20, lambda _: server.client().deposit(wallet, 5, reference=reference))
    assert Counter(answer.status for answer in answers) == {201: 1, 409: 19}
    first = next(answer.json["id"] for answer in answers if answer.status == 201)
    for answer in answers:
        if answer.status == 409:
            problem = check_problem(answer, 409, "REFERENCE_ALREADY_USED")
            assert problem["transactionId"] == first
    assert client.state(wallet) == (5, 2)


def test_3000_mixed_operations_leave_every_wallet_with_a_true_history(server, client, rng):
    book = Book(client, 20, funds=200)
    seeds = [rng.random() for _ in range(16)]

    def work(index):
        own, dice, sent = server.client(), random.Random(seeds[index]), []
        for _ in range(188):
            if sent and dice.random() < 0.08:  # A repetition, which must change nothing.
                operation, first = dice.choice(sent)
                again = operation.send(own)
                assert essence(again) == essence(first) and is_replay(again), operation
                continue
            operation = Operation.random(dice, book.wallets)
            answer = operation.send(own)
            assert answer.status in (201, 422), answer
            sent.append((operation, answer))
        return sent

    happened = {wallet: set() for wallet in book.wallets}
    refused = 0
    for operation, answer in sum(parallel(16, work), []):
        if answer.status == 422:
            check_problem(answer, 422, "INSUFFICIENT_FUNDS")
            refused += 1
            continue
        book.apply(operation)
        for wallet in {operation.source, operation.target} - {None}:
            happened[wallet].add(answer.json["id"])
    assert refused > 0 and sum(book.movements.values()) > 2000
    book.check(client)
    for wallet, transactions in happened.items():
        check_history(client, wallet, book.totals[wallet], transactions)


def check_history(client, wallet, total, transactions):
    """The entries of a wallet add up to its total, one by one, and are those that were heard of."""
    entries = client.history(wallet)
    after, instant = 0, 0
    for version, entry in enumerate(entries, start=2):
        moved = entry["transaction"]
        sign = (moved["to"] == wallet) - (moved["from"] == wallet)
        after += entry["change"]
        assert entry["change"] == sign * moved["amount"] and sign
        assert (entry["version"], entry["balanceAfter"]) == (version, after) and after >= 0
        assert microseconds(moved["createdAt"]) > instant
        instant = microseconds(moved["createdAt"])
    assert after == total
    ids = [entry["transaction"]["id"] for entry in entries]
    assert len(set(ids)) == len(ids) and set(ids[1:]) == transactions  # The first one funded it.
