"""A ledger is moved, copied, rebuilt, erased from and anchored, and is whole each time."""

import json
import random
import sqlite3
import subprocess
import time

import pytest
import synthetic_ledger
from synthetic_ledger import TYPES, SyntheticLedger, every_type, many, sealed
from wallet_client import (
    BINARY,
    INHERITED,
    SEED,
    Book,
    Load,
    Operation,
    Server,
    check_problem,
    essence,
    eventually,
    fresh,
    is_replay,
    quoted,
)

PROJECTIONS = ("wallets", "entries", "holds", "idempotency_keys", "transaction_references",
               "reversals", "external_accounts")


def wallet(command, *arguments, database=None, stdin=None, **environment):
    """Runs a command of the program, and returns its exit code and what it said."""
    given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    location = ["--database", f"sqlite:{database}"] if database else []
    return subprocess.run(
        [BINARY, *command.split(), *location, *map(str, arguments)], capture_output=True,
        timeout=100, env=INHERITED | environment, **given)


def succeeds(*arguments, **more):
    done = wallet(*arguments, **more)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout.decode()


def fails(*arguments, **more):
    """Runs a command that must fail, and returns what it said."""
    done = wallet(*arguments, **more)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 1, (done.returncode, said)
    assert "Fatal error" not in said, said
    return said


def exported(database):
    done = wallet("export", database=database)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(keepends=True)


def events(lines):
    return [line for line in lines if line.startswith(b'{"position"')]


def head(lines):
    return json.loads(lines[0])["head"]


def rows(database, sql, *values):
    with sqlite3.connect(database) as connection:
        found = connection.execute(sql, values).fetchall()
    connection.close()
    return found


@pytest.fixture(scope="module")
def synthetic():
    """The lines of a ledger with every type of event."""
    lines = every_type(random.Random(f"{SEED}:synthetic"))[1]
    assert {json.loads(line)["event"]["type"] for line in events(lines)} == TYPES
    return lines


@pytest.fixture(scope="module")
def long_export():
    """The lines of a ledger that takes seconds to import."""
    made = SyntheticLedger(random.Random(f"{SEED}:long"))
    return made.export(list(many(made, 12_000, 200)))


@pytest.fixture
def imported(synthetic, tmp_path):
    """The database of a ledger with every type of event."""
    database = tmp_path / "imported.sqlite"
    succeeds("import", database=database, stdin=b"".join(synthetic))
    return database


@pytest.fixture
def serve(tmp_path):
    """Starts the service on a database."""
    servers = []

    def start(database, bootstrap=True):
        server = Server(tmp_path / f"serves-{len(servers)}")
        if not bootstrap:
            server.environment = {}
        server.file, server.database = database, f"sqlite:{database}"
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.stop()
        Server.created.remove(server)


# --- Export and import ---------------------------------------------------------------------------


def test_a_ledger_of_every_type_of_event_arrives_whole(synthetic, imported):
    succeeds("verify", database=imported)
    again = exported(imported)
    assert again[1:-1] == synthetic[1:-1]
    before, after = json.loads(synthetic[0]), json.loads(again[0])
    assert after["ledger"] == before["ledger"] and after["epochs"][:-1] == before["epochs"]
    assert after["epochs"][-1]["firstPosition"] == before["head"]["position"] + 1
    assert head(again)["hash"] == head(synthetic)["hash"]
    assert head(again)["epoch"] == after["epochs"][-1]["epoch"] > head(synthetic)["epoch"]


def test_keys_made_elsewhere_replay_after_an_import(synthetic, imported, serve):
    server = serve(imported)
    client = server.client("wk_synthetic_0")
    event = next(json.loads(line)["event"] for line in events(synthetic)
                 if b'"type":"withdrawn"' in line)
    source = event["balances"][0]["wallet"]
    again = client.withdraw(source, 20, key=f"k-{event['position']}")
    assert again.status == 201 and is_replay(again), again
    assert again.json["id"] == event["transaction"]
    other = client.withdraw(source, 21, key=f"k-{event['position']}")
    check_problem(other, 422, "IDEMPOTENCY_KEY_REUSED")
    assert server.client("wk_synthetic_1").get(f"/v1/wallets/{source}").status == 401
    assert client.withdraw(source, 1).status == 201
    assert server.sigterm() == 0
    server.check_verifies()


