"""The program as a client: what people type, what they see, and what scripts can rely on."""

import csv
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from wallet_client import BINARY, BOOTSTRAP_KEY, INHERITED, ROOT, fresh

DONE, REFUSED, USAGE, UNCERTAIN = 0, 1, 2, 3
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
NOBODY = "0198c0de-0000-7000-8000-000000000001"


class Shell:
    """Types client commands."""

    def __init__(self, port, secret=BOOTSTRAP_KEY):
        self.environment = INHERITED | {"WALLET_URL": f"http://127.0.0.1:{port}"}
        if secret:
            self.environment["WALLET_API_KEY"] = secret

    def start(self, *words):
        return subprocess.Popen(
            [BINARY, *map(str, words)], env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *words, code=DONE):
        process = self.start(*words)
        process.out, process.err = process.communicate(timeout=90)
        assert process.returncode == code, (words, process.returncode, process.out, process.err)
        assert "Fatal" not in process.err
        return process

    def text(self, *words):
        done = self.run(*words)
        assert not done.err, done.err
        return done.out

    def lines(self, *words):
        """What --json shows: an object a line."""
        return [json.loads(line) for line in self.text(*words, "--json").splitlines()]

    def json(self, *words):
        (value,) = self.lines(*words)
        return value

    def refusal(self, *words, code=REFUSED):
        """What --json says of a failure."""
        failed = self.run(*words, "--json", code=code)
        assert not failed.out
        return json.loads(failed.err)["error"]

    def wallet(self, funds=None, currency="USD"):
        opened = self.json("create", "--user", fresh("u"), "--currency", currency)["id"]
        if funds:
            self.text("deposit", opened, funds)
        return opened


@pytest.fixture
def shell(server):
    yield Shell(server.port)
    server.check_alive()


def fields(text):
    """The two columns of a result."""
    return dict(re.split(r" {2,}", line, maxsplit=1) for line in text.splitlines())


# --- Money ---------------------------------------------------------------------------------------


def test_money_moves_in_major_units_for_people_and_in_minor_units_for_scripts(shell, client):
    user = fresh("u")
    alice = fields(shell.text(
        "create", "--user", user, "--currency", "USD", "--metadata", "tier=gold"))["wallet"]
    bob = shell.wallet()
    deposit = fields(shell.text(
        "deposit", alice, "100.00", "--reference", "pay-1", "--description", "Top-up",
        "--metadata", "card=1234", "--metadata", "note=a=b"))
    assert deposit["amount"] == "100.00 USD" and deposit["reference"] == "pay-1"
    recorded = client.get(f"/v1/transactions/{deposit['transaction']}").json
    assert recorded["amount"] == 10_000 and recorded["description"] == "Top-up"
    assert recorded["metadata"] == {"card": "1234", "note": "a=b"}
    assert shell.json("transaction", deposit["transaction"])["id"] == recorded["id"]
    transfer = shell.json("transfer", alice, bob, "10.5")
    assert (transfer["amount"], transfer["from"], transfer["to"]) == (1_050, alice, bob)
    assert shell.json("withdraw", bob, "0.01", "--currency", "USD")["amount"] == 1
    assert client.total(alice) == 8_950 and client.total(bob) == 1_049
    shown = fields(shell.text("show", alice))
    assert shown["available"] == "89.50 USD" and shown["metadata"] == "tier=gold"
    assert shell.json("show", alice)["balance"] == {
        "available": 8_950, "held": 0, "total": 8_950}
    assert fields(shell.text("balance", bob))["total"] == "10.49 USD"
    then = shell.json("balance", alice, "--at", deposit["recorded"])
    assert then["total"] == 10_000 and then["existed"]
    assert not shell.json("balance", alice, "--at", "2001-01-01")["existed"]
    assert [wallet["id"] for wallet in shell.lines("list", user)] == [alice]
    assert alice in shell.text("list", user)


@pytest.mark.parametrize("currency, amount, minor", [
    ("JPY", "5", 5), ("KWD", "1.234", 1_234), ("CLF", "0.0001", 1),
    ("USD", "90071992547409.91", 2**53 - 1)])
def test_amounts_have_the_decimals_of_their_currency(shell, currency, amount, minor):
    wallet = shell.wallet(currency=currency)
    assert shell.json("deposit", wallet, amount)["amount"] == minor
    assert fields(shell.text("balance", wallet))["total"] == f"{amount} {currency}"


