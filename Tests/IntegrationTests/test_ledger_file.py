"""What the program does with ledgers' files: those that are missing, empty, somebody else's, taken,
moved away or not to be written to."""

import shutil
import socket
import sqlite3
import subprocess

import pytest
from wallet_client import BINARY, INHERITED, Server, check_problem, eventually

READERS = ("verify", "export", "keys list", "anchor")
OTHERS = ("rebuild", "keys revoke key_1", "keys create --principal shop", "serve --port 0",
          "erase --position 1")


def run(command, database, *arguments, **environment):
    done = subprocess.run(
        [BINARY, *command.split(), "--database", f"sqlite:{database}", *map(str, arguments)],
        env=INHERITED | environment, capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL)
    assert "Fatal error" not in done.stderr, done.stderr
    return done


def refused(command, database, *arguments, code=1, **environment):
    done = run(command, database, *arguments, **environment)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def stopped(new_server):
    """A server that has been stopped, with one wallet in its ledger."""
    server = new_server()
    client = server.client()
    client.wallet(100)
    client.close()
    assert server.sigterm() == 0
    return server


# --- No ledger -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", READERS + OTHERS)
def test_a_ledger_that_is_missing_is_not_made(tmp_path, command):
    folder = tmp_path / "unmounted"
    said = refused(command, folder / "ledger.sqlite")
    assert "There is no ledger" in said and "--create" in said, said
    assert not folder.exists()


@pytest.mark.parametrize("command", [*READERS, *OTHERS, "serve --create --port 0"])
def test_a_file_that_is_no_ledger_is_refused_and_left_alone(tmp_path, command):
    file, lock = tmp_path / "other.sqlite", tmp_path / "other.sqlite-lock"
    for make in (lambda: file.write_bytes(b""), lambda: other_program(file)):
        make()
        before = file.read_bytes()
        assert "There is no ledger" in refused(command, file)
        lock.unlink(missing_ok=True)
        assert contents(tmp_path) == {file.name: before}


def other_program(file):
    database = sqlite3.connect(file)
    database.execute("CREATE TABLE log (anything)")
    database.close()


def test_a_ledger_is_made_when_that_is_asked_for_and_named_at_every_start(new_server):
    server = new_server()
    log = server.log.read_text()
    assert "made a new ledger" in log and "opened the ledger" not in log
    client = server.client()
    client.wallet(5)
    server.restart()
    log = server.log.read_text()
    assert log.count("made a new ledger") == 1
    assert "opened the ledger" in log and "position=2" in log


def test_a_key_can_be_made_before_the_first_start(tmp_path):
    file = tmp_path / "new" / "ledger.sqlite"
    assert run("keys create --principal shop --create", file).returncode == 0
    assert "shop" in run("keys list", file).stdout


# --- Reading writes nothing ----------------------------------------------------------------------


@pytest.mark.parametrize("command", READERS)
def test_reading_a_backup_changes_not_a_byte_of_its_folder(stopped, tmp_path, command):
    folder = tmp_path / "backups"
    folder.mkdir()
    assert run("backup", stopped.file, "--to", folder / "backup.sqlite").returncode == 0
    before = contents(folder)
    assert run(command, folder / "backup.sqlite").returncode == 0
    assert contents(folder) == before


def test_reading_a_ledger_that_was_killed_leaves_its_file_and_log(new_server, tmp_path):
    server = new_server()
    client = server.client()
    client.wallet(100)
    server.kill9()
    before = {file: file.read_bytes() for file in (server.file, server.wal)}
    for command in READERS:
        assert run(command, server.file).returncode == 0
    assert {file: file.read_bytes() for file in before} == before


def test_a_read_only_folder_is_read_where_that_can_be_done(stopped, new_server, tmp_path):
    def mounted(folder, command):
        script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh", folder, BINARY, command,
             "--database", f"sqlite:{folder / 'ledger.sqlite'}"],
            env=INHERITED, capture_output=True, text=True, timeout=60)

    at_rest, killed = tmp_path / "at rest?", tmp_path / "killed"
    at_rest.mkdir()
    shutil.copy(stopped.file, at_rest / "ledger.sqlite")
    done = mounted(at_rest, "verify")
    if "not permitted" in done.stderr or "denied" in done.stderr:
        pytest.skip("nothing can be mounted here")
    assert done.returncode == 0 and "is sound" in done.stdout, done
    server = new_server()
    server.client().wallet(100)
    server.kill9()
    killed.mkdir()
    for file in (server.file, server.wal):
        shutil.copy(file, killed / file.name)
    done = mounted(killed, "verify")
    assert done.returncode == 3 and "write-ahead log" in done.stderr, done


