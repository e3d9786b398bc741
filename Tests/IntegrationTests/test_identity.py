"""Users and their tokens: who may come in, and that nobody reaches what is another's."""

import hashlib
import hmac
import json
import time
from collections import Counter
from types import SimpleNamespace

import jwt
import pytest
from issuer import AUDIENCE, Issuer, encoded, new_key
from wallet_client import (
    LARGEST,
    Server,
    check_problem,
    essence,
    eventually,
    fresh,
    is_replay,
    microseconds,
    parallel,
    quoted,
    rfc3339,
)

NOBODY = "0198c0de-0000-7000-8000-000000000001"
ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]


@pytest.fixture(scope="module")
def issuer():
    made = Issuer()
    for algorithm in ALGORITHMS:
        made.add(algorithm, algorithm)
    yield made
    made.close()


@pytest.fixture(scope="module")
def guarded(issuer, tmp_path_factory):
    """A server that takes the issuer's tokens."""
    made = Server(tmp_path_factory.mktemp("guarded"), **issuer.environment)
    try:
        made.start()
        yield made
        assert made.sigterm() == 0
        made.check_log()
        made.check_verifies()
    finally:
        made.stop()
        Server.created.remove(made)


@pytest.fixture
def platform(guarded):
    client = guarded.client()
    yield client
    client.close()
    guarded.check_alive()


@pytest.fixture
def as_user(guarded, issuer):
    """Makes clients that bear a user's token."""
    clients = []

    def make(user, **options):
        clients.append(guarded.client(issuer.token(user, **options)))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


# --- Coming in -----------------------------------------------------------------------------------


def test_a_user_opens_a_wallet_pays_from_it_and_sees_both(as_user, platform):
    alice, bob = fresh("alice"), fresh("bob")
    client, other = as_user(alice), as_user(bob)
    mine = client.wallet(user=alice)
    theirs = other.wallet(user=bob)
    assert platform.deposit(mine, 1000).status == 201
    sent = client.transfer(mine, theirs, 300, reference="rent", metadata={"note": "mine"})
    assert (sent.status, sent.json["actor"]) == (201, alice)
    assert (client.total(mine), other.total(theirs)) == (700, 300)
    assert [wallet["id"] for wallet in client.pages(f"/v1/users/{alice}/wallets")] == [mine]
    assert client.get(f"/v1/transactions/{sent.json['id']}").json == sent.json
    assert sent.json["metadata"] == {"note": "mine"} and sent.json["reference"] == "rent"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_tokens_of_every_allowed_algorithm_are_taken(guarded, issuer, algorithm):
    client = guarded.client(issuer.token("alice", kid=algorithm))
    assert client.get("/v1/users/alice/wallets").status == 200
    client.close()


def unsigned(issuer, header, secret=None):
    text = f"{encoded(header)}.{encoded(issuer.claims('alice'))}"
    digest = hmac.new(secret or b"", text.encode(), hashlib.sha256).digest()
    return f"{text}.{encoded(digest) if secret else ''}"


