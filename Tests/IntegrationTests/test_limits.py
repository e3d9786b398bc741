"""Every limit is reached, and every fault happens: the others are served, and nothing is lost."""

import http.client
import os
import random
import re
import resource
import shutil
import statistics
import subprocess
import threading
import time
import warnings
from collections import Counter
from pathlib import Path

import pytest
from wallet_client import (
    Answer,
    Book,
    BrokenAnswer,
    Load,
    Operation,
    check_problem,
    eventually,
    fresh,
    is_replay,
    parallel,
    raw_request,
)

HEALTH = raw_request("GET", "/health/live")


def timed(send):
    start = time.monotonic()
    return send(), time.monotonic() - start


# --- Queue and deadline --------------------------------------------------------------------------


def test_a_full_queue_refuses_at_once_and_loses_nothing(new_server):
    server = new_server(
        WALLET_QUEUE_LIMIT=4, WALLET_MAX_BATCH=1, WALLET_COMMIT_DELAY_MS=50)
    client = server.client()
    wallet = client.wallet()
    operations = [Operation("deposit", 1, target=wallet) for _ in range(64)]
    answers = parallel(64, lambda index: operations[index].send(server.client()))
    counts = Counter(answer.status for answer in answers)
    assert set(counts) == {201, 503}, counts
    assert client.state(wallet) == (counts[201], 1 + counts[201])
    for operation, answer in zip(operations, answers):
        if answer.status == 503:
            assert check_problem(answer, 503, "OVERLOADED")["retryable"] is True
            again = operation.send(client)  # Alone, so there is room.
            assert again.status == 201 and not is_replay(again)
    assert client.state(wallet) == (64, 65)


def test_a_command_past_its_deadline_is_answered_and_its_key_tells_what_became_of_it(new_server):
    server = new_server()
    wallet = server.client().wallet()
    server.restart(WALLET_COMMAND_TIMEOUT_MS=300, WALLET_COMMIT_DELAY_MS=2000)
    operation, client = Operation("deposit", 5, target=wallet), server.client()
    answer, seconds = timed(lambda: operation.send(client))
    assert check_problem(answer, 503)["retryable"] is True and 0.2 < seconds < 1.5, seconds
    for _ in range(3):  # The commit takes longer than all of them together.
        answer, seconds = timed(lambda: operation.send(client))
        assert check_problem(answer, 409, "IDEMPOTENCY_IN_FLIGHT")["retryable"] is True
        assert 0.2 < seconds < 1.5, seconds
    server.restart(WALLET_COMMAND_TIMEOUT_MS=5000, WALLET_COMMIT_DELAY_MS=0)
    client = server.client()
    assert operation.send(client).status == 201
    assert is_replay(operation.send(client)) and client.state(wallet) == (5, 2)


# --- Slow, idle and many connections -------------------------------------------------------------


def drip(server, data, rest, interval, deadline):
    """Sends data at once and the rest byte by byte; returns what came back, how it ended, when."""
    heard, state, start = b"", "open", time.monotonic()
    with server.raw() as raw:
        raw.send(data)
        rest = iter(rest)
        while state == "open" and time.monotonic() - start < deadline:
            try:
                raw.send(bytes(next(rest, b"")))
            except OSError:
                pass  # The reading below tells how it ended.
            more, state = raw.ending(interval)
            heard += more
    return heard, state, time.monotonic() - start


def test_slow_clients_are_cut_off_while_others_are_served(new_server):
    server = new_server(WALLET_READ_TIMEOUT_SECONDS=2)
    wallet = server.client().wallet(10)
    body = b'{"amount": 1}'
    deposit = raw_request("POST", f"/v1/wallets/{wallet}/deposits", body)
    head = deposit[:-len(body)]
    slow = [(b"", head), (head[:40], head[40:]), (head[:-1], b""), (head, b""),
            (head, b" " * 10 + body), (deposit[:-1], b"")]
    waits = []

    def work(index):
        if index < len(slow):
            data, rest = slow[index]
            return drip(server, data, [bytes([b]) for b in rest], 1, 10)
        own, start = server.client(), time.monotonic()
        while time.monotonic() - start < 4:
            answer, seconds = timed(lambda: own.get(f"/v1/wallets/{wallet}"))
            assert answer.status == 200
            waits.append(seconds)
            time.sleep(0.01)

    for heard, state, seconds in parallel(len(slow) + 1, work)[:-1]:
        assert state in ("closed", "reset") and 1 < seconds < 6.5, (heard, state, seconds)
        assert not heard or heard.startswith(b"HTTP/1.1 408 "), heard
    assert len(waits) > 50 and max(waits) < 1
    assert server.client().state(wallet) == (10, 2)