def test_a_ledger_that_cannot_be_read_is_not_called_unsound(stopped, tmp_path):
    backup = tmp_path / "backup.sqlite"
    assert run("backup", stopped.file, "--to", backup).returncode == 0
    other = sqlite3.connect(backup, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    said = refused("verify", backup, code=3)
    assert "NOT sound" not in said and "another process" in said
    other.close()
    assert run("verify", backup).returncode == 0


# --- One service, one file -----------------------------------------------------------------------


def test_a_second_service_on_one_ledger_is_refused_and_commands_are_not(new_server):
    server = new_server()
    said = refused("serve --port 0", server.file)
    assert "in use" in said and str(server.file) in said
    assert "in use" in refused("import", server.file)
    secret = server.new_key("shop", "read")
    server.check_verifies()
    assert server.client(secret).get("/v1/users/nobody/wallets").status == 200
    server.kill9()
    server.start()
    server.check_alive()


@pytest.mark.parametrize("move", [
    lambda file: file.unlink(), lambda file: file.rename(file.with_name("elsewhere"))])
def test_nothing_is_acknowledged_into_a_file_that_is_gone(new_server, move):
    server = new_server()
    client = server.client()
    wallet = client.wallet(100)
    assert client.get("/health/ready").status == 200
    move(server.file)
    for _ in range(3):
        check_problem(client.deposit(wallet, 1), 503, "WRITES_UNAVAILABLE")
    assert client.get("/health/ready").status == 503
    assert client.get("/health/live").status == 200
    assert server.log.read_text().count("a transaction failed") == 1
    assert "moved or deleted" in server.log.read_text()


def test_what_the_program_makes_is_for_its_own_user(new_server, tmp_path):
    anchors, backup = tmp_path / "anchors", tmp_path / "backup.sqlite"
    server = new_server(WALLET_ANCHOR_INTERVAL_SECONDS=1, WALLET_ANCHOR_FILE=anchors)
    server.client().wallet(100)
    assert run("backup", server.file, "--to", backup).returncode == 0
    eventually(anchors.exists, 10, "an anchor")
    made = [anchors, backup, *server.file.parent.glob("ledger.sqlite*")]
    assert len(made) > 4
    for file in made:
        assert file.stat().st_mode & 0o777 == 0o600, file


# --- Starts that fail ----------------------------------------------------------------------------


def test_a_start_that_fails_names_the_setting(stopped, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(f"serve --port {port}", stopped.file)
    assert f"Port {port} is in use" in said and "WALLET_PORT" in said, said
    said = refused("serve --port 0 --host no.such.host.invalid", stopped.file)
    assert "no.such.host.invalid" in said and "--host" in said, said
    said = refused("serve --port 0 --host 203.0.113.7", stopped.file)
    assert "203.0.113.7" in said and "WALLET_HOST" in said, said
    (tmp_path / "file").write_text("")
    said = refused("serve --create --port 0", tmp_path / "file" / "ledger.sqlite")
    assert "--database" in said and "File exists" in said, said
    said = refused("serve --create --port 0", tmp_path)
    assert str(tmp_path) in said, said
    said = refused("serve --max-batch none", stopped.file)
    assert "--max-batch" in said and "WALLET_MAX_BATCH" in said, said
    said = refused("serve", stopped.file, WALLET_MAX_BATCH_BYTES="1")
    assert "--max-batch-bytes" in said and "WALLET_MAX_BATCH_BYTES" in said, said


def test_a_log_that_outlived_its_ledger_is_not_taken_for_the_new_ones(tmp_path):
    server = Server(tmp_path / "server")
    try:
        server.start()
        server.client().wallet(100)
        server.kill9()
        server.file.unlink()
        said = refused("serve --create --port 0", server.file)
        assert "write-ahead log" in said
    finally:
        server.stop()
        Server.created.remove(server)