def forged(issuer, name):
    good = issuer.token("alice")
    head, body, signature = good.split(".")
    now = int(time.time())
    published = json.dumps(issuer.keys[0]).encode()
    return {
        "alg none": lambda: unsigned(issuer, {"alg": "none", "kid": "es-1"}),
        "alg None": lambda: unsigned(issuer, {"alg": "None", "kid": "es-1"}),
        "none with a signature":
            lambda: f"{encoded({'alg': 'none', 'kid': 'es-1'})}.{body}.{signature}",
        "no algorithm": lambda: unsigned(issuer, {"kid": "es-1"}, b"secret"),
        "HS256 with the public key":
            lambda: unsigned(issuer, {"alg": "HS256", "kid": "es-1"}, published),
        "ES384 by a key for ES256": lambda: unsigned(issuer, {"alg": "ES384", "kid": "es-1"}, b"s"),
        "ES512": lambda: unsigned(issuer, {"alg": "ES512", "kid": "es-1"}, b"secret"),
        "no kid": lambda: issuer.token("alice", headers={"kid": None}),
        "empty kid": lambda: issuer.token("alice", headers={"kid": ""}),
        "unknown kid": lambda: issuer.token("alice", headers={"kid": "nobody"}),
        "kid of another key": lambda: issuer.token("alice", key=new_key("ES256")),
        "its own key in the header": lambda: issuer.token(
            "alice", key=new_key("ES256"), headers={"jwk": issuer.keys[0], "jku": issuer.url}),
        "a critical extension": lambda: issuer.token("alice", headers={"crit": ["b64"]}),
        "another type": lambda: issuer.token("alice", headers={"typ": "logout+jwt"}),
        "another issuer": lambda: issuer.token("alice", iss="https://else.example"),
        "no issuer": lambda: issuer.token("alice", iss=None),
        "another audience": lambda: issuer.token("alice", aud="shop"),
        "other audiences": lambda: issuer.token("alice", aud=["shop", AUDIENCE.upper()]),
        "no audience": lambda: issuer.token("alice", aud=None),
        "expired": lambda: issuer.token("alice", exp=now - 10),
        "never expires": lambda: issuer.token("alice", exp=None),
        "expiry as text": lambda: issuer.token("alice", exp=str(now + 600)),
        "expiry beyond all time": lambda: issuer.token("alice", exp=2**62),
        "not yet valid": lambda: issuer.token("alice", nbf=now + 60),
        "no subject": lambda: issuer.token(None),
        "empty subject": lambda: issuer.token(""),
        "subject of 129 characters": lambda: issuer.token("x" * 129),
        "subject with a control": lambda: issuer.token("al\nice"),
        "other claims": lambda: f"{head}.{encoded(issuer.claims('bob'))}.{signature}",
        "cut signature": lambda: f"{head}.{body}.{signature[:-4]}",
        "no signature": lambda: f"{head}.{body}.",
        "other signature": lambda: f"{head}.{body}.{encoded(bytes(64))}",
        "padding": lambda: good + "==",
        "two parts": lambda: f"{head}.{body}",
        "four parts": lambda: f"{good}.{signature}",
        "no JSON": lambda: f"{encoded(b'{nonsense')}.{body}.{signature}",
        "a claim twice": lambda: twice(issuer),
        "oversized": lambda: issuer.token("alice", padding="x" * 9000),
    }[name]()


def twice(issuer):
    """Signed as it should be, but says twice whom it is for."""
    key = issuer.private["es-1"]
    claims = json.dumps(issuer.claims("alice"))[:-1] + ', "sub": "bob"}'
    return jwt.PyJWS().encode(claims.encode(), key, "ES256", headers={"kid": "es-1"})


FORGED = [
    "alg none", "alg None", "none with a signature", "no algorithm", "HS256 with the public key",
    "ES384 by a key for ES256", "ES512", "no kid", "empty kid", "unknown kid",
    "kid of another key", "its own key in the header", "a critical extension", "another type",
    "another issuer", "no issuer", "another audience", "other audiences", "no audience", "expired",
    "never expires", "expiry as text", "expiry beyond all time", "not yet valid", "no subject",
    "empty subject", "subject of 129 characters", "subject with a control", "other claims",
    "cut signature", "no signature", "other signature", "padding", "two parts", "four parts",
    "no JSON", "a claim twice", "oversized",
]


@pytest.mark.parametrize("name", FORGED)
def test_a_token_that_is_not_good_opens_nothing(guarded, issuer, name):
    client = guarded.client(forged(issuer, name))
    for answer in (client.get("/v1/users/alice/wallets"),
                   client.post("/v1/wallets", {"userId": "alice", "currency": "USD"})):
        check_problem(answer, 401, "UNAUTHENTICATED")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    client.close()