def test_an_export_under_load_is_one_moment_and_imports_with_all_its_keys(
        new_server, serve, tmp_path, rng):
    server = new_server()
    client = server.client()
    book = Book(client, 20, funds=300)
    text = {"description": "tea", "metadata": {"a": "b"}}
    load = Load(server, lambda dice: Operation.random(dice, book.wallets), rng, threads=4)
    named = client.deposit(book.wallets[0], 5, "named-key", reference="order-9", **text)
    refused = client.withdraw(book.wallets[0], 10**9, "refused-key")
    check_problem(refused, 422, "INSUFFICIENT_FUNDS")
    time.sleep(0.5)
    lines = exported(server.file)
    load.stop()
    assert not load.failed and len(load.done) > 50
    position = head(lines)["position"]
    later = client.deposit(book.wallets[0], 1)
    assert later.json["position"] > position == len(events(lines))

    target = tmp_path / "target.sqlite"
    said = succeeds("import", database=target, stdin=b"".join(lines))
    assert head(lines)["hash"] in said
    succeeds("verify", database=target)
    other = serve(target)
    moved = other.client()
    known = [(operation, answer) for operation, answer in load.done
             if answer.json["position"] <= position]
    assert len(known) > 20
    for operation, answer in known:
        again = operation.send(moved)
        assert essence(again) == essence(answer) and is_replay(again), operation
    for again, answer in (
            (moved.deposit(book.wallets[0], 5, "named-key", reference="order-9", **text), named),
            (moved.withdraw(book.wallets[0], 10**9, "refused-key"), refused)):
        assert essence(again) == essence(answer) and is_replay(again), again
    found = moved.get(f"/v1/transactions/{named.json['id']}").json
    assert (found["description"], found["metadata"]) == ("tea", {"a": "b"})

    path = f"/v1/wallets/{book.wallets[0]}/balance"
    old = named.headers["Consistency-Token"]
    assert moved.get(path, **{"Consistency-Token": old}).status == 200
    lost = moved.get(path, **{"Consistency-Token": later.headers["Consistency-Token"]})
    check_problem(lost, 409, "TOKEN_UNKNOWN")
    own = moved.deposit(book.wallets[0], 1)
    assert moved.get(
        path, **{"Consistency-Token": own.headers["Consistency-Token"]}).status == 200
    assert other.sigterm() == 0
    other.check_verifies()


def test_the_key_of_a_long_batch_tells_as_much_after_an_import(new_server, serve, tmp_path):
    server = new_server()
    client = server.client()
    source, target = client.wallet(1_000), client.wallet()
    key, other = fresh("batch"), fresh("batch")
    for name in (key, other):
        operations = [{"type": "transfer", "from": source, "to": target, "amount": 1,
                       "idempotencyKey": f"{name}-{index}"} for index in range(300)]
        answer = client.post("/v1/batches", {"atomic": False, "operations": operations}, name)
        assert answer.status == 200, answer
    path = f"/v1/idempotency-keys/{key}"
    before = client.get(path)
    assert len(before.json["results"]) == 300 and None not in before.json["results"]
    moved = tmp_path / "moved.sqlite"
    succeeds("import", database=moved, stdin=b"".join(exported(server.file)))
    after = serve(moved).client().get(path)
    assert (after.status, after.json) == (before.status, before.json)


def test_what_a_hostile_caller_made_the_ledger_remember_can_be_moved(new_server, tmp_path):
    server = new_server()
    client = server.client()

    def unescaped(body):
        return json.dumps(body, ensure_ascii=False).encode()

    # One character to whoever counts characters: a letter with marks on it.
    code = "A" + "\u0301" * 400_000
    operation = {"type": "deposit", "idempotencyKey": "one", "walletId": client.wallet(),
                 "amount": 1, "currency": code}
    body = {"atomic": True, "operations": [operation]}
    answer = client.post("/v1/batches", unescaped(body), "hostile")
    problem = check_problem(answer, 422, "BATCH_REFUSED")
    assert problem["results"][0]["problem"]["currency"] == code[:16]
    # Names that are unknown are shown, but not all of them.
    unknown = operation | {"amount": 1, code: 1, "currency": "USD"}
    for answer in (
            client.get("/v1/events?" + quoted(code[:500]) + "=1"),
            client.post("/v1/batches", unescaped({"atomic": True, "operations": [unknown]}))):
        detail = check_problem(answer, 400, "MALFORMED_REQUEST")["detail"]
        assert code[:64] in detail and code[:65] not in detail
    lines = exported(server.file)
    target = tmp_path / "target.sqlite"
    succeeds("import", database=target, stdin=b"".join(lines))
    assert exported(target)[1:-1] == lines[1:-1]
    assert max(map(len, lines)) < 4_096


