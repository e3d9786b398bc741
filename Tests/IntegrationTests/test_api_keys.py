"""API keys over HTTP, and the books that only an administrator sees."""

import time

import pytest
from wallet_client import check_problem, essence, eventually, fresh, is_replay, parallel


def create(client, principal, *scopes, key=None):
    return client.post("/v1/api-keys", {"principal": principal, "scopes": list(scopes)}, key)


def made(server, client, principal, *scopes):
    """A new key, and a client that bears it."""
    answer = create(client, principal, *scopes)
    assert answer.status == 201, answer
    server.secrets.append(answer.json["secret"])
    return answer.json, server.client(answer.json["secret"])


def test_a_new_key_works_at_once_within_its_scopes(server, client):
    principal = fresh("shop")
    key, shop = made(server, client, principal, "read", "write")
    assert key | {"id": "", "createdAt": "", "secret": ""} == {
        "id": "", "principal": principal, "scopes": ["read", "write"], "createdAt": "",
        "revokedAt": None, "secret": ""}
    assert key["id"].startswith("key_") and key["secret"].startswith("wk_")
    wallet = shop.wallet(100)
    assert shop.total(wallet) == 100
    deposit = shop.deposit(wallet, 1)
    assert deposit.json["actor"] == principal
    for answer in (shop.get("/v1/events"), shop.get("/v1/api-keys"), shop.get("/v1/ledger"),
                   create(shop, "me", "admin"), shop.post(f"/v1/api-keys/{key['id']}/revoke", {})):
        check_problem(answer, 403, "FORBIDDEN")
    shop.close()


def test_a_revoked_key_stops_working_within_five_seconds(server, client):
    key, shop = made(server, client, fresh("shop"), "read")
    assert shop.get("/v1/users/nobody/wallets").status == 200
    path = f"/v1/api-keys/{key['id']}/revoke"
    revoked = client.post(path, {})
    assert revoked.status == 200 and revoked.json["revokedAt"] >= key["createdAt"]
    assert "secret" not in revoked.json
    eventually(
        lambda: shop.get("/v1/users/nobody/wallets").status == 401, 5, "the key is revoked")
    for body in ({}, None):
        again = client.post(path, body)
        assert (again.status, again.json) == (200, revoked.json)
    check_problem(client.post("/v1/api-keys/key_nobody/revoke", {}), 404, "NOT_FOUND")
    shop.close()


def test_the_same_request_makes_one_key_and_shows_its_secret_once(server, client):
    principal, key = fresh("shop"), fresh()
    answers = parallel(10, lambda _: create(server.client(), principal, "read", key=key))
    assert {answer.status for answer in answers} == {201}
    secrets = [a.json["secret"] for a in answers if a.json["secret"]]
    assert len(secrets) == 1 and [is_replay(a) for a in answers].count(False) == 1
    server.secrets += secrets
    assert len({answer.json["id"] for answer in answers}) == 1
    again = create(client, principal, "read", key=key)
    assert is_replay(again) and again.json["secret"] is None
    for other in (create(client, principal, "read", "write", key=key),
                  create(client, principal + "2", "read", key=key),
                  create(client, "", "read", key=key)):
        check_problem(other, 422, "IDEMPOTENCY_KEY_REUSED")
    check_problem(
        client.request("POST", "/v1/api-keys", {"principal": "a", "scopes": ["read"]},
                       headers={"Idempotency-Key": None}), 400, "IDEMPOTENCY_KEY_REQUIRED")


def test_a_key_that_replaces_another_replays_what_that_one_did(server, client):
    principal = fresh("shop")
    _, old = made(server, client, principal, "read", "write")
    _, new = made(server, client, principal, "read", "write")
    wallet, key = old.wallet(), fresh()
    first, again = old.deposit(wallet, 5, key), new.deposit(wallet, 5, key)
    assert essence(first) == essence(again) and is_replay(again) and new.total(wallet) == 5
    old.close(), new.close()