def test_a_token_may_have_several_audiences_and_clocks_may_differ_a_little(guarded, issuer):
    now = int(time.time())
    for claims in ({"aud": ["shop", AUDIENCE]}, {"nbf": now + 3}, {"exp": now - 2},
                   {"nbf": now - 60}):
        client = guarded.client(issuer.token("alice", **claims))
        assert client.get("/v1/users/alice/wallets").status == 200, claims
        client.close()
    for kind in ("JWT", "at+jwt"):
        client = guarded.client(issuer.token("alice", headers={"typ": kind}))
        assert client.get("/v1/users/alice/wallets").status == 200, kind
        client.close()


def test_a_scope_that_is_missing_is_forbidden_and_admin_is_never_a_users(as_user, platform):
    user = fresh("user")
    reader, writer = as_user(user, scope="read"), as_user(user, scope="write")
    check_problem(reader.post("/v1/wallets", {"userId": user, "currency": "USD"}), 403)
    wallet = writer.wallet(user=user)
    check_problem(writer.get(f"/v1/wallets/{wallet}"), 403, "FORBIDDEN")
    assert reader.get(f"/v1/wallets/{wallet}").status == 200
    for scope in ("", None, "reader write2", "READ"):
        client = as_user(user, scope=scope)
        check_problem(client.get(f"/v1/wallets/{wallet}"), 403, "FORBIDDEN")
    admin = as_user(user, scope="openid read write admin")
    for path in ("/v1/events", "/v1/events/stream", "/v1/ledger", "/v1/api-keys"):
        check_problem(admin.get(path), 403, "FORBIDDEN")
    answer = admin.post("/v1/api-keys", {"principal": "me", "scopes": ["admin"]})
    check_problem(answer, 403, "FORBIDDEN")


def test_without_an_issuer_a_token_is_a_key_that_nobody_has(server, issuer):
    client = server.client(issuer.token("alice"))
    check_problem(client.get("/v1/users/alice/wallets"), 401, "UNAUTHENTICATED")
    client.close()


@pytest.mark.parametrize("settings", [
    {"WALLET_JWT_ISSUER": "https://issuer.example"},
    {"WALLET_JWT_ISSUER": "https://issuer.example", "WALLET_JWT_AUDIENCE": "wallet"},
    {"WALLET_JWT_ISSUER": "a", "WALLET_JWT_AUDIENCE": "b",
     "WALLET_JWT_JWKS_URL": "http://issuer.example/keys"},
    {"WALLET_JWT_ISSUER": "a", "WALLET_JWT_AUDIENCE": "b", "WALLET_JWT_JWKS_URL": "keys.json"},
])
def test_half_an_issuer_or_one_without_encryption_stops_the_start(new_server, settings):
    with pytest.raises(AssertionError, match="not ready"):
        new_server(**settings)


# --- What is another's ---------------------------------------------------------------------------


@pytest.fixture
def two_users(as_user, platform):
    """Alice, and Bob of whose things there is one of every sort."""
    made = SimpleNamespace(alice=fresh("alice"), bob=fresh("bob"))
    made.client, made.bobs = as_user(made.alice), as_user(made.bob)
    made.mine = platform.wallet(1000, user=made.alice)
    made.his = platform.wallet(1000, user=made.bob)
    made.his_second = platform.wallet(user=made.bob)
    made.deposit = platform.deposit(made.his, 50, reference="salary").json["id"]
    made.withdrawal = platform.withdraw(made.his, 5).json["id"]
    made.key = fresh("key")
    made.transfer = made.bobs.transfer(made.his, made.his_second, 10, made.key).json["id"]
    made.reversal = platform.reverse(made.transfer, amount=1).json["id"]
    made.hold = platform.hold(made.his, 20).json["id"]
    captured = platform.hold(made.his, 20).json["id"]
    made.capture = platform.capture(captured).json["id"]
    made.transactions = [
        made.deposit, made.withdrawal, made.transfer, made.reversal, made.capture]
    return made