def test_an_idle_connection_is_closed_and_a_busy_one_is_not(new_server):
    server = new_server(WALLET_IDLE_TIMEOUT_SECONDS=2, WALLET_READ_TIMEOUT_SECONDS=2)

    def work(index):
        with server.raw() as raw:
            if index:
                raw.send(HEALTH)
                assert raw.answer().status == 200
            for _ in range(8 if index == 2 else 0):
                time.sleep(0.6)
                raw.send(HEALTH)
                assert raw.answer().status == 200
            return timed(lambda: raw.ending(10))

    for (heard, state), seconds in parallel(3, work):
        assert state == "closed" and 1 < seconds < 7, (heard, state, seconds)
        assert not heard or heard.startswith(b"HTTP/1.1 408 ")


@pytest.fixture
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 12_000:
        pytest.skip(f"only {hard} open files are allowed; this needs 12,000")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 12_000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.deadline(180)
def test_5000_idle_connections_do_not_slow_the_others_down(many_files, new_server, rng):
    server = new_server(WALLET_IDLE_TIMEOUT_SECONDS=150, WALLET_READ_TIMEOUT_SECONDS=150)
    client = server.client()
    wallet, idle, before = client.wallet(), [], server.resident_megabytes()
    descriptors = Path(f"/proc/{server.process.pid}/fd")
    try:
        for number in range(5000):
            idle.append(server.raw())
            if number % 10 == 0:
                idle[-1].send(HEALTH)
                assert idle[-1].answer().status == 200
        eventually(lambda: len(os.listdir(descriptors)) > 5000, 20, "all are accepted")
        waits = []
        for _ in range(100):
            for send in (lambda: client.deposit(wallet, 1), lambda: client.get(
                    f"/v1/wallets/{wallet}/balance")):
                answer, seconds = timed(send)
                assert answer.status in (200, 201)
                waits.append(seconds)
        assert statistics.median(waits) < 0.1 and max(waits) < 2, (sorted(waits)[-5:])
        assert server.resident_megabytes() - before < 600
        for raw in rng.sample(idle, 200):
            raw.send(HEALTH)
            assert raw.answer().status == 200
    finally:
        for raw in idle:
            raw.close()
    eventually(lambda: len(os.listdir(descriptors)) < 200, 20, "descriptors are given back")
    assert client.total(wallet) == 100


def test_connections_beyond_the_limit_do_not_break_those_that_are_open(new_server):
    server = new_server(WALLET_MAX_CONNECTIONS=50)

    def served(raw):
        try:
            raw.send(HEALTH)
            return raw.answer().status == 200
        except (OSError, http.client.HTTPException):
            return False

    held = [server.raw() for _ in range(50)]
    assert all(served(raw) for raw in held)
    extra = [server.raw(timeout=1) for _ in range(30)]
    assert sum(parallel(30, lambda index: served(extra[index]))) < 30, "there is no limit"
    assert all(served(raw) for raw in held), "an open connection was broken"
    for raw in extra + held:
        raw.close()

    def served_anew():
        with server.raw(timeout=1) as raw:
            return served(raw)

    eventually(served_anew, 10, "there is room again")


# --- The disk is full ----------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True)
    if not mount or mount.returncode:
        reason = f"a small disk cannot be mounted: {mount and mount.stderr.decode()}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        warnings.warn("the test of a full disk did not run: " + reason)
        pytest.skip(reason)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_stops_the_writes_alone_and_loses_none(small_disk, new_server, rng):
    filler = small_disk / "filler"
    filler.write_bytes(bytes(8 << 20))
    server = new_server(data=small_disk)
    client = server.client()
    book = Book(client, 5)

    def make(dice):
        pairs = {"noise": f"{dice.getrandbits(14_000):x}"}
        return Operation(
            "deposit", dice.randint(1, 9), target=dice.choice(book.wallets),
            more={"metadata": pairs})

    load = Load(server, make, rng)
    load.join(90)
    assert len(load.done) > 100 and not load.refused and not load.unknown
    for _, answer in load.failed:
        assert isinstance(answer, Answer), answer
        assert check_problem(answer, 503, "WRITES_UNAVAILABLE")["retryable"] is True
    assert client.get("/health/live").status == client.get("/health/ready").status == 200
    for operation, answer in load.done[:3] + load.done[-3:]:
        found = client.get(f"/v1/transactions/{answer.json['id']}")
        assert (found.status, found.json) == (200, answer.json)
        assert client.total(operation.target) > 0 and client.history(operation.target, limit=20)

    filler.unlink()
    operation = load.failed[0][0]
    eventually(lambda: operation.send(client).status == 201, 20, "writes work again")
    load.unknown = load.failed
    load.account_for(book)
    book.check(client)
    assert server.sigterm() == 0
    server.check_verifies()


# --- SIGTERM -------------------------------------------------------------------------------------


