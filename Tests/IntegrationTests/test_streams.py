"""Statements and live events: whole, in order and resumable, whatever the reader does."""

import contextlib
import csv
import http.client
import io
import json
import math
import re
import socket
import sqlite3
import statistics
import threading
import time
import urllib.parse

import pytest
from wallet_client import (
    BOOTSTRAP_KEY,
    BrokenAnswer,
    Load,
    Operation,
    Server,
    check_problem,
    eventually,
    fresh,
    microseconds,
    parallel,
    raw_request,
    rfc3339,
)

COLUMNS = [
    "row", "at", "transactionId", "type", "amount", "change", "balanceAfter", "held", "currency",
    "from", "to", "reference", "description", "reverses", "holdId", "actor", "position", "version",
    "final"]


def statement(client, wallet, **period):
    query = urllib.parse.urlencode(period)
    answer = client.get(f"/v1/wallets/{wallet}/statement?{query}")
    assert answer.status == 200, answer
    assert list(answer.json) == [
        "walletId", "currency", "from", "to", "opening", "entries", "closing", "final"]
    return answer.json


def csv_statement(client, wallet, **period):
    """The rows of a statement in CSV, as dictionaries, all of one width."""
    query = urllib.parse.urlencode(period)
    answer = client.get(f"/v1/wallets/{wallet}/statement?{query}", Accept="text/csv")
    assert answer.status == 200, answer
    assert answer.headers["Content-Type"].startswith("text/csv; charset=utf-8")
    assert answer.headers["Vary"] == "Accept" and answer.raw.endswith(b"\r\n")
    rows = list(csv.reader(io.StringIO(answer.raw.decode("utf-8"), newline=""), strict=True))
    assert rows[0] == COLUMNS and {len(row) for row in rows} == {len(COLUMNS)}
    return [dict(zip(COLUMNS, row)) for row in rows[1:]]


def many_deposits(
        server, wallet, count, body=lambda: b'{"amount": 1}', connections=32, window=25):
    """Makes entries fast: requests are sent by the window, and only their status is looked at."""
    path = f"/v1/wallets/{wallet}/deposits"

    def work(index):
        left = count // connections + (index < count % connections)
        with server.raw(timeout=60) as raw:
            while left:
                sent = min(window, left)
                raw.send(b"".join(raw_request("POST", path, body()) for _ in range(sent)))
                heard, statuses = b"", []
                while len(statuses) < sent or not heard.endswith(b"}"):
                    heard += raw.socket.recv(1 << 20)
                    statuses = re.findall(rb"HTTP/1\.1 (\d\d\d)", heard)
                assert set(statuses) == {b"201"}, heard[-2000:]
                left -= sent

    parallel(connections, work)