def test_nothing_of_anothers_can_be_seen_by_any_route_cursor_or_identifier(two_users, platform):
    two, client = two_users, two_users.client
    opened = two.bobs.get(f"/v1/wallets/{two.his}").json
    later = rfc3339(microseconds(opened["createdAt"]) + 1)
    wallets = ["", "/balance", f"/balance?at={quoted(later)}", "/transactions",
               "/transactions?reference=salary", "/holds", "/holds?status=open", "/statement",
               f"/statement?from={quoted(later)}"]
    for wallet in (two.his, two.his_second):
        for rest in wallets:
            assert two.bobs.get(f"/v1/wallets/{wallet}{rest}").status == 200, rest
            seen = client.get(f"/v1/wallets/{wallet}{rest}")
            missing = client.get(f"/v1/wallets/{NOBODY}{rest}")
            check_problem(seen, 404, "WALLET_NOT_FOUND")
            assert essence(seen) == essence(missing), rest
            assert seen.headers["Consistency-Token"]
    for transaction in two.transactions:
        assert two.bobs.get(f"/v1/transactions/{transaction}").status == 200
        seen = client.get(f"/v1/transactions/{transaction}")
        check_problem(seen, 404, "TRANSACTION_NOT_FOUND")
        assert essence(seen) == essence(client.get(f"/v1/transactions/{NOBODY}"))
    assert two.bobs.get(f"/v1/holds/{two.hold}").status == 200
    seen = client.get(f"/v1/holds/{two.hold}")
    check_problem(seen, 404, "HOLD_NOT_FOUND")
    assert essence(seen) == essence(client.get(f"/v1/holds/{NOBODY}"))
    check_problem(client.get(f"/v1/users/{two.bob}/wallets"), 404, "NOT_FOUND")
    check_problem(client.get(f"/v1/users/{fresh()}/wallets"), 404, "NOT_FOUND")
    assert two.bobs.get(f"/v1/idempotency-keys/{two.key}").status == 201
    check_problem(client.get(f"/v1/idempotency-keys/{two.key}"), 404, "NOT_FOUND")
    check_problem(platform.get(f"/v1/idempotency-keys/{two.key}"), 404, "NOT_FOUND")
    for path in ("/v1/wallets/%s/transactions?limit=1", "/v1/wallets/%s/holds?limit=1"):
        cursor = two.bobs.get(path % two.his).json["next"]
        check_problem(client.get(f"{path % two.his}&cursor={cursor}"), 404, "WALLET_NOT_FOUND")
        check_problem(client.get(f"{path % two.mine}&cursor={cursor}"), 400)
    cursor = two.bobs.get(f"/v1/users/{two.bob}/wallets?limit=1").json["next"]
    check_problem(client.get(f"/v1/users/{two.bob}/wallets?limit=1&cursor={cursor}"), 404)
    check_problem(client.get(f"/v1/users/{two.alice}/wallets?limit=1&cursor={cursor}"), 400)


def test_nothing_of_anothers_can_be_moved_or_changed(two_users, platform):
    two, client = two_users, two_users.client
    before = [platform.get(f"/v1/wallets/{id}").json for id in (two.his, two.his_second, two.mine)]
    for source in (two.his, two.his_second, NOBODY):
        for target in (two.mine, two.his_second, NOBODY):
            if source != target:
                answer = client.transfer(source, target, 1)
                assert check_problem(answer, 404, "WALLET_NOT_FOUND")["walletId"] == source
    for wallet in (two.his, two.mine, NOBODY):
        for what, body in (("deposits", {"amount": 1}), ("withdrawals", {"amount": 1}),
                           ("holds", {"amount": 1}), ("freeze", {}), ("unfreeze", {}),
                           ("close", {})):
            check_problem(client.post(f"/v1/wallets/{wallet}/{what}", body), 403, "FORBIDDEN")
    for hold in (two.hold, NOBODY):
        check_problem(client.capture(hold), 403, "FORBIDDEN")
        check_problem(client.capture(hold, to=two.mine), 403, "FORBIDDEN")
        check_problem(client.release(hold), 403, "FORBIDDEN")
    for transaction in (*two.transactions, NOBODY):
        check_problem(client.reverse(transaction), 403, "FORBIDDEN")
    after = [platform.get(f"/v1/wallets/{id}").json for id in (two.his, two.his_second, two.mine)]
    assert after == before
    assert platform.get(f"/v1/holds/{two.hold}").json["status"] == "open"