@pytest.mark.parametrize("signals", [1, 2])
def test_sigterm_under_load_ends_in_good_order(new_server, rng, signals):
    server = new_server(WALLET_SHUTDOWN_TIMEOUT_SECONDS=20)
    book = Book(server.client(), 10, funds=500)
    load = Load(server, lambda dice: Operation.random(dice, book.wallets), rng)
    time.sleep(1)
    start = time.monotonic()
    for _ in range(signals):
        server.signal()
        time.sleep(0.02)
    assert server.process.wait(30) == 0 and time.monotonic() - start < 20
    load.join()
    assert len(load.done) > 50
    for _, error in load.unknown:
        cut = isinstance(error, (BrokenAnswer, http.client.IncompleteRead, TimeoutError))
        assert not cut, f"an answer was cut short: {error!r}"
    for _, answer in load.failed:
        assert isinstance(answer, Answer) and answer.status == 503, answer
    load.unknown += load.failed
    server.check_verifies()
    server.start()
    load.account_for(book)
    book.check(server.client())


def test_what_is_under_way_at_sigterm_is_finished_while_readiness_fails(new_server):
    server = new_server()
    wallet = server.client().wallet()
    server.restart(WALLET_COMMIT_DELAY_MS=2500)
    idle, probe, answers = server.raw(), server.client(), []
    idle.send(HEALTH)
    assert idle.answer().status == 200 and probe.get("/health/ready").status == 200
    writer = server.client()
    deposit = threading.Thread(target=lambda: answers.append(writer.deposit(wallet, 9)))
    deposit.start()
    time.sleep(0.5)
    server.signal()

    def not_ready():
        try:
            return probe.get("/health/ready").status == 503
        except (OSError, http.client.HTTPException):
            return True  # It is not served at all any more.

    eventually(not_ready, 1.5, "readiness fails")
    assert not answers, "readiness failed only after the work was done"
    assert idle.ending(15) == (b"", "closed")
    deposit.join(20)
    assert answers and answers[0].status == 201
    assert server.process.wait(20) == 0
    client = server.start(WALLET_COMMIT_DELAY_MS=0).client()
    assert client.get(f"/v1/transactions/{answers[0].json['id']}").json == answers[0].json
    assert client.state(wallet) == (9, 2)


# --- HTTP as nobody should speak it --------------------------------------------------------------


@pytest.fixture
def impatient(new_server):
    """A server that waits for nobody, a client and a wallet that holds 10."""
    server = new_server(WALLET_READ_TIMEOUT_SECONDS=2, WALLET_IDLE_TIMEOUT_SECONDS=2)
    client = server.client()
    wallet = client.wallet(10)
    client.close()
    return server, wallet


def abuses(wallet):
    """Bytes that are no proper request, by what is wrong with them."""
    path = f"/v1/wallets/{wallet}/deposits"
    hidden = b"0\r\n\r\n" + raw_request("POST", path, b'{"amount":7}')
    get = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
    both = {"Transfer_Encoding": "chunked"}
    return {
        "not HTTP": b"hello\r\n\r\n", "only line ends": b"\r\n" * 500, "zeros": bytes(1000),
        "noise": random.Random(7).randbytes(5000),
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
        "HTTP/1.0": b"GET /health/live HTTP/1.0\r\n\r\n", "HTTP/0.9": b"GET /health/live\r\n",
        "HTTP/9.9": b"GET /health/live HTTP/9.9\r\n\r\n",
        "an unknown method": b"BREW / HTTP/1.1\r\n\r\n",
        "a method in lower case": b"get /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        "no host": b"GET /health/live HTTP/1.1\r\n\r\n", "two hosts": get + b"Host: y\r\n\r\n",
        "a long line": b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        "a header of 200 KiB": get + b"X: " + b"a" * 204_800 + b"\r\n\r\n",
        "20,000 headers": get + b"X: y\r\n" * 20_000 + b"\r\n",
        "a NUL in a header": get + b"X: a\0b\r\n\r\n",
        "a folded header": get + b"X: a\r\n b\r\n\r\n",
        "a control character in a header": get + b"X: a\x7f\r\n\r\n",
        "a space before the colon": get + b"X : a\r\n\r\n", "no colon": get + b"nonsense\r\n\r\n",
        "length and chunks": raw_request("POST", path, hidden, **both),
        "chunks and a short length": raw_request("POST", path, hidden, Content_Length=3, **both),
        "two lengths": get + b"Content-Length: 0\r\nContent-Length: 9\r\n\r\n",
        "a negative length": raw_request("POST", path, b"{}", Content_Length=-1),
        "a huge length": raw_request("POST", path, b"{}", Content_Length=10**30),
        "a length in words": raw_request("POST", path, b"{}", Content_Length="two"),
        "a chunk of nonsense": raw_request(
            "POST", path, b"zz\r\n{}\r\n", Content_Length=None, **both),
        "a chunk of 2^64": raw_request(
            "POST", path, b"fffffffffffffffff\r\n{}", Content_Length=None, **both),
        "an unknown encoding": raw_request(
            "POST", path, b"{}", Content_Length=None, Transfer_Encoding="gzip, x"),
        "an escape in the path": get.replace(b"/health/live", b"/v1/users/%ff%00%/wallets")
        + b"\r\n",
        "dots in the path": get.replace(b"/health/live", b"/v1/../../etc/passwd") + b"\r\n",
        "a whole address": get.replace(b"/health", b"http://example.com/health") + b"\r\n",
        "a bad query": get.replace(b"/health/live", b"/v1/events?&&=&after=%zz%") + b"\r\n",
        "CONNECT": b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        "OPTIONS *": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    }