def test_api_keys_that_cannot_be_made_are_not_imported(synthetic, tmp_path):
    number, line = next((number, json.loads(line)) for number, line in enumerate(synthetic)
                        if line.startswith(b'{"apiKey"'))
    for change in ({"scopes": 0}, {"scopes": 8}, {"scopes": -1}, {"principal": ""},
                   {"principal": "a b"}, {"principal": "a" * 129}):
        lines = list(synthetic)
        lines[number] = json.dumps(line | change, separators=(",", ":")).encode() + b"\n"
        said = fails("import", database=tmp_path / f"{fresh()}.sqlite", stdin=b"".join(lines))
        assert f"Line {number + 1}: no such API key can be made" in said, change


def test_an_export_that_begins_later_goes_on_from_there_and_is_no_ledger(imported, tmp_path):
    part = wallet("export", "--from", 10, database=imported).stdout.splitlines(keepends=True)
    whole = exported(imported)
    assert events(part) == events(whole)[9:]
    after = json.loads(part[0])["after"]
    assert after == {"position": 9, "hash": json.loads(events(whole)[8])["hash"]}
    said = fails("import", database=tmp_path / "new.sqlite", stdin=b"".join(part))
    assert "Line 1" in said and "position 9" in said
    assert "no position" in fails("export", "--from", 999, database=imported)
    assert "no position" in fails("export", "--from", 0, database=imported)


def test_an_empty_ledger_can_be_moved(tmp_path):
    empty, target = tmp_path / "empty.sqlite", tmp_path / "target.sqlite"
    succeeds("keys create", "--create", "--principal", "shop", database=empty)
    lines = exported(empty)
    assert len(lines) == 3 and head(lines)["position"] == 0
    succeeds("import", database=target, stdin=b"".join(lines))
    succeeds("verify", database=target)
    assert exported(target)[1] == lines[1]


def test_an_import_into_a_ledger_that_is_not_empty_changes_nothing(synthetic, imported, tmp_path):
    before = exported(imported)
    assert "not empty" in fails("import", database=imported, stdin=b"".join(synthetic))
    assert exported(imported) == before
    keys = tmp_path / "keys.sqlite"
    succeeds("keys create", "--create", "--principal", "shop", database=keys)
    assert "not empty" in fails("import", database=keys, stdin=b"".join(synthetic))
    assert "shop" in succeeds("keys list", database=keys)


def flipped(lines, index, rng):
    line = bytearray(lines[index])
    line[rng.randrange(len(line) - 1)] ^= 1 << rng.randrange(7)
    return [*lines[:index], bytes(line), *lines[index + 1:]]


@pytest.mark.parametrize("damage", ["a flipped bit", "a missing line", "a line twice", "a swap"])
@pytest.mark.deadline(300)
def test_damage_at_any_line_is_found_and_leaves_an_empty_ledger(synthetic, tmp_path, rng, damage):
    database = tmp_path / "target.sqlite"
    for index in range(len(synthetic)):
        last = index == len(synthetic) - 1
        if damage == "a swap" and last:
            continue
        lines = {
            "a flipped bit": lambda index=index: flipped(synthetic, index, rng),
            "a missing line": lambda index=index: synthetic[:index] + synthetic[index + 1:],
            "a line twice": lambda index=index: [*synthetic[:index + 1], *synthetic[index:]],
            "a swap": lambda index=index: [
                *synthetic[:index], synthetic[index + 1], synthetic[index],
                *synthetic[index + 2:]]}[damage]()
        said = fails("import", database=database, stdin=b"".join(lines))
        named = int(said.partition("Line ")[2].partition(":")[0])
        if damage == "a flipped bit" and b'{"position"' in synthetic[index]:
            assert named == index + 1, (index, said)
        assert index + 1 <= named <= len(synthetic) + 1, (index, said)
        for table in ("log", "texts", "refusals", "api_keys", *PROJECTIONS):
            assert rows(database, f"SELECT COUNT(*) FROM {table}") == [(0,)], (index, table)
    succeeds("verify", database=database)
    succeeds("import", database=database, stdin=b"".join(synthetic))
    succeeds("verify", database=database)


def rewritten(lines, change):
    """The lines with changed events, hashed anew by someone who knows how."""
    first = json.loads(lines[0])
    digest, made = bytes.fromhex(first["after"]["hash"]), []
    for line in events(lines):
        event = json.loads(line)["event"]
        position = event["position"]
        change(event)
        raw = synthetic_ledger.canonical(event)
        digest = synthetic_ledger.sha256(digest, raw)
        made.append(b'{"position":%d,"hash":"%s","event":%s}\n' % (
            position, digest.hex().encode(), raw))
    return resealed(lines, made)