def test_the_other_side_of_a_payment_sees_it_without_what_is_the_payers(two_users, platform):
    two = two_users
    more = {"reference": "order-7", "description": "thanks", "metadata": {"secret": "plan"}}
    for payer in (two.bobs, platform):
        sent = payer.transfer(two.his, two.mine, 30, **more).json
        more["reference"] = "order-8"
        own = two.bobs.get(f"/v1/transactions/{sent['id']}").json
        assert own["metadata"] == {"secret": "plan"} and own["reference"].startswith("order-")
        assert [balance["walletId"] for balance in own["balances"]] == [two.his]
        seen = two.client.get(f"/v1/transactions/{sent['id']}").json
        assert (seen["metadata"], seen["reference"], seen["description"]) == ({}, None, "thanks")
        assert [balance["walletId"] for balance in seen["balances"]] == [two.mine]
        assert (seen["from"], seen["to"], seen["amount"]) == (two.his, two.mine, 30)
        listed = two.client.history(two.mine)[-1]
        assert listed["transaction"] == seen and listed["change"] == 30
        assert two.bobs.history(two.his)[-1]["transaction"] == own
        statement = f"/v1/wallets/{two.mine}/statement"
        assert two.client.get(statement).json["entries"][-1] == listed
        text = two.client.get(statement, Accept="text/csv").raw.decode()
        assert sent["id"] in text and "order-" not in text and "plan" not in text
        assert "order-" in two.bobs.get(
            f"/v1/wallets/{two.his}/statement", Accept="text/csv").raw.decode()
        whole = platform.get(f"/v1/transactions/{sent['id']}").json
        assert len(whole["balances"]) == 2 and whole["metadata"] == {"secret": "plan"}
    assert [balance["walletId"] for balance in sent["balances"]] == [two.his, two.mine]
    assert two.client.history(two.mine, reference="order-7") == []


def test_a_payers_answer_shows_no_balance_of_the_recipient_now_or_replayed(two_users):
    two, key = two_users, fresh()
    first = two.client.transfer(two.mine, two.his, 5, key)
    again = two.client.transfer(two.mine, two.his, 5, key)
    kept = two.client.get(f"/v1/idempotency-keys/{key}")
    assert [balance["walletId"] for balance in first.json["balances"]] == [two.mine]
    assert essence(first) == essence(again) == essence(kept)
    assert is_replay(again) and is_replay(kept)
    own = two.bobs.transfer(two.his, two.his_second, 5).json
    assert [b["walletId"] for b in own["balances"]] == [two.his, two.his_second]


def test_why_a_recipient_cannot_take_money_is_not_told(two_users, platform):
    two, client = two_users, two_users.client
    closed = platform.wallet(user=two.bob)
    assert platform.change(closed, "close").status == 200
    yen = platform.wallet(currency="JPY", user=two.bob)
    full = platform.wallet(LARGEST, user=two.bob)
    mine = client.state(two.mine)
    for target in (NOBODY, closed, yen, full):
        key = fresh()
        answer = client.transfer(two.mine, target, 1, key)
        problem = check_problem(answer, 422, "RECIPIENT_UNAVAILABLE")
        assert problem["walletId"] == target
        assert set(problem) == {
            "type", "title", "status", "detail", "code", "retryable", "requestId", "walletId"}
        again = client.transfer(two.mine, target, 1, key)
        assert essence(again) == essence(answer) and is_replay(again)
        # Who has not enough learns nothing of the recipient at all.
        check_problem(client.transfer(two.mine, target, 10**9), 422, "INSUFFICIENT_FUNDS")
    assert client.state(two.mine) == mine
    frozen = platform.wallet(user=two.bob)
    assert platform.change(frozen, "freeze").status == 200
    assert client.transfer(two.mine, frozen, 1).status == 201
    assert client.transfer(two.mine, two.his_second, 1).status == 201