@pytest.mark.parametrize("body, status, code", [
    ({"principal": "p"}, 400, "MALFORMED_REQUEST"),
    ({"principal": "p", "scopes": "read"}, 400, "MALFORMED_REQUEST"),
    ({"principal": "p", "scopes": [1]}, 400, "MALFORMED_REQUEST"),
    ({"principal": "p", "scopes": ["read"], "secret": "x"}, 400, "MALFORMED_REQUEST"),
    ({"principal": "p", "scopes": []}, 422, "VALIDATION_FAILED"),
    ({"principal": "p", "scopes": ["root"]}, 422, "VALIDATION_FAILED"),
    ({"principal": "p", "scopes": ["read", "read"]}, 422, "VALIDATION_FAILED"),
    ({"principal": "", "scopes": ["read"]}, 422, "VALIDATION_FAILED"),
    ({"principal": "a b", "scopes": ["read"]}, 422, "VALIDATION_FAILED"),
    ({"principal": "x" * 129, "scopes": ["read"]}, 422, "VALIDATION_FAILED"),
])
def test_a_key_without_a_name_or_scopes_is_not_made(client, body, status, code):
    before = [key["id"] for key in client.pages("/v1/api-keys", limit=200)]
    check_problem(client.post("/v1/api-keys", body), status, code)
    assert [key["id"] for key in client.pages("/v1/api-keys", limit=200)] == before


def test_keys_are_listed_in_pages_without_their_secrets(client):
    ids = [create(client, fresh("page"), "read").json["id"] for _ in range(5)]
    listed = list(client.pages("/v1/api-keys", limit=2))
    assert [key["id"] for key in listed][-5:] == ids
    assert len({key["id"] for key in listed}) == len(listed)
    assert all("secret" not in key and "hash" not in key for key in listed)
    assert listed[0]["principal"] == "bootstrap"


def test_keys_made_over_http_and_by_the_command_line_are_the_same_kind(server, client):
    key, shop = made(server, client, fresh("shop"), "read")
    assert key["id"] in server.run("keys list").stdout
    assert server.run("keys revoke", key["id"]).returncode == 0
    eventually(lambda: shop.get("/v1/users/nobody/wallets").status == 401, 5, "it is revoked")
    shop.close()


def test_a_flood_of_unknown_tokens_does_not_keep_a_good_key_out(server, client):
    _, shop = made(server, client, fresh("shop"), "read")
    stop = time.monotonic() + 6

    def flood(index):
        bad = server.client()
        while time.monotonic() < stop:
            bad.secret = fresh("bad")
            assert bad.get("/v1/users/nobody/wallets").status == 401
        bad.close()

    def good():
        count = 0
        while time.monotonic() < stop:
            assert shop.get("/v1/users/nobody/wallets").status == 200
            count += 1
        return count

    before = server.resident_megabytes()
    results = parallel(5, lambda index: flood(index) if index else good())
    assert results[0] > 50
    assert server.resident_megabytes() - before < 50
    shop.close()


def test_the_trial_balance_adds_up_to_nothing_in_every_currency(server, client):
    before = {line["currency"]: line for line in client.get("/v1/ledger").json["currencies"]}
    first, second = client.wallet(700, "CHF"), client.wallet(currency="CHF")
    assert client.transfer(first, second, 200).status == 201
    assert client.withdraw(second, 50).status == 201
    assert client.hold(first, 30).status == 201
    answer = client.get("/v1/ledger")
    books = answer.json
    assert set(books) == {"ledgerId", "position", "hash", "recordedAt", "currencies"}
    for line in books["currencies"]:
        assert line["external"] + line["wallets"]["total"] == line["sum"] == 0
    assert [line["currency"] for line in books["currencies"]] == sorted(
        line["currency"] for line in books["currencies"])
    line = next(line for line in books["currencies"] if line["currency"] == "CHF")
    none = {"external": 0, "wallets": {"count": 0, "total": 0, "held": 0}}
    old = before.get("CHF", none)
    assert line["external"] == old["external"] - 650
    assert line["wallets"] == {
        "count": old["wallets"]["count"] + 2, "total": old["wallets"]["total"] + 650,
        "held": old["wallets"]["held"] + 30}
    record = client.get(f"/v1/events?after={books['position'] - 1}&limit=1").json["items"][0]
    assert (record["position"], record["hash"]) == (books["position"], books["hash"])
    assert answer.headers["Consistency-Token"]