@pytest.mark.parametrize("currency, amount", [
    ("JPY", "5.0"), ("USD", "10.505"), ("USD", "10.500"), ("USD", "1e3"), ("USD", "1,000"),
    ("USD", "0"), ("USD", "0.00"), ("USD", "90071992547409.92"), ("USD", "ten"), ("USD", ""),
    ("USD", "9" * 40)])
def test_an_amount_that_would_have_to_be_guessed_is_refused_and_moves_nothing(
        shell, client, currency, amount):
    wallet = shell.wallet(currency=currency)
    before = client.state(wallet)
    failed = shell.run("deposit", wallet, amount, code=USAGE)
    assert failed.err and not failed.out
    assert client.state(wallet) == before


def test_holds_are_placed_captured_released_and_listed(shell, client):
    wallet, shop = shell.wallet("100"), shell.wallet()
    first = fields(shell.text("hold", "place", wallet, "60", "--reference", "stay-1"))["hold"]
    second = shell.json("hold", "place", wallet, "30", "--expires-at", "2099-01-01")["id"]
    assert fields(shell.text("show", wallet))["available"] == "10.00 USD"
    assert shell.json("hold", "show", second)["expiresAt"] == "2099-01-01T00:00:00.000000Z"
    captured = shell.json("hold", "capture", first, "45.5", "--to", shop)
    assert (captured["type"], captured["amount"], captured["holdId"]) == ("capture", 4_550, first)
    assert fields(shell.text("hold", "release", second))["status"] == "released"
    listed = {hold["id"]: hold["status"] for hold in shell.lines("hold", "list", wallet)}
    assert listed == {first: "captured", second: "released"}
    assert second not in shell.text("hold", "list", wallet, "--status", "captured")
    assert client.total(wallet) == 5_450 and client.total(shop) == 4_550
    assert shell.refusal("hold", "capture", second)["code"] == "HOLD_NOT_OPEN"


def test_a_transaction_is_reversed_in_parts_and_then_whole(shell, client):
    wallet = shell.wallet()
    deposit = shell.json("deposit", wallet, "10.00")["id"]
    part = shell.json("reverse", deposit, "2.50", "--description", "broken")
    assert (part["amount"], part["reverses"], part["description"]) == (250, deposit, "broken")
    assert fields(shell.text("reverse", deposit))["amount"] == "7.50 USD"
    assert fields(shell.text("transaction", deposit))["reversed"] == "10.00 USD"
    assert shell.refusal("reverse", deposit)["code"] == "ALREADY_REVERSED"
    assert client.total(wallet) == 0


def test_a_wallet_is_frozen_unfrozen_and_closed(shell):
    wallet = shell.wallet("1")
    frozen = fields(shell.text("freeze", wallet, "--reason", "lost card"))
    assert frozen["status"] == "frozen"
    assert shell.refusal("withdraw", wallet, "1")["code"] == "WALLET_FROZEN"
    assert shell.json("unfreeze", wallet)["status"] == "active"
    assert shell.refusal("close", wallet)["code"] == "WALLET_NOT_EMPTY"
    shell.text("withdraw", wallet, "1")
    assert shell.json("close", wallet)["status"] == "closed"


# --- Records -------------------------------------------------------------------------------------


def test_a_history_is_listed_filtered_and_cut(shell):
    wallet = shell.wallet()
    other = shell.wallet()
    for amount in ("1", "2", "3"):
        shell.text("deposit", wallet, amount, "--reference", f"r-{amount}")
    moved = shell.json("transfer", wallet, other, "4.00")
    table = shell.text("history", wallet).splitlines()
    assert table[0].split() == [
        "TIME", "TYPE", "CHANGE", "BALANCE", "TRANSACTION", "REFERENCE"]
    assert table[1].split() == [moved["createdAt"], "transfer", "-4.00", "2.00", moved["id"]]
    assert [line.split()[2] for line in table[2:]] == ["3.00", "2.00", "1.00"]
    assert [line.split()[-1] for line in table[2:]] == ["r-3", "r-2", "r-1"]
    oldest = shell.lines("history", wallet, "--oldest-first", "--limit", "2")
    assert [entry["change"] for entry in oldest] == [100, 200]
    assert len(shell.lines("history", wallet, "--type", "deposit", "--limit", "0")) == 3
    (one,) = shell.lines("history", wallet, "--reference", "r-2")
    assert one["balanceAfter"] == 300
    assert shell.lines("history", wallet, "--to", moved["createdAt"], "--limit", "1")[0][
        "change"] == 300
    assert shell.lines("history", wallet, "--from", "2099-01-01") == []