def test_what_is_wrong_with_ones_own_side_is_told(two_users, platform):
    two, client = two_users, two_users.client
    check_problem(client.transfer(two.mine, two.mine, 1), 422, "SAME_WALLET")
    check_problem(client.transfer(two.his, two.his, 1), 422, "SAME_WALLET")
    check_problem(
        client.transfer(two.mine, two.his, 1, currency="EUR"), 422, "CURRENCY_MISMATCH")
    assert client.transfer(two.mine, two.his, 1, reference="r").status == 201
    check_problem(
        client.transfer(two.mine, two.his, 1, reference="r"), 409, "REFERENCE_ALREADY_USED")
    body = {"from": two.mine, "to": two.his, "amount": 1}
    check_problem(client.post("/v1/transfers", body, If_Match='"v1"'), 412, "VERSION_MISMATCH")
    assert platform.change(two.mine, "freeze").status == 200
    check_problem(client.transfer(two.mine, two.his, 1), 422, "WALLET_FROZEN")


def test_a_batch_of_a_user_does_what_its_single_calls_do_and_no_more(two_users, platform):
    two, client = two_users, two_users.client
    before = [platform.state(wallet) for wallet in (two.his, two.his_second)]

    def operation(kind, **members):
        return {"type": kind, "idempotencyKey": fresh(), **members}

    foreign = [
        operation("deposit", walletId=two.mine, amount=1),
        operation("deposit", walletId=two.his, amount=1),
        operation("withdrawal", walletId=two.his, amount=1),
        operation("withdrawal", walletId=two.mine, amount=1),
        operation("hold", walletId=two.his, amount=1),
        operation("hold", walletId=two.mine, amount=1),
        operation("capture", holdId=two.hold), operation("capture", holdId=two.hold, to=two.mine),
        operation("release", holdId=two.hold),
        *(operation("reversal", transactionId=id) for id in two.transactions),
        operation("transfer", **{"from": two.his, "to": two.mine, "amount": 1}),
        operation("transfer", **{"from": NOBODY, "to": two.mine, "amount": 1}),
        operation("transfer", **{"from": two.mine, "to": NOBODY, "amount": 1}),
    ]
    own = operation("transfer", **{"from": two.mine, "to": two.his_second, "amount": 1})
    expected = ["FORBIDDEN"] * (len(foreign) - 3) + [
        "WALLET_NOT_FOUND", "WALLET_NOT_FOUND", "RECIPIENT_UNAVAILABLE"]
    key = fresh()
    for atomic_operation in foreign:
        body = {"atomic": True, "operations": [own, atomic_operation]}
        problem = check_problem(client.post("/v1/batches", body), 422, "BATCH_REFUSED")
        assert "results" not in problem
    assert [platform.state(wallet) for wallet in (two.his, two.his_second)] == before
    body = {"atomic": False, "operations": [*foreign, own]}
    answer = client.post("/v1/batches", body, key)
    assert answer.status == 200, answer
    results = answer.json["results"]
    assert [result["problem"]["code"] for result in results[:-1]] == expected
    assert results[-1]["status"] == 201
    seen = [balance["walletId"] for balance in results[-1]["transaction"]["balances"]]
    assert seen == [two.mine]
    again = client.post("/v1/batches", body, key)
    assert [result["status"] for result in again.json["results"]] == [
        result["status"] for result in results]
    kept = client.get(f"/v1/idempotency-keys/{key}")
    assert kept.status == 200 and two.his_second not in [
        balance["walletId"] for result in kept.json["results"] if result
        for balance in result.get("transaction", {}).get("balances", [])]
    check_problem(two.bobs.get(f"/v1/idempotency-keys/{key}"), 404, "NOT_FOUND")
    assert platform.state(two.his) == before[0]
    assert platform.total(two.his_second) == before[1][0] + 1
    assert platform.get(f"/v1/holds/{two.hold}").json["status"] == "open"


