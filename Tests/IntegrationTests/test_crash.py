"""The power goes at any moment, and the disk lies: what was acknowledged is there, once, and what
was changed behind the ledger's back is found."""

import random
import re
import shutil
import sqlite3
import time

import pytest
from wallet_client import SEED, Book, Load, Operation, Server, Traffic, check_kept, parallel

KILLS = 20


@pytest.mark.deadline(300)
def test_20_kills_under_load_lose_nothing_and_double_nothing(new_server, rng):
    server = new_server()
    client = server.client()
    book = Book(client, 50, funds=500)
    client.close()
    loads, traffic = [], Traffic(book.wallets)
    for kill in range(1, KILLS + 1):
        load = Load(server, traffic, rng, learn=traffic.learn)
        time.sleep(rng.uniform(0.1, 1.0))
        server.kill9()
        load.join()
        assert not load.failed, load.failed[0]
        if kill % 5 == 0:
            server.check_verifies()
        server.start()
        load.account_for(book)
        loads.append(load)
    client = server.client()
    book.check(client)
    for load in loads:  # The first acknowledgements survived all the kills since.
        for operation, answer in rng.sample(load.done, min(20, len(load.done))):
            check_kept(client, operation, answer)
    kinds = {operation.kind for load in loads for operation, _ in load.done}
    assert kinds >= {"hold", "capture", "release", "reversal"}, kinds
    assert sum(len(load.done) for load in loads) > 200, "there was no load to speak of"
    assert sum(len(load.unknown) for load in loads) > 0, "no kill interrupted anything"
    server.check_verifies()
    assert server.sigterm() == 0
    server.check_verifies()


# --- Damage behind the ledger's back -------------------------------------------------------------


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A stopped server with a log of many segments, some of more than one event."""
    server = Server(tmp_path_factory.mktemp("sound"))
    try:
        client = server.start().client()
        book = Book(client, 10, funds=100)
        dice = random.Random(f"{SEED}:sound")
        operations = [Operation.random(dice, book.wallets) for _ in range(400)]

        def send(index):
            own = server.client()
            return [operation.send(own).status for operation in operations[index::16]]

        assert set(sum(parallel(16, send), [])) <= {201, 422}
        assert server.sigterm() == 0
        server.check_verifies()
        yield server
    finally:
        server.stop()
        Server.created.remove(server)


@pytest.fixture
def copied(sound, tmp_path):
    """A copy of it and its database."""
    shutil.copytree(sound.folder, tmp_path / "copy")
    copy = Server(tmp_path / "copy")
    database = sqlite3.connect(copy.file, isolation_level=None)
    yield copy, database
    database.close()
    Server.created.remove(copy)


class Unguarded:
    """A database without the triggers that forbid changes; they are back when it is closed."""

    def __init__(self, database):
        self.database = database
        self.triggers = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in self.triggers:
            database.execute(f'DROP TRIGGER "{name}"')

    def execute(self, *arguments):
        return self.database.execute(*arguments)

    def close(self):
        for _, sql in self.triggers:
            self.database.execute(sql)
        self.database.close()


@pytest.fixture
def damaged(copied):
    """A copy that can be changed."""
    server, database = copied
    return server, Unguarded(database)


def segments(database):
    return database.execute(
        "SELECT first_position, last_position, body FROM log ORDER BY first_position").fetchall()


def first_bad_position(server, database):
    """Runs `verify`, which must fail, and returns the position that it names."""
    database.close()
    verified = server.run("verify")
    said = verified.stdout + verified.stderr
    assert verified.returncode == 1, said
    named = re.search(r"position (\d+)", said)
    assert named, said
    return int(named[1])


@pytest.mark.parametrize("change", [
    "UPDATE log SET recorded_at = recorded_at + 1", "DELETE FROM log"])
def test_the_log_forbids_changes(copied, change):
    _, database = copied
    log = segments(database)
    with pytest.raises(sqlite3.DatabaseError):
        database.execute(f"{change} WHERE first_position = ?", [log[0][0]])
    assert segments(database) == log


@pytest.mark.parametrize("place", [0.0, 0.25, 0.5, 0.75, 1.0, "anywhere", "anywhere else"])
def test_one_flipped_byte_in_the_log_is_found_and_its_position_named(damaged, rng, place):
    server, database = damaged
    log = segments(database)
    first, last, body = log[len(log) // 2] if place != "anywhere else" else rng.choice(log)
    share = rng.random() if isinstance(place, str) else place
    changed = bytearray(body)
    changed[min(len(body) - 1, int(share * len(body)))] ^= 1 << rng.randrange(8)
    database.execute(
        "UPDATE log SET body = ? WHERE first_position = ?", [bytes(changed), first])
    assert first <= first_bad_position(server, database) <= last


@pytest.mark.parametrize("which", ["the first", "one in the middle", "the last"])
def test_a_deleted_log_row_is_found(damaged, which):
    server, database = damaged
    log = segments(database)
    index = {"the first": 0, "one in the middle": len(log) // 2, "the last": len(log) - 1}[which]
    first, last, _ = log[index]
    database.execute("DELETE FROM log WHERE first_position = ?", [first])
    assert first <= first_bad_position(server, database) <= last + 1


def test_segments_that_changed_places_are_found(damaged):
    server, database = damaged
    log = segments(database)
    index = len(log) // 2
    (one, _, body), (other, last, other_body) = log[index], log[index + 1]
    for position, bytes_ in ((one, other_body), (other, body)):
        database.execute("UPDATE log SET body = ? WHERE first_position = ?", [bytes_, position])
    assert one <= first_bad_position(server, database) <= last


@pytest.mark.parametrize("change", [
    "UPDATE wallets SET total = total + 1", "UPDATE wallets SET version = version + 1"])
def test_a_changed_wallet_is_found(damaged, change):
    server, database = damaged
    changed = database.execute(
        f"{change} WHERE id = (SELECT id FROM wallets ORDER BY id LIMIT 1 OFFSET 4)").rowcount
    database.close()
    verified = server.run("verify")
    assert changed == 1 and verified.returncode == 1, (verified.stdout, verified.stderr)
    assert "is not what the log says" in verified.stdout


def test_a_trigger_that_is_missing_is_found(copied):
    server, database = copied
    database.execute("DROP TRIGGER log_is_append_only_delete")
    database.close()
    verified = server.run("verify")
    assert verified.returncode == 1 and "log_is_append_only_delete" in verified.stdout


def test_an_undamaged_copy_is_sound(damaged):
    server, database = damaged
    database.close()
    server.check_verifies()