def test_a_list_of_many_pages_is_shown_whole(shell, client):
    wallet = client.wallet()
    for _ in range(230):
        client.deposit(wallet, 1)
    entries = shell.lines("history", wallet, "--limit", "0")
    assert [entry["balanceAfter"] for entry in entries] == list(range(230, 0, -1))


def test_a_statement_is_shown_as_a_table_as_json_and_as_csv(shell):
    wallet = shell.wallet()
    shell.text("deposit", wallet, "5")
    start = shell.json("deposit", wallet, "10", "--reference", "=1+1")["createdAt"]
    shell.text("withdraw", wallet, "3")
    table = shell.text("statement", wallet, "--from", start)
    assert re.search(r"opening +5\.00 USD", table) and re.search(r"closing +12\.00 USD", table)
    statement = shell.json("statement", wallet, "--from", start)
    assert statement["opening"]["total"] == 500 and statement["closing"]["total"] == 1_200
    assert [entry["change"] for entry in statement["entries"]] == [1_000, -300]
    rows = list(csv.DictReader(io.StringIO(
        shell.text("statement", wallet, "--from", start, "--csv"))))
    assert [row["row"] for row in rows] == ["opening", "entry", "entry", "closing"]
    assert rows[0]["balanceAfter"] == "500" and rows[-1]["balanceAfter"] == "1200"
    shell.run("statement", wallet, "--csv", "--json", code=USAGE)


def test_events_are_followed_in_order_as_they_happen(shell, client):
    wallet = client.wallet(100)
    first = client.get("/v1/events?limit=1").json["items"][0]["position"]
    everything = shell.lines("events", "tail", "--after", "0", "--limit", "3")
    assert [event["position"] for event in everything] == [first, first + 1, first + 2]
    head = client.get(f"/v1/wallets/{wallet}/transactions").json["items"][0]
    position = head["transaction"]["position"]
    tail = shell.start("events", "tail", "--after", position, "--limit", "2")
    client.withdraw(wallet, 30)
    client.deposit(wallet, 5)
    out, err = tail.communicate(timeout=30)
    assert tail.returncode == DONE, err
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == [str(position + 1), str(position + 2)]
    assert f"wallet:{wallet} -0.30 USD" in lines[0] and "external:USD +0.30 USD" in lines[0]
    assert "deposited" in lines[1]


def test_following_events_survives_a_restart_of_the_service(new_server):
    server = new_server()
    # The port must stay, as an address does where a service really runs.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    gate = Gate(port, server.port)
    client = server.client()
    wallet = client.wallet(1)
    shell = Shell(port)
    tail = shell.start("events", "tail", "--json", "--limit", "4")
    seen = [json.loads(tail.stdout.readline())["position"] for _ in range(2)]
    server.kill9()
    server.start()
    gate.target = server.port
    client = server.client()
    client.deposit(wallet, 1)
    client.deposit(wallet, 1)
    out, err = tail.communicate(timeout=60)
    assert tail.returncode == DONE, err
    seen += [json.loads(line)["position"] for line in out.splitlines()]
    assert seen == list(range(seen[0], seen[0] + 4))
    gate.close()