def test_a_batch_that_fails_tells_a_user_nothing_of_strangers_wallets(two_users, platform):
    two, client = two_users, two_users.client

    def probe(wallet):
        """A payment to a stranger, together with one that is sure to fail."""
        return {"atomic": True, "operations": [
            {"type": "transfer", "idempotencyKey": fresh(), "from": two.mine, "to": to,
             "amount": amount} for to, amount in ((wallet, 1), (two.his, 10**12))]}

    def told(answer):
        problem = check_problem(answer, 422, "BATCH_REFUSED")
        return {name: value for name, value in problem.items() if name != "requestId"}

    closed = platform.wallet(user=two.bob)
    assert platform.change(closed, "close").status == 200
    key = fresh()
    body = probe(two.his)
    answer = client.post("/v1/batches", body, key)
    for wallet in (two.his_second, closed, NOBODY):
        assert told(client.post("/v1/batches", probe(wallet))) == told(answer)
    again = client.post("/v1/batches", body, key)
    assert essence(again) == essence(answer) and is_replay(again)
    kept = client.get(f"/v1/idempotency-keys/{key}")
    assert kept.status == 422 and told(kept) == told(answer)
    results = platform.post("/v1/batches", probe(NOBODY)).json["results"]
    assert [result["problem"]["code"] for result in results] == [
        "WALLET_NOT_FOUND", "INSUFFICIENT_FUNDS"]


# --- Opening wallets -----------------------------------------------------------------------------


def test_a_wallet_is_opened_for_oneself_alone(as_user):
    alice = fresh("alice")
    client = as_user(alice)
    for user in (fresh("bob"), alice.upper(), alice + " "):
        check_problem(
            client.post("/v1/wallets", {"userId": user, "currency": "USD"}), 403, "FORBIDDEN")
    assert list(client.pages(f"/v1/users/{alice}/wallets")) == []


def test_of_40_wallets_opened_at_once_ten_a_currency_are(guarded, issuer, platform):
    user = fresh("user")
    token = issuer.token(user)

    def open_wallet(index):
        body = {"userId": user, "currency": "USD" if index % 2 else "EUR"}
        return guarded.client(token, timeout=60).post("/v1/wallets", body)

    answers = parallel(40, open_wallet)
    assert Counter(answer.status for answer in answers) == {201: 20, 403: 20}
    for answer in answers:
        if answer.status == 403:
            assert check_problem(answer, 403, "FORBIDDEN")["allowed"] == 10
    wallets = list(platform.pages(f"/v1/users/{user}/wallets"))
    assert Counter(wallet["currency"] for wallet in wallets) == {"USD": 10, "EUR": 10}
    assert platform.wallet(user=user), "the platform may open more"
    client = guarded.client(token)
    assert client.post("/v1/wallets", {"userId": user, "currency": "JPY"}).status == 201
    client.close()


# --- Keys of requests ----------------------------------------------------------------------------


def test_idempotency_keys_and_references_of_users_do_not_meet(two_users, platform):
    two, key = two_users, fresh()
    more = {"reference": fresh("ref")}
    answers = [client.transfer(source, target, 1, key, **more) for client, source, target in (
        (two.client, two.mine, two.his), (two.bobs, two.his, two.mine),
        (platform, two.mine, two.his))]
    assert [answer.status for answer in answers] == [201, 201, 201]
    assert len({answer.json["id"] for answer in answers}) == 3
    other = two.client.transfer(two.mine, two.his, 2, key)
    check_problem(other, 422, "IDEMPOTENCY_KEY_REUSED")


def test_a_new_token_of_the_same_user_replays_what_the_old_one_did(two_users, as_user):
    two, key = two_users, fresh()
    first = two.client.transfer(two.mine, two.his, 1, key)
    again = as_user(two.alice, jti="another").transfer(two.mine, two.his, 1, key)
    assert essence(again) == essence(first) and is_replay(again)