def provoke(server, data, seconds=10):
    """Sends bytes; returns what came back and how it ended, which it must within the time."""
    with server.raw() as raw:
        try:
            raw.send(data)
        except OSError:
            pass  # It may have heard enough.
        return raw.ending(seconds)


def test_nonsense_is_answered_or_cut_off_and_does_no_harm(impatient):
    server, wallet = impatient
    cases = list(abuses(wallet).items())
    heard = parallel(len(cases), lambda index: provoke(server, cases[index][1]))
    for (name, _), (data, state) in zip(cases, heard):
        status = re.match(rb"HTTP/\d\.\d (\d{3})", data)
        assert state != "open", f"{name}: neither answered nor cut off, {data[:200]}"
        assert not data or status, f"{name}: {data[:200]}"
        assert not status or status[1] < b"500" or status[1] in (b"501", b"505"), (name, data)
    server.check_alive()
    assert server.client().state(wallet) == (10, 2)


def test_requests_that_were_spoilt_at_random_never_bring_it_down(impatient, rng):
    server, wallet = impatient
    todo = iter(range(300))
    seeds = [rng.random() for _ in range(32)]

    def spoilt(dice):
        data = bytearray(raw_request(
            "POST", f"/v1/wallets/{wallet}/deposits",
            b'{"amount":5,"description":"\\u00e9","metadata":{"a":"b"}}', Connection="close"))
        for _ in range(dice.randint(1, 4)):
            place, kind = dice.randrange(len(data)), dice.randrange(4)
            if kind == 0:
                data[place] = dice.randrange(256)
            elif kind == 1:
                del data[place:place + dice.randint(1, 8)]
            elif kind == 2:
                data[place:place] = dice.randbytes(dice.randint(1, 8))
            else:
                data[place:place] = data[place:place + dice.randint(1, 30)]
        return bytes(data)

    def work(index):
        dice = random.Random(seeds[index])
        return [provoke(server, spoilt(dice)) for _ in todo]

    deposited = 0
    for data, state in sum(parallel(32, work), []):
        assert state != "open" and not re.match(rb"HTTP/\d\.\d 50[0234]", data), data[:300]
        if re.match(rb"HTTP/\d\.\d 201 ", data):
            deposited += int(re.search(rb'"amount":\s*(\d+)', data)[1])
    server.check_alive()
    assert server.client().total(wallet) == 10 + deposited


def test_pipelined_requests_are_answered_in_their_order(impatient):
    server, wallet = impatient
    path = f"/v1/wallets/{wallet}"
    pipeline = b"".join(
        raw_request("POST", f"{path}/deposits", b'{"amount":%d}' % n)
        + raw_request("GET", f"{path}/balance") for n in range(1, 21))
    with server.raw() as raw:
        raw.send(pipeline)
        for number in range(1, 21):
            deposited, read = raw.answer(), raw.answer()
            assert (deposited.status, deposited.json["amount"]) == (201, number)
            assert read.status == 200
    assert server.client().state(wallet) == (220, 22)


def test_a_client_that_asks_before_it_sends_its_body_is_served(impatient):
    server, wallet = impatient
    body = b'{"amount":1}'
    request = raw_request("POST", f"/v1/wallets/{wallet}/deposits", body, Expect="100-continue")
    with server.raw() as raw:
        raw.send(request[:-len(body)])
        time.sleep(0.3)
        raw.send(body)
        assert raw.answer().status == 201


def test_a_client_that_leaves_before_the_answer_does_no_harm(impatient):
    server, wallet = impatient
    keys = [fresh() for _ in range(50)]

    def leave(index):
        with server.raw() as raw:
            raw.send(raw_request("POST", f"/v1/wallets/{wallet}/deposits", b'{"amount":1}',
                                 Idempotency_Key=keys[index]))

    parallel(50, leave)
    client = server.client()
    for key in keys:  # Done or not, it is known afterwards, and happened once.
        assert client.deposit(wallet, 1, key).status == 201
    assert client.state(wallet) == (60, 52)