class Gate:
    """A fixed port that leads to another one, which may change."""

    def __init__(self, port, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                inner, _ = self.listener.accept()
            except OSError:
                return
            try:
                outer = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                inner.close()
                continue
            for one, other in ((inner, outer), (outer, inner)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


# --- Keys, failures and exit codes ---------------------------------------------------------------


def test_a_key_makes_a_command_happen_once(shell, client):
    wallet, key = shell.wallet(), fresh("key")
    first = shell.json("deposit", wallet, "5", "--idempotency-key", key)
    again = shell.json("deposit", wallet, "5.00", "--idempotency-key", key)
    assert first == again and client.total(wallet) == 500
    other = shell.refusal("deposit", wallet, "6", "--idempotency-key", key)
    assert other["code"] == "IDEMPOTENCY_KEY_REUSED"
    opened = [
        shell.json("create", "--user", "u", "--currency", "USD", "--idempotency-key", key + "w")
        for _ in range(2)]
    assert opened[0]["id"] == opened[1]["id"]
    assert shell.json("outcome", key)["id"] == first["id"]
    assert first["id"] in shell.text("outcome", key)


def test_an_outcome_that_is_a_refusal_or_nothing_exits_with_1(shell):
    wallet, key = shell.wallet(), fresh("key")
    shell.refusal("withdraw", wallet, "5", "--idempotency-key", key)
    assert shell.refusal("outcome", key)["code"] == "INSUFFICIENT_FUNDS"
    nothing = shell.run("outcome", fresh("key"), code=REFUSED)
    assert "Nothing has happened" in nothing.err


def test_a_write_is_settled_by_its_key_after_the_service_was_killed(new_server):
    server = new_server()
    shell = Shell(server.port)
    wallet = shell.wallet("10")
    server.kill9()
    failed = shell.run("withdraw", wallet, "4", "--currency", "USD", code=UNCERTAIN)
    key = re.search(r"--idempotency-key (\S+)", failed.err)[1]
    assert UUID.fullmatch(key), failed.err
    server.start()
    shell = Shell(server.port)
    withdrawals = [
        shell.json("withdraw", wallet, "4", "--idempotency-key", key) for _ in range(2)]
    assert withdrawals[0] == withdrawals[1]
    assert fields(shell.text("balance", wallet))["total"] == "6.00 USD"


def test_a_write_that_the_service_cut_off_in_the_middle_happens_once(new_server):
    """It is killed while commands wait for its answer; each is typed again with its key."""
    server = new_server()
    wallet = Shell(server.port).wallet("100")
    server.restart(WALLET_COMMIT_DELAY_MS=4000)
    shell = Shell(server.port)
    running = [shell.start("withdraw", wallet, "1", "--currency", "USD") for _ in range(4)]
    time.sleep(1.5)
    server.kill9()
    keys = []
    for process in running:
        _, err = process.communicate(timeout=60)
        assert process.returncode == UNCERTAIN, err
        keys.append(re.search(r"--idempotency-key (\S+)", err)[1])
    server.start(WALLET_COMMIT_DELAY_MS=0)
    shell = Shell(server.port)
    for key in keys * 2:
        shell.text("withdraw", wallet, "1", "--idempotency-key", key)
    assert fields(shell.text("balance", wallet))["total"] == "96.00 USD"
    server.check_verifies()


def test_a_refusal_says_why_and_exits_with_1(shell):
    wallet = shell.wallet("1")
    refused = shell.run("withdraw", wallet, "5", code=REFUSED)
    assert refused.err.startswith("INSUFFICIENT_FUNDS: ") and not refused.out
    assert re.search(r"available +100 minor units", refused.err)
    assert "--idempotency-key" not in refused.err
    error = shell.refusal("withdraw", wallet, "5")
    assert error["status"] == 422 and not error["retryable"] and error["requestId"]
    assert (error["members"]["available"], error["members"]["requested"]) == (100, 500)
    assert shell.refusal("show", NOBODY)["code"] == "WALLET_NOT_FOUND"
    assert shell.refusal("show", "x/../y")["code"] == "MALFORMED_REQUEST"
    assert shell.refusal("deposit", wallet, "5", "--currency", "EUR")["code"] == (
        "CURRENCY_MISMATCH")
    version = shell.json("show", wallet)["version"]
    shell.text("deposit", wallet, "5", "--if-version", version)
    assert shell.refusal("deposit", wallet, "5", "--if-version", version)["code"] == (
        "VERSION_MISMATCH")


def test_a_bad_or_weak_key_is_refused_and_never_shown(server, shell):
    wallet = shell.wallet()
    secret = "wk_no_such_key_0123456789"
    wrong = Shell(server.port, secret).run("show", wallet, code=REFUSED)
    assert wrong.err.startswith("UNAUTHENTICATED") and secret not in wrong.err
    assert Shell(server.port, None).refusal("show", wallet)["code"] == "UNAUTHENTICATED"
    typed = Shell(server.port, None).run("show", wallet, "--key", BOOTSTRAP_KEY)
    assert "process list" in typed.err and BOOTSTRAP_KEY not in typed.err + typed.out
    reader = Shell(server.port, server.new_key(fresh("p"), "read"))
    assert reader.refusal("deposit", wallet, "1")["code"] == "FORBIDDEN"
    assert reader.json("show", wallet)["id"] == wallet
    assert reader.refusal("events", "tail")["code"] == "FORBIDDEN"


@pytest.mark.parametrize("words", [
    ["deposit"], ["deposit", NOBODY], ["nonsense"], ["create", "--user", "u"],
    ["balance", NOBODY, "--at", "yesterday"], ["history", NOBODY, "--limit", "-1"],
    ["deposit", NOBODY, "1", "--idempotency-key", "two words"],
    ["deposit", NOBODY, "1", "--metadata", "novalue"],
    ["deposit", NOBODY, "1", "--currency", "usd"], ["events", "tail", "--after", "-1"],
    ["show", NOBODY, "--url", "wallet.internal"], ["deposit", NOBODY, "1", "--if-version", "x"]])
def test_a_command_that_cannot_be_understood_exits_with_2(shell, words):
    failed = shell.run(*words, code=USAGE)
    assert failed.err and not failed.out


def test_a_service_that_is_not_there_exits_with_3(server):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        shell = Shell(probe.getsockname()[1])
        failed = shell.run("show", NOBODY, code=UNCERTAIN)
        assert "CONNECTION_FAILED" in failed.err and "--idempotency-key" not in failed.err
        key = fresh("key")
        error = shell.refusal(
            "deposit", NOBODY, "1", "--currency", "USD", "--idempotency-key", key,
            code=UNCERTAIN)
        assert error["retryable"] and error["idempotencyKey"] == key


def test_other_peoples_text_cannot_play_with_the_terminal(shell, client):
    wallet = client.wallet()
    client.deposit(wallet, 1, description="\x1b[2Jgone\r\nstatus  active\u202e")
    shown = shell.text("transaction", shell.lines("history", wallet)[0]["transaction"]["id"])
    assert "\x1b" not in shown and "\u202e" not in shown
    assert "\ufffd[2Jgone\ufffd\ufffdstatus  active\ufffd" in shown


def test_a_reader_that_leaves_ends_the_command_quietly(server, client):
    wallet = client.wallet()
    for _ in range(30):
        client.deposit(wallet, 1)
    shell = Shell(server.port)
    read, write = os.pipe()
    process = subprocess.Popen(
        [BINARY, "events", "tail"], env=shell.environment, stdin=subprocess.DEVNULL,
        stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert os.read(read, 10)
    os.close(read)
    client.deposit(wallet, 1)
    client.deposit(wallet, 1)
    _, err = process.communicate(timeout=30)
    assert process.returncode in (DONE, -signal.SIGPIPE) and not err


def test_the_help_groups_the_commands(shell):
    text = shell.text("--help")
    for group, command in (("WALLET", "create"), ("MONEY", "deposit"), ("RECORD", "history")):
        section = text.split(f"{group} SUBCOMMANDS:")[1].split("SUBCOMMANDS:")[0]
        assert re.search(rf"^  {command} ", section, re.MULTILINE), (group, text)
    assert "exit with 0" in " ".join(text.split())


def test_the_commands_in_the_documentation_work_as_they_stand(server, client, tmp_path):
    guide = (ROOT / "docs/client.md").read_text()
    script = "\n".join(re.findall(r"```sh\n(.*?)```", guide, re.DOTALL))
    for shown, real in (("http://127.0.0.1:8080", f"http://127.0.0.1:{server.port}"),
                        ("wk_…", BOOTSTRAP_KEY), ("user alice", f"user {fresh('u')}"),
                        ("order-42", fresh("order"))):
        assert shown in script, shown
        script = script.replace(shown, real)
    (tmp_path / "wallet").symlink_to(BINARY)
    # Of jq, all that the guide uses.
    (tmp_path / "jq").write_text(
        f"#!{sys.executable}\nimport json, sys\nassert sys.argv[1:] == ['-r', '.id']\n"
        "print(json.load(sys.stdin)['id'])\n")
    (tmp_path / "jq").chmod(0o755)
    ran = subprocess.run(
        ["bash", "-euc", script + '\nwallet balance "$ALICE" --json'],
        env=INHERITED | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}, capture_output=True,
        text=True, timeout=60)
    assert ran.returncode == 0, (ran.stdout, ran.stderr)
    assert json.loads(ran.stdout.splitlines()[-1])["total"] == 10_000 - 1_050 + 500