# --- The issuer's keys ---------------------------------------------------------------------------


@pytest.fixture
def own_issuer():
    made = Issuer()
    yield made
    made.close()


def status(server, token):
    client = server.client(token)
    try:
        return client.get("/v1/users/alice/wallets").status
    finally:
        client.close()


def test_keys_are_rotated_without_a_restart_and_removed_ones_stop_working(new_server, own_issuer):
    server = new_server(WALLET_JWT_REFRESH_SECONDS=1, **own_issuer.environment)
    old = own_issuer.token("alice")
    eventually(lambda: status(server, old) == 200, 5, "the first key")
    own_issuer.add("es-2", "ES256")
    new = own_issuer.token("alice", kid="es-2")
    eventually(lambda: status(server, new) == 200, 8, "the second key")
    own_issuer.remove("es-1")
    assert status(server, new) == 200
    eventually(lambda: status(server, old) == 401, 10, "the first key is gone")


def test_an_issuer_that_is_down_or_talks_nonsense_leaves_the_old_keys(new_server, own_issuer):
    server = new_server(WALLET_JWT_REFRESH_SECONDS=1, **own_issuer.environment)
    eventually(lambda: status(server, own_issuer.token("alice")) == 200, 5, "the first key")
    keys = own_issuer.keys
    for break_it in (
        lambda: setattr(own_issuer, "status", 500), lambda: setattr(own_issuer, "status", 302),
        lambda: setattr(own_issuer, "keys", []), lambda: setattr(own_issuer, "keys", {}),
        lambda: setattr(own_issuer, "padding", "x" * 300_000),
    ):
        break_it()
        before = own_issuer.fetches
        eventually(lambda: own_issuer.fetches > before + 1, 8, "another fetch")
        assert status(server, own_issuer.token("alice", jti=fresh())) == 200
        own_issuer.status, own_issuer.keys, own_issuer.padding = 200, keys, ""
    server.check_alive()


def test_made_up_key_names_cause_few_fetches_and_hurt_nobody(new_server, own_issuer):
    server = new_server(**own_issuer.environment)
    good = own_issuer.token("alice")
    eventually(lambda: status(server, good) == 200, 5, "the first key")
    before, started = own_issuer.fetches, time.monotonic()

    def flood(index):
        client = server.client()
        for round in range(50):
            client.secret = own_issuer.token("alice", headers={"kid": f"{index}-{round}"})
            check_problem(client.get("/v1/users/alice/wallets"), 401, "UNAUTHENTICATED")
        client.close()

    parallel(8, flood)
    assert own_issuer.fetches - before <= 1 + (time.monotonic() - started) / 5
    assert status(server, good) == 200


def test_without_any_keys_users_wait_for_better_times_and_the_platform_works(
        new_server, own_issuer):
    own_issuer.status = 500
    server = new_server(**own_issuer.environment)
    client = server.client(own_issuer.token("alice"))
    eventually(
        lambda: client.get("/v1/users/alice/wallets").status == 503, 5, "no keys, no answer")
    assert server.client().wallet(10)
    own_issuer.status = 200
    eventually(lambda: client.get("/v1/users/alice/wallets").status == 200, 15, "keys at last")
    client.close()


def test_keys_can_lie_in_a_file(new_server, own_issuer, tmp_path):
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": own_issuer.keys}))
    settings = own_issuer.environment | {"WALLET_JWT_JWKS_URL": f"file:{file}"}
    server = new_server(**settings)
    eventually(lambda: status(server, own_issuer.token("alice")) == 200, 5, "the key in the file")


def test_a_stop_does_not_wait_for_a_slow_issuer(new_server, own_issuer):
    own_issuer.delay = 4
    server = new_server(**own_issuer.environment)
    eventually(lambda: own_issuer.fetches, 5, "the first fetch")
    started = time.monotonic()
    assert server.sigterm() == 0
    assert time.monotonic() - started < 3