def resealed(lines, made):
    """An export of these events, with whatever else of the lines still belongs to them."""
    end = json.loads(made[-1])
    first = json.loads(lines[0])
    first["head"] |= {"position": end["position"], "hash": end["hash"],
                      "recordedAt": end["event"]["recordedAt"]}
    kept = [epoch for epoch in first["epochs"] if epoch["firstPosition"] <= end["position"]]
    first["epochs"], first["head"]["epoch"] = kept, kept[-1]["epoch"]
    beside = [line for line in lines[1:-1] if not line.startswith(b'{"position"') and not (
        line.startswith(b'{"text"') and json.loads(line)["text"] > end["position"])]
    return sealed([synthetic_ledger.canonical(first) + b"\n", *made, *beside])


FORGERIES = {
    "a balance": lambda event: event["balances"][0].update(total=event["balances"][0]["total"] + 1),
    "a version": lambda event: event["balances"][0].update(version=77),
    "an amount": lambda event: event.update(amount=event["amount"] + 1),
    "an epoch": lambda event: event.update(epoch=event["epoch"] + 1),
    "a time": lambda event: event.update(recordedAt=event["recordedAt"] - 10**9),
    "a currency": lambda event: event.update(currency="EUR"),
    "a position": lambda event: event.update(position=event["position"] + 1),
    "a posting": lambda event: event["postings"][0].update(amount=2**63 - 1),
    "no postings": lambda event: event.update(postings=[]),
    "an identifier": lambda event: event.update(
        transaction="01980000-0000-7000-8000-000000000009"),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_an_event_that_does_not_follow_is_found_though_it_is_hashed_anew(
        synthetic, tmp_path, what):
    index = next(i for i, line in enumerate(synthetic) if b'"type":"transferred"' in line)

    def forge(event):
        if event["position"] == index:
            FORGERIES[what](event)

    said = fails(
        "import", database=tmp_path / "target.sqlite", stdin=b"".join(rewritten(synthetic, forge)))
    assert f"Line {index + 1}: position {index}" in said, said


def test_a_key_or_reference_used_twice_is_named(tmp_path, rng):
    made = SyntheticLedger(rng)
    lines = [made.open(), made.open()]
    one, two = made.wallets
    lines += [made.deposit(one, 5, "twice"), made.deposit(two, 5, "twice")]
    again = made.export([*lines, made.deposit(one, 6, "twice")])
    said = fails("import", database=tmp_path / "a.sqlite", stdin=b"".join(again))
    assert "Line 6" in said and "reference" in said

    def repeat(event):
        if event["position"] == 4:
            event["idempotency"]["key"] = json.loads(lines[1])["event"]["idempotency"]["key"]

    sound = resealed(again, lines)
    succeeds("import", database=tmp_path / "b.sqlite", stdin=b"".join(sound))
    said = fails(
        "import", database=tmp_path / "c.sqlite", stdin=b"".join(rewritten(sound, repeat)))
    assert "Line 5" in said and "key" in said


# --- Kills ---------------------------------------------------------------------------------------


@pytest.mark.deadline(240)
def test_an_import_that_is_killed_refuses_service_until_it_is_run_again(
        long_export, tmp_path, rng):
    database, whole = tmp_path / "target.sqlite", b"".join(long_export)
    for _ in range(3):
        process = subprocess.Popen(
            [BINARY, "import", "--database", f"sqlite:{database}"], env=INHERITED,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        process.stdin.write(whole[:int(len(whole) * rng.uniform(0.6, 0.9))])
        process.stdin.flush()
        eventually(
            lambda: database.exists() and begun(database), 60, "something has been imported")
        process.kill()
        process.wait(10)
        process.stdin.close()
        for command in ("serve --port 0", "verify", "export", "rebuild", "keys list"):
            said = fails(command, database=database)
            assert "wallet import" in said and "not whole" in said, said
    succeeds("import", database=database, stdin=whole)
    succeeds("verify", database=database)
    assert events(exported(database)) == events(long_export)


def begun(database):
    try:
        return rows(database, "SELECT 1 FROM log LIMIT 1")
    except sqlite3.OperationalError:
        return False


def test_an_import_into_a_ledger_that_is_served_is_refused(synthetic, tmp_path, serve):
    database = tmp_path / "target.sqlite"
    server = serve(database, bootstrap=False)
    assert "in use" in fails("import", database=database, stdin=b"".join(synthetic))
    assert server.sigterm() == 0
    succeeds("import", database=database, stdin=b"".join(synthetic))


def test_a_service_answers_503_while_its_ledger_is_marked_as_not_whole(new_server):
    server = new_server()
    client = server.client()
    wallet_id = client.wallet(10)
    connection = sqlite3.connect(server.file, isolation_level=None)
    connection.execute("INSERT INTO unfinished_import VALUES (1, 0)")
    check_problem(client.deposit(wallet_id, 1), 503, "WRITES_UNAVAILABLE")
    assert client.get(f"/v1/wallets/{wallet_id}").status == 503
    connection.execute("DELETE FROM unfinished_import")
    connection.close()
    assert client.deposit(wallet_id, 1).status == 201
    assert client.get(f"/v1/wallets/{wallet_id}").status == 200


def wreck(database):
    """Empties or falsifies every table that follows from the log."""
    with sqlite3.connect(database) as connection:
        for table in PROJECTIONS[1:]:
            connection.execute(f"DELETE FROM {table}")
        connection.execute("UPDATE wallets SET total = total + 7, held = 0, status = 3")
        connection.execute("INSERT INTO reversals VALUES (3, 99)")
        connection.execute("INSERT INTO external_accounts VALUES (?, 5)", (b"EUR",))
        connection.execute(
            "INSERT INTO idempotency_keys VALUES (?, 1)", (bytes(16),))
    connection.close()


def contents(database):
    return {table: sorted(rows(database, f"SELECT * FROM {table}"), key=repr)
            for table in PROJECTIONS}


def test_a_rebuild_makes_every_wrecked_table_anew(synthetic, imported):
    before, lines = contents(imported), exported(imported)
    assert all(before.values())
    wreck(imported)
    fails("verify", database=imported)
    said = succeeds("rebuild", database=imported)
    assert head(synthetic)["hash"] in said
    succeeds("verify", database=imported)
    assert contents(imported) == before
    assert exported(imported) == lines


def test_a_rebuild_of_a_damaged_log_changes_nothing(imported):
    first, body = rows(imported, "SELECT first_position, body FROM log")[0]
    with sqlite3.connect(imported) as connection:
        connection.execute("DROP TRIGGER log_is_append_only_update")
        damaged = body[:-40] + bytes([body[-40] ^ 1]) + body[-39:]
        connection.execute("UPDATE log SET body = ? WHERE first_position = ?", (damaged, first))
    connection.close()
    before = contents(imported)
    assert "position 26" in fails("rebuild", database=imported)
    assert contents(imported) == before


@pytest.mark.deadline(240)
def test_a_rebuild_that_is_killed_has_changed_nothing(long_export, tmp_path, rng):
    database = tmp_path / "target.sqlite"
    succeeds("import", database=database, stdin=b"".join(long_export))
    before = contents(database)
    start = time.monotonic()
    succeeds("rebuild", database=database)
    whole = time.monotonic() - start
    kills = 0
    for _ in range(6):
        process = subprocess.Popen(
            [BINARY, "rebuild", "--database", f"sqlite:{database}"], env=INHERITED,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.1, 0.8) * whole)
        process.kill()
        kills += process.wait(10) == -9
        assert contents(database) == before
    assert kills > 0, "it was too quick to be killed"
    wreck(database)
    succeeds("rebuild", database=database)
    succeeds("verify", database=database)
    assert contents(database) == before


# --- Erasure -------------------------------------------------------------------------------------


def test_erased_text_is_gone_for_good_and_everything_else_stays(new_server):
    server = new_server()
    client = server.client()
    secret = fresh("secret")
    texts = {"description": f"for {secret}",
             "metadata": {f"n{index}": secret + "x" * 150 for index in range(15)}}
    source, target = client.wallet(100), client.wallet(100)
    opened = client.post(
        "/v1/wallets", {"userId": "u", "currency": "USD", "metadata": {"name": secret}}).json
    key = fresh("key")
    deposit = client.deposit(source, 5, key, **texts)
    transfer = client.transfer(source, target, 5, **texts)
    kept = client.deposit(target, 5, description="kept")
    before = exported(server.file)

    assert "1 text is erased" in server.run(
        "erase", "--transaction", deposit.json["id"]).stdout
    again = client.deposit(source, 5, key, **texts)
    assert again.status == 201 and is_replay(again)
    assert again.json == deposit.json | {"description": None, "metadata": {}}
    check_problem(client.deposit(source, 5, key), 422, "IDEMPOTENCY_KEY_REUSED")
    assert "1 text is erased" in server.run("erase", "--wallet", source).stdout
    assert "0 texts are erased" in server.run("erase", "--wallet", source).stdout
    assert client.get(f"/v1/transactions/{transfer.json['id']}").json["description"] is None
    position = next(
        json.loads(line)["position"] for line in events(before)
        if b'"walletOpened"' in line and opened["id"].encode() in line)
    assert "1 text is erased" in server.run("erase", "--position", str(position)).stdout
    assert client.get(f"/v1/wallets/{opened['id']}").json["metadata"] == {}
    assert client.get(f"/v1/transactions/{kept.json['id']}").json == kept.json
    assert server.sigterm() == 0
    succeeds("erase", "--wallet", source, database=server.file)

    server.check_verifies()
    after = exported(server.file)
    assert events(after) == events(before) and secret.encode() in b"".join(before)
    for file in server.file.parent.glob("ledger.sqlite*"):
        assert secret.encode() not in file.read_bytes(), file


def test_what_is_not_there_cannot_be_erased(imported):
    nobody = "0198c0de-0000-7000-8000-000000000000"
    for arguments in (["--transaction", nobody], ["--wallet", nobody], ["--position", "999"],
                      ["--position", "0"], ["--wallet", "x"], [], ["--position", "1", "--wallet",
                                                                   nobody]):
        fails("erase", *arguments, database=imported)
    assert rows(imported, "SELECT COUNT(*) FROM texts") == [(3,)]


# --- Backup and restore --------------------------------------------------------------------------


def test_a_backup_under_load_is_restored_on_a_new_timeline(new_server, serve, tmp_path, rng):
    server = new_server()
    client = server.client()
    book = Book(client, 20, funds=300)
    load = Load(server, lambda dice: Operation.random(dice, book.wallets), rng, threads=4)
    time.sleep(0.3)
    backup = tmp_path / "backup.sqlite"
    said = succeeds("backup", "--to", backup, database=server.file)
    load.stop()
    assert not load.failed
    later = client.deposit(book.wallets[0], 1)
    succeeds("verify", database=backup)
    assert "exists" in fails("backup", "--to", backup, database=server.file)
    restored = tmp_path / "restored" / "ledger.sqlite"
    back = succeeds("restore", "--from", backup, database=restored)
    assert said.split("hash")[1].split()[0] in back

    other = serve(restored)
    moved = other.client()
    position = head(exported(restored))["position"]
    path = f"/v1/wallets/{book.wallets[0]}/balance"
    kept = [done for done in load.done if done[1].json["position"] <= position]
    assert kept
    for operation, answer in kept:
        again = operation.send(moved)
        assert essence(again) == essence(answer) and is_replay(again), operation
    # A token is of its batch's head, which for the last ones may be beyond the backup.
    token = kept[0][1].headers["Consistency-Token"]
    assert moved.get(path, **{"Consistency-Token": token}).status == 200
    lost = moved.get(path, **{"Consistency-Token": later.headers["Consistency-Token"]})
    check_problem(lost, 409, "TOKEN_UNKNOWN")
    assert moved.deposit(book.wallets[0], 1).status == 201
    lost = moved.get(path, **{"Consistency-Token": later.headers["Consistency-Token"]})
    check_problem(lost, 409, "TOKEN_UNKNOWN")
    assert other.sigterm() == 0
    other.check_verifies()


def test_cursors_of_what_a_restore_lost_are_unknown_and_those_of_the_rest_go_on(
        new_server, serve, tmp_path):
    server = new_server()
    client = server.client()
    user = fresh("u")
    first = client.wallet(100, user=user)
    for _ in range(2):
        client.wallet(user=user)
        assert client.hold(first, 1).status == 201
    lists = ("/v1/events", f"/v1/wallets/{first}/transactions", f"/v1/wallets/{first}/holds",
             f"/v1/users/{user}/wallets")
    assert client.deposit(first, 1).status == 201

    def cursors(client):
        return {path: client.page(path, limit=1)[1] for path in lists}

    kept = cursors(client)
    backup = tmp_path / "backup.sqlite"
    succeeds("backup", "--to", backup, database=server.file)
    size = head(exported(backup))["position"]
    for _ in range(3):
        client.deposit(first, 1)
    lost = cursors(client)
    # A cursor of the log is of its last item alone, which for the first page was not lost.
    assert lost.pop("/v1/events") == kept["/v1/events"]
    lost["/v1/events"] = client.page("/v1/events", limit=size + 1)[1]
    assert all(kept.values()) and all(lost.values())
    restored = tmp_path / "restored" / "ledger.sqlite"
    succeeds("restore", "--from", backup, database=restored)

    other = serve(restored)
    moved = other.client()

    def check():
        for path in lists:
            answer = moved.get(f"{path}?cursor={lost[path]}&limit=1")
            check_problem(answer, 409, "TOKEN_UNKNOWN")
            for cursor in (kept[path], moved.page(path, limit=1)[1]):
                assert moved.page(path, cursor, limit=1)[0], path

    check()
    assert moved.get(f"/v1/events?after={size}").json["items"] == []
    check_problem(moved.get(f"/v1/events?after={size + 1}"), 409, "TOKEN_UNKNOWN")
    for _ in range(5):
        assert moved.deposit(first, 1).status == 201
    # The positions are there again, with other events.
    check()
    assert len(moved.get(f"/v1/events?after={size + 1}").json["items"]) == 4


def test_a_restore_over_a_ledger_needs_force_and_keeps_the_old_one(new_server, tmp_path):
    server = new_server()
    client = server.client()
    first = client.wallet(10)
    backup = tmp_path / "backup.sqlite"
    succeeds("backup", "--to", backup, database=server.file)
    client.deposit(first, 5)
    before = exported(server.file)
    assert "--force" in fails("restore", "--from", backup, database=server.file)
    said = fails("restore", "--force", "--from", backup, database=server.file)
    assert "running" in said
    assert client.state(first) == (15, 3)
    assert server.sigterm() == 0
    said = succeeds("restore", "--force", "--from", backup, database=server.file)
    [aside] = server.file.parent.glob("*.replaced-*")
    assert str(aside) in said and exported(aside) == before
    server.start()
    assert server.client().state(first) == (10, 2)
    assert not list(server.file.parent.glob("*.restoring-*"))


def test_a_write_ahead_log_without_its_ledger_is_in_the_way_of_a_restore(imported, tmp_path):
    backup, target = tmp_path / "backup.sqlite", tmp_path / "target.sqlite"
    succeeds("backup", "--to", backup, database=imported)
    stray = tmp_path / "target.sqlite-wal"
    stray.write_bytes(b"left over")
    for flags in ([], ["--force"]):
        said = fails("restore", "--from", backup, *flags, database=target)
        assert "target.sqlite-wal" in said and not target.exists()
    stray.unlink()
    succeeds("restore", "--from", backup, database=target)
    succeeds("verify", database=target)


def test_a_damaged_backup_is_not_restored(imported, tmp_path):
    backup, target = tmp_path / "backup.sqlite", tmp_path / "target.sqlite"
    succeeds("backup", "--to", backup, database=imported)
    with sqlite3.connect(backup) as connection:
        connection.execute("UPDATE wallets SET total = total + 1 WHERE user_id = ?", (b"bob",))
    connection.close()
    assert "not sound" in fails("restore", "--from", backup, database=target)
    backup.write_bytes(backup.read_bytes()[:20_000])
    fails("restore", "--from", backup, database=target)
    (tmp_path / "none.sqlite").write_bytes(b"nothing of a database" * 100)
    fails("restore", "--from", tmp_path / "none.sqlite", database=target)
    assert not target.exists() and not list(tmp_path.glob("*.restoring-*"))


# --- Anchors -------------------------------------------------------------------------------------


@pytest.fixture
def anchors(tmp_path, synthetic, imported):
    """A file with an anchor of position 20 and one of the head."""
    half = tmp_path / "half.sqlite"
    lines = resealed(synthetic, events(synthetic)[:20])
    succeeds("import", database=half, stdin=b"".join(lines))
    file = tmp_path / "anchors.jsonl"
    first = json.loads(succeeds("anchor", database=half))
    # The half's own timeline is not the whole one's: an anchor of the log that went on is meant.
    first["epoch"] = json.loads(synthetic[0])["epochs"][-1]["epoch"]
    file.write_text(
        json.dumps(first, separators=(",", ":")) + "\n" + succeeds("anchor", database=imported))
    return file


def test_a_log_that_went_on_keeps_its_anchors(imported, anchors):
    said = succeeds("verify", "--against", anchors, database=imported)
    assert "2, all kept" in said
    assert "2, all kept" in succeeds(
        "verify", "--against", "-", database=imported, stdin=anchors.read_bytes())


def test_lines_that_are_no_anchors_are_skipped_with_a_warning(imported, anchors, tmp_path):
    first, second = anchors.read_text().splitlines()
    anchors.write_text(f"{first}\n{second[:50]}\n{second}\n{second[:60]}")
    done = wallet("verify", "--against", anchors, database=imported)
    assert done.returncode == 0 and b"2, all kept" in done.stdout
    assert b"Warning: Line 2 of" in done.stderr and b"lines skipped: 2" in done.stderr
    # What is left is still held against the log.
    changed = json.loads(first) | {"hash": "0" * 64}
    anchors.write_text(json.dumps(changed, separators=(",", ":")) + f"\n{second[:50]}")
    assert "rewritten" in fails("verify", "--against", anchors, database=imported)


def test_a_log_cut_off_passes_but_not_against_an_anchor(synthetic, anchors, tmp_path):
    cut = tmp_path / "cut.sqlite"
    lines = resealed(synthetic, events(synthetic)[:-10])
    succeeds("import", database=cut, stdin=b"".join(lines))
    succeeds("verify", database=cut)
    said = fails("verify", "--against", anchors, database=cut)
    assert "position 20" in said and "cut off" in said, said


def test_a_log_rewritten_whole_passes_but_not_against_an_anchor(synthetic, anchors, tmp_path):
    def rename(event):
        if event["position"] == 2:
            event["user"] = "eve"

    forged = tmp_path / "forged.sqlite"
    succeeds("import", database=forged, stdin=b"".join(rewritten(synthetic, rename)))
    succeeds("verify", database=forged)
    said = fails("verify", "--against", anchors, database=forged)
    assert "position 20" in said and "rewritten" in said, said


def test_an_anchor_of_another_ledger_or_timeline_is_not_kept(imported, anchors, tmp_path):
    other = tmp_path / "other.sqlite"
    succeeds("keys create", "--create", "--principal", "shop", database=other)
    (tmp_path / "one").write_text(succeeds("anchor", database=other))
    assert "another ledger" in fails("verify", "--against", tmp_path / "one", database=imported)
    anchor = json.loads(succeeds("anchor", database=imported)) | {"epoch": 5}
    (tmp_path / "two").write_text(json.dumps(anchor, separators=(",", ":")) + "\n")
    assert "timeline" in fails("verify", "--against", tmp_path / "two", database=imported)


def test_signed_anchors_prove_who_made_them(imported, tmp_path):
    key, file = tmp_path / "key", tmp_path / "anchor"
    public = succeeds("anchor", "--new-key", key).strip()
    assert key.stat().st_mode & 0o777 == 0o600 and len(public) == 64
    assert public not in key.read_text()
    assert "exists" in fails("anchor", "--new-key", key)
    signed = succeeds("anchor", "--anchor-key-file", key, database=imported)
    assert succeeds("anchor", database=imported, WALLET_ANCHOR_KEY=key.read_text().strip())
    verify = "verify", "--against", file, "--anchor-public-key"
    file.write_text(signed)
    succeeds(*verify, public, database=imported)
    assert "not signed" in fails(*verify, "0" * 64, database=imported)
    line = json.loads(signed)
    changed = json.dumps(line | {"at": line["at"] - 1}, separators=(",", ":"))
    file.write_text(changed + "\n")
    assert "was changed" in fails("verify", "--against", file, database=imported)
    file.write_text(succeeds("anchor", database=imported))
    assert "not signed" in fails(*verify, public, database=imported)
    file.write_text("{}\n")
    assert "Line 1" in fails("verify", "--against", file, database=imported)
    file.write_text("")
    assert "no anchors" in fails("verify", "--against", file, database=imported)
    said = fails("anchor", database=imported, WALLET_ANCHOR_KEY="secret")
    assert "WALLET_ANCHOR_KEY" in said and "secret" not in said


def test_the_service_publishes_signed_anchors_while_the_head_moves(new_server, tmp_path):
    key, file = tmp_path / "key", tmp_path / "anchors.jsonl"
    public = succeeds("anchor", "--new-key", key).strip()
    server = new_server(WALLET_ANCHOR_INTERVAL_SECONDS=1, WALLET_ANCHOR_FILE=file,
                        WALLET_ANCHOR_KEY_FILE=key)
    client = server.client()
    wallet_id = client.wallet(10)

    def published():
        return file.read_text().splitlines() if file.exists() else []

    eventually(lambda: any(json.loads(line)["position"] == 2 for line in published()), 10,
               "an anchor of the head")
    count = len(published())
    time.sleep(2.5)
    assert len(published()) == count, "the head has not moved"
    client.deposit(wallet_id, 1)
    assert server.sigterm() == 0
    lines = published()
    assert json.loads(lines[-1])["position"] == 3
    log = server.log.read_text()
    assert all(json.loads(line)["hash"] in log for line in lines)
    assert key.read_text().strip() not in log
    succeeds("verify", "--against", file, "--anchor-public-key", public, database=server.file)
    # After a line that a crash tore, the next one begins anew.
    file.write_text("\n".join([*lines, lines[-1][:50]]))
    server.start()
    eventually(lambda: len(published()) > len(lines) + 1, 10,
               "an anchor after the torn one")
    assert server.sigterm() == 0
    assert published()[:len(lines) + 1] == [*lines, lines[-1][:50]]
    assert json.loads(published()[-1])["position"] == 3
    succeeds("verify", "--against", file, "--anchor-public-key", public, database=server.file)