class EventStream:
    """One client of the stream of events."""

    def __init__(self, server, after=None, last_id=None, timeout=20, secret=BOOTSTRAP_KEY):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
        headers = {"Authorization": f"Bearer {secret}", "Accept": "text/event-stream"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        path = "/v1/events/stream" + (f"?after={after}" if after is not None else "")
        self.connection.request("GET", path, headers=headers)
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()
        assert self.response.headers["Content-Type"] == "text/event-stream"
        self.heartbeats, self.last_id = 0, last_id

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.response.close()
        self.connection.close()

    def __iter__(self):
        return self

    def __next__(self):
        """The next event, by the rules of the standard; ends when the stream does."""
        members = {}
        while line := self.response.readline():
            assert line.endswith(b"\n"), line
            if line == b"\n":
                if "data" in members:
                    self.last_id = members["id"]
                    return members["event"], json.loads(members["data"])
                members = {}
            elif line.startswith(b":"):
                self.heartbeats += 1
            else:
                name, _, value = line.decode("utf-8")[:-1].partition(":")
                assert name not in members, "a member stands twice"
                members[name] = value.removeprefix(" ")
        raise StopIteration

    def take(self, count):
        return [next(self)[1] for _ in range(count)]


def stalled(server, path, **headers):
    """A client that asks and does not read, with a small buffer."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    client.connect(("127.0.0.1", server.port))
    client.settimeout(20)
    client.sendall(raw_request("GET", path, **headers))
    assert client.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
    return client


def rest(lazy):
    """What a client who did not read can still get before the end of its connection."""
    lazy.settimeout(10)
    data = bytearray()
    try:
        while more := lazy.recv(1 << 20):
            data += more
    except ConnectionResetError:
        pass
    lazy.close()
    return bytes(data)


def head(client):
    """The last position of the log."""
    position = 0
    while items := client.page("/v1/events", after=position, limit=200)[0]:
        position = items[-1]["position"]
    return position


def log(client, after=0):
    return list(client.pages("/v1/events", after=after, limit=200))


# --- Statements ----------------------------------------------------------------------------------


@pytest.fixture
def moved(client, rng):
    """A wallet with some dozen movements of all kinds, and its history, oldest first."""
    wallet, other = client.wallet(1_000), client.wallet(1_000)
    for _ in range(30):
        assert Operation.random(rng, [wallet, other]).send(client).status == 201
    return wallet, client.history(wallet)


def test_a_statement_of_any_period_agrees_with_the_balances_at_its_ends(client, moved, rng):
    wallet, history = moved
    times = [microseconds(entry["transaction"]["createdAt"]) for entry in history]
    edges = sorted(time + offset for time in times for offset in (-1, 0, 1))[:-2]
    periods = [sorted(rng.choices(edges, k=2)) for _ in range(25)]
    for start, end in periods + [(edges[0], edges[-1]), (times[3], times[3])]:
        found = statement(client, wallet, **{"from": rfc3339(start), "to": rfc3339(end)})
        assert (microseconds(found["from"]), microseconds(found["to"])) == (start, end)
        assert found["entries"] == [
            entry for entry, at in zip(history, times) if start <= at < end]
        for name, at in (("opening", start - 1), ("closing", end - 1)):
            balance = client.get(f"/v1/wallets/{wallet}/balance?at={rfc3339(at)}")
            assert found[name] == balance.json
        change = sum(entry["change"] for entry in found["entries"])
        assert found["opening"]["total"] + change == found["closing"]["total"]
        assert found["final"] is True


def test_without_a_period_a_statement_is_of_everything_so_far(client, moved):
    wallet, history = moved
    found = statement(client, wallet)
    assert found["entries"] == history and found["opening"]["existed"] is False
    assert found["from"] == client.get(f"/v1/wallets/{wallet}").json["createdAt"]
    assert (found["closing"]["total"], found["closing"]["version"]) == client.state(wallet)
    assert found["currency"] == "USD" and found["walletId"] == wallet
    with_offset = statement(client, wallet, **{"to": "9999-01-01T00:00:00+02:00"})
    assert with_offset["entries"] == history and with_offset["final"] is False


def test_a_period_before_the_wallet_is_empty(client, moved):
    found = statement(client, moved[0], to="2020-01-01T00:00:00Z")
    assert found["entries"] == [] and found["final"] is True
    assert found["opening"]["total"] == found["closing"]["total"] == 0
    assert not found["opening"]["existed"] and not found["closing"]["existed"]


def test_a_statement_of_many_pages_is_the_same_in_json_and_in_csv(server, client):
    wallet = client.wallet()
    many_deposits(server, wallet, 450, lambda: b'{"amount": 7}', connections=8)
    found = statement(client, wallet)
    assert len(found["entries"]) == 450 and found["closing"]["total"] == 3150
    period = {"from": found["from"], "to": found["to"]}
    opening, *entries, closing = csv_statement(client, wallet, **period)
    for row, name in ((opening, "opening"), (closing, "closing")):
        members = {"row": name} | {
            column: str(found[name][member]) for column, member in (
                ("at", "at"), ("balanceAfter", "total"), ("held", "held"),
                ("currency", "currency"), ("version", "version"))}
        assert {column: row[column] for column in members} == members
    assert {row["final"] for row in entries} | {opening["final"]} == {""}
    assert closing["final"] in ("true", "false")
    for row, entry in zip(entries, found["entries"], strict=True):
        transaction = entry["transaction"]
        expected = {
            "row": "entry", "at": transaction["createdAt"], "transactionId": transaction["id"],
            "type": "deposit", "amount": "7", "change": "7",
            "balanceAfter": str(entry["balanceAfter"]), "currency": "USD", "from": "",
            "to": wallet, "actor": "bootstrap", "position": str(transaction["position"]),
            "version": str(entry["version"])}
        assert {column: row[column] for column in expected} == expected


HOSTILE = [
    "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201",
    'a "quoted", thing', '"', '""', "'", ",", ";=1", " =1", "a=1", "ünïcødé \U0001f4b0", "e\u0301"]
HOSTILE_LINES = ["two\r\nlines", "\n=1", "\r=1", "\t=1", "tab\tin", "line\u2028line", "\ufeffx"]


@pytest.mark.parametrize("text", HOSTILE + HOSTILE_LINES, ids=ascii)
def test_hostile_text_stays_one_field_of_text_in_csv(client, text):
    wallet = client.wallet()
    more = {"description": text} | ({"reference": text} if text in HOSTILE else {})
    assert client.deposit(wallet, 5, **more).status == 201
    _, entry, _ = csv_statement(client, wallet)
    danger = text[0] in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
    shown = "'" + text if danger else text
    assert entry["description"] == shown
    assert entry["reference"] == (shown if text in HOSTILE else "")


def test_control_characters_do_not_reach_csv(client):
    wallet = client.wallet()
    client.deposit(wallet, 5, description="a\0b\x1bc\x7fd\x85e")
    _, entry, _ = csv_statement(client, wallet)
    assert entry["description"] == "a\ufffdb\ufffdc\ufffdd\ufffde"


@pytest.mark.parametrize("accept, kind", [
    (None, "application/json"), ("*/*", "application/json"), ("text/csv", "text/csv"),
    ("TEXT/CSV;q=0.9", "text/csv"), ("text/*", "text/csv"), ("application/*", "application/json"),
    ("text/csv;q=0.5, application/json", "application/json"),
    ("text/csv, application/json;q=0.5", "text/csv"), ("*/*, text/csv;q=0.1", "application/json"),
    ("application/json;q=0, */*;q=0.1", "text/csv"), ("text/html", None), ("text/csv;q=0", None),
    ("text/html, application/xml;q=0.9", None)])
def test_the_kind_of_statement_is_what_the_client_likes_best(client, wallet, accept, kind):
    answer = client.get(f"/v1/wallets/{wallet}/statement", Accept=accept)
    if kind:
        assert answer.status == 200
        assert answer.headers["Content-Type"].split(";")[0] == kind
    else:
        check_problem(answer, 406, "NOT_ACCEPTABLE")


@pytest.fixture
def wallet(client):
    return client.wallet(10)


@pytest.mark.parametrize("query, status, code", [
    ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", 422, "VALIDATION_FAILED"),
    ("from=9999-01-01T00:00:00Z", 422, "FUTURE_TIMESTAMP"),
    ("from=yesterday", 400, "MALFORMED_REQUEST"), ("to=", 400, "MALFORMED_REQUEST"),
    ("limit=5", 400, "MALFORMED_REQUEST")])
def test_a_period_that_cannot_be_is_refused(client, wallet, query, status, code):
    check_problem(client.get(f"/v1/wallets/{wallet}/statement?{query}"), status, code)


def test_a_wallet_that_does_not_exist_has_no_statement(client):
    path = "/v1/wallets/0198c0de-0000-7000-8000-000000000001/statement"
    check_problem(client.get(path), 404, "WALLET_NOT_FOUND")


def test_a_statement_that_does_not_add_up_is_broken_off(new_server):
    server = new_server()
    client = server.client()
    wallet = client.wallet()
    many_deposits(server, wallet, 450, connections=4)
    assert len(statement(client, wallet)["entries"]) == 450
    database = sqlite3.connect(server.file, isolation_level=None)
    changed = database.execute("UPDATE entries SET total = total + 1 WHERE version = 400").rowcount
    database.close()
    assert changed == 1
    for accept in ("application/json", "text/csv"):
        with pytest.raises((http.client.IncompleteRead, BrokenAnswer, OSError)):
            client.get(f"/v1/wallets/{wallet}/statement", Accept=accept)
    server.check_alive()


@pytest.fixture(scope="module")
def bulky(tmp_path_factory):
    """A server whose wallet has a statement, and whose log has events, too large for any buffer."""
    server = Server(tmp_path_factory.mktemp("bulky"), WALLET_WRITE_TIMEOUT_SECONDS=2)
    try:
        server.start()
        wallet = server.client().wallet()
        body = json.dumps({"amount": 1, "metadata": {"m": "\x01" * 4_000}}).encode()
        many_deposits(server, wallet, 600, lambda: body, connections=8)
        yield server, wallet
        assert server.sigterm() == 0
        server.check_log()
    finally:
        server.stop()
        Server.created.remove(server)


def test_a_statement_does_not_show_what_comes_after_it_has_begun(bulky):
    server, wallet = bulky
    client = server.client()
    before, _ = client.state(wallet)
    slow = stalled(server, f"/v1/wallets/{wallet}/statement")
    data = bytearray()
    for _ in range(5):
        assert client.deposit(wallet, 1).status == 201
    slow.settimeout(20)
    while not data.endswith(b"\r\n0\r\n\r\n"):
        more = slow.recv(1 << 20)
        assert more, "it was cut off"
        data += more
    slow.close()
    assert len(data) > 12_000_000, "it would have fitted into buffers"
    body = http.client.HTTPResponse(_File(data))
    body.begin()
    found = json.loads(body.read())
    assert found["closing"]["total"] == len(found["entries"]) == before
    assert client.total(wallet) == before + 5


class _File:
    """Bytes in the place of a socket."""

    def __init__(self, data):
        self.data = data

    def makefile(self, _):
        return io.BytesIO(self.data)


def test_a_client_who_takes_nothing_is_cut_off_and_a_slow_one_is_served(bulky):
    server, wallet = bulky
    path, before = f"/v1/wallets/{wallet}/statement", server.resident_megabytes()
    idle = stalled(server, path)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as slow:
        slow.sendall(raw_request("GET", path))
        start, size, tail = time.monotonic(), 0, b""
        while not tail.endswith(b"\r\n0\r\n\r\n"):
            time.sleep(0.2)
            more = slow.recv(400_000)
            assert more, "a client who goes on reading was cut off"
            size, tail = size + len(more), (tail + more)[-16:]
        assert time.monotonic() - start > 4.5 and size > 12_000_000
    grown = server.resident_megabytes() - before
    heard = rest(idle)
    assert heard.startswith(b"HTTP/1.1 200") and not heard.endswith(b"\r\n0\r\n\r\n")
    assert grown < 40, f"{grown} MB"


def read_through(server, client, path, accept, mark, end):
    """Reads an answer without keeping it; returns how often the mark came, and the most memory
    that the server took meanwhile."""
    client.connection.request("GET", path, headers={
        "Authorization": f"Bearer {BOOTSTRAP_KEY}", "Accept": accept})
    response, count, tail, turn, largest = client.connection.getresponse(), 0, b"", 0, 0
    assert response.status == 200
    while data := response.read(1 << 18):
        count += (tail + data).count(mark) - tail.count(mark)
        tail, turn = (tail + data)[-1000:], turn + 1
        if turn % 4 == 0:
            largest = max(largest, server.resident_megabytes())
    assert re.search(end, tail), tail
    return count, largest


@pytest.mark.deadline(400)
def test_a_statement_of_100000_entries_needs_no_more_memory_than_one_of_half_as_many(new_server):
    server = new_server()
    wallet = server.client().wallet()
    deposits = [
        {"type": "deposit", "walletId": wallet, "amount": 1, "idempotencyKey": fresh("op")}
        for _ in range(100_000)]

    def send(index):
        own = server.client()
        for first in range(index * 1_000, 100_000, 4_000):
            operations = deposits[first:first + 1_000]
            answer = own.post("/v1/batches", {"atomic": True, "operations": operations})
            assert answer.status == 200, answer.raw[:500]

    parallel(4, send)
    client = server.client(timeout=120)
    middle = client.page("/v1/events", after=50_000, limit=1)[0][0]["event"]["recordedAt"]
    largest = []
    for until, entries in ((rfc3339(middle), 49_999), ("", 100_000)):
        path = f"/v1/wallets/{wallet}/statement" + (until and f"?to={until}")
        csv_count, csv_most = read_through(
            server, client, path, "text/csv", b"\nentry,",
            rb"closing,[^\n]*,%d,0,USD,[^\n]*\r\n$" % entries)
        json_count, json_most = read_through(
            server, client, path, "application/json", b'"transaction":{',
            rb'"closing":{[^}]*"total":%d,[^{]*}$' % entries)
        assert csv_count == json_count == entries
        largest.append(max(csv_most, json_most))
    # The shorter one has filled the database's own caches.
    assert 0 < largest[1] < largest[0] + 12, largest


# --- Live events ---------------------------------------------------------------------------------


def test_the_stream_has_the_same_events_as_the_log_and_names_their_type(server, client, moved):
    after = moved[1][0]["transaction"]["position"] - 2
    expected = log(client, after)
    assert len(expected) >= 30
    with EventStream(server, after) as stream:
        for item in expected:
            kind, data = next(stream)
            assert data == item and kind == item["event"]["type"]
            epoch, position = stream.last_id.split("-")
            assert (int(epoch), int(position)) == (item["event"]["epoch"], item["position"])


def test_the_stream_begins_at_the_first_event_unless_told_otherwise(server, client, wallet):
    with EventStream(server) as stream:
        assert [data["position"] for data in stream.take(3)] == [1, 2, 3]


def test_an_event_arrives_within_milliseconds_of_its_commit(server, client, wallet):
    with EventStream(server, head(client)) as stream:
        waits = []
        for _ in range(40):
            position = client.deposit(wallet, 1).json["position"]
            start = time.monotonic()
            while next(stream)[1]["position"] < position:
                pass
            waits.append(time.monotonic() - start)
    # Far less than the second between two looks at the log.
    assert statistics.median(waits) < 0.1, sorted(waits)[-5:]


def test_under_load_every_stream_has_every_event_in_order(new_server, rng):
    server = new_server()
    client = server.client()
    wallets = [client.wallet(100) for _ in range(10)]
    start, seen = head(client), {}

    def follow(index):
        with EventStream(server, start) as stream:
            seen[index] = []
            for _, data in stream:
                seen[index].append(data)
                if data["position"] >= seen.get("end", math.inf):
                    return

    followers = [threading.Thread(target=follow, args=(i,), daemon=True) for i in range(4)]
    for follower in followers:
        follower.start()
    load = Load(server, lambda dice: Operation.random(dice, wallets), rng)
    time.sleep(2)
    load.stop()
    assert not load.failed and not load.unknown and len(load.done) > 50
    seen["end"] = client.deposit(wallets[0], 1).json["position"]
    client.deposit(wallets[0], 1)  # For those who had the last one before they knew that it was.
    for follower in followers:
        follower.join(20)
        assert not follower.is_alive(), "the last event did not come"
    expected = log(client, start)
    for index in range(4):
        assert seen[index] == expected[:len(seen[index])]


def test_a_client_that_lost_its_stream_goes_on_where_it_was(server, client, wallet):
    start = head(client)
    positions = [client.deposit(wallet, 1).json["position"] for _ in range(10)]
    with EventStream(server, start) as stream:
        seen = [data["position"] for data in stream.take(4)]
    # The identifier has the first word: a browser repeats the address that it was given.
    with EventStream(server, after=0, last_id=stream.last_id) as stream:
        seen += [data["position"] for data in stream.take(6)]
    assert seen == positions


def test_a_stream_outlives_kill_9_by_its_last_id(new_server, rng):
    server = new_server()
    client = server.client()
    wallets = [client.wallet(100) for _ in range(5)]
    seen, last_id = [], None
    for _ in range(3):
        load = Load(server, lambda dice: Operation.random(dice, wallets), rng, threads=4)
        with EventStream(server, last_id=last_id) as stream:
            seen += stream.take(20 + rng.randrange(200))
            server.kill9()
            try:
                seen += [data for _, data in stream]
            except (OSError, http.client.HTTPException):
                pass  # What is not whole is not taken: the identifier names the last whole one.
            last_id = stream.last_id
        load.join()
        server.start()
    expected = log(server.client())
    with EventStream(server, last_id=last_id) as stream:
        seen += stream.take(len(expected) - len(seen))
    assert seen == expected
    assert [data["position"] for data in seen] == list(range(1, len(seen) + 1))


def test_heartbeats_keep_a_quiet_stream_open_for_longer_than_any_time_out(new_server):
    server = new_server(
        WALLET_EVENT_HEARTBEAT_SECONDS=1, WALLET_IDLE_TIMEOUT_SECONDS=1,
        WALLET_READ_TIMEOUT_SECONDS=1, WALLET_WRITE_TIMEOUT_SECONDS=1)
    wallet = server.client().wallet()
    with EventStream(server, after=1) as stream:
        time.sleep(6)
        position = server.client().deposit(wallet, 1).json["position"]
        assert next(stream)[1]["position"] == position and stream.heartbeats >= 3


@pytest.mark.parametrize("path, last_id, status, code", [
    ("?after=999999999", None, 409, "TOKEN_UNKNOWN"), ("", "1-1", 409, "TOKEN_UNKNOWN"),
    ("", "{epoch}-999999999", 409, "TOKEN_UNKNOWN"), ("?after=x", None, 400, "MALFORMED_REQUEST"),
    ("?limit=5", None, 400, "MALFORMED_REQUEST"), ("", "x", 400, "MALFORMED_REQUEST"),
    ("", "1-", 400, "MALFORMED_REQUEST"), ("", "{epoch}-1-1", 400, "MALFORMED_REQUEST"),
    ("", "{epoch}--1", 400, "MALFORMED_REQUEST")])
def test_a_place_that_the_log_does_not_have_is_refused(
        client, wallet, path, last_id, status, code):
    epoch = client.page("/v1/events", limit=1)[0][0]["event"]["epoch"]
    last_id = last_id and last_id.format(epoch=epoch)
    answer = client.get(f"/v1/events/stream{path}", **{"Last-Event-ID": last_id})
    check_problem(answer, status, code)


def test_the_stream_is_for_administrators_and_for_who_takes_it(server, client):
    reader = server.client(server.new_key("reader", "read,write"))
    check_problem(reader.get("/v1/events/stream"), 403, "FORBIDDEN")
    check_problem(
        client.get("/v1/events/stream", Accept="application/json"), 406, "NOT_ACCEPTABLE")


def test_a_revoked_key_loses_its_stream(server, client):
    secret = server.new_key("auditor", "admin")
    listed = server.run("keys list").stdout
    key = next(line for line in listed.splitlines() if "auditor" in line).split()[0]
    with EventStream(server, head(client), secret=secret) as stream:
        assert server.run(f"keys revoke {key}").returncode == 0
        start = time.monotonic()
        with pytest.raises((http.client.HTTPException, OSError, StopIteration)):
            next(stream)
        assert time.monotonic() - start < 10


def test_streams_beyond_the_limit_are_refused_and_every_place_is_given_back(new_server):
    server = new_server(WALLET_MAX_EVENT_STREAMS=2)
    client = server.client()
    client.wallet()
    first, second = EventStream(server), EventStream(server)
    for stream in (first, second):
        assert stream.take(1)
    refused = client.get("/v1/events/stream")
    assert check_problem(refused, 503, "OVERLOADED")["retryable"] is True

    def opened():
        try:
            return EventStream(server)
        except AssertionError:
            return None

    for _ in range(10):
        second.close()
        # Long before the next heartbeat: the client's leaving is noticed.
        second = eventually(opened, 5, "a place is given back")
        assert second.take(1)
        check_problem(client.get("/v1/events/stream?after=999999"), 503, "OVERLOADED")
    first.close()
    second.close()

    def has_room():
        return client.get("/v1/events/stream?after=999999").status == 409

    eventually(has_room, 5, "there is room")
    for _ in range(10):  # A stream that is refused takes no place.
        check_problem(client.get("/v1/events/stream?after=999999"), 409, "TOKEN_UNKNOWN")
    with eventually(opened, 5, "there is room") as one, eventually(opened, 5, "and more") as two:
        assert one.take(1) and two.take(1)


@pytest.fixture(scope="module")
def long_log(tmp_path_factory):
    """A server whose log is larger than any buffer between it and a client."""
    server = Server(tmp_path_factory.mktemp("long"), WALLET_WRITE_TIMEOUT_SECONDS=2)
    try:
        server.start()
        wallet = server.client().wallet()
        coins = "\U0001f4b0" * 100
        many_deposits(server, wallet, 8_000, lambda: json.dumps(
            {"amount": 1, "reference": fresh("r") + coins}, ensure_ascii=False).encode())
        yield server, wallet
        server.stop()
        server.check_log()
    finally:
        server.stop()
        Server.created.remove(server)


def places_are_free(server, count):
    """Whether so many streams more would be served."""
    with contextlib.ExitStack() as streams:
        try:
            for _ in range(count):
                streams.enter_context(EventStream(server))
        except AssertionError:
            return False
    return True


def test_a_reader_who_does_not_read_is_cut_off_and_hurts_nobody(long_log):
    server, wallet = long_log
    server.restart(WALLET_MAX_EVENT_STREAMS=4)
    client, before = server.client(), server.resident_megabytes()
    with EventStream(server, after=1) as stream:
        lazy = [stalled(server, "/v1/events/stream") for _ in range(3)]
        assert not places_are_free(server, 1)
        assert [data["position"] for data in stream.take(8_000)] == list(range(2, 8_002))
        position = client.deposit(wallet, 1).json["position"]
        assert next(stream)[1]["position"] == position
        eventually(lambda: places_are_free(server, 3), 15, "who does not read has lost its place")
    assert server.resident_megabytes() - before < 40
    for one in lazy:
        assert 0 < len(rest(one)) < 2_000_000, "it was sent all the same"


@pytest.mark.deadline(60)
def test_sigterm_ends_open_streams_in_good_order_and_soon(long_log):
    server, wallet = long_log
    server.restart(WALLET_MAX_EVENT_STREAMS=64)
    client = server.client()
    lazy = [stalled(server, path) for path in (
        "/v1/events/stream", f"/v1/wallets/{wallet}/statement")]
    position = client.deposit(wallet, 1).json["position"]
    quiet, busy = EventStream(server, after=position), EventStream(server, after=position - 50)
    assert len(busy.take(50)) == 50
    start = time.monotonic()
    server.signal()
    for stream in (quiet, busy):
        assert list(stream) == []  # Raises if the end is not a clean one.
    assert server.process.wait(20) == 0
    assert time.monotonic() - start < 10
    for one in lazy:
        assert not rest(one).endswith(b"\r\n0\r\n\r\n")
    server.start()
    server.check_verifies()
