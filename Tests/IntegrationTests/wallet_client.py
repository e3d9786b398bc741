"""Starts the wallet program and talks to it: everything that the tests of this folder share."""

import atexit
import functools
import http.client
import io
import itertools
import json
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
from collections import Counter, namedtuple
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import contract

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("WALLET_BIN") or ROOT / ".build/release/wallet").absolute()
BOOTSTRAP_KEY = "wk_test_0123456789abcdefghij"
SEED = int(os.environ.get("WALLET_TEST_SEED") or random.SystemRandom().randrange(2**32))
LARGEST = 2**53 - 1
READY_SECONDS = 20

# What the program sees of our environment: its configuration must come from the tests alone.
INHERITED = {name: os.environ[name] for name in (
    "PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "TSAN_OPTIONS", "SWIFT_BACKTRACE")
    if name in os.environ}

_entropy = random.Random(SEED)


def fresh(prefix="t"):
    """A name that this run has not used before."""
    return f"{prefix}-{_entropy.getrandbits(96):024x}"


def quoted(text):
    """Text as one segment of a path, or one value of a query."""
    return urllib.parse.quote(text, safe="")


# --- Time: RFC 3339 to whole microseconds and back -----------------------------------------------

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def microseconds(text):
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def rfc3339(instant, offset=timezone.utc):
    moment = (EPOCH + timedelta(microseconds=instant)).astimezone(offset)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def eventually(condition, seconds, what):
    """Waits until the condition holds and returns its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return value


def parallel(count, work):
    """Calls work(0) … work(count - 1) at the same time, and returns what they return."""
    results, errors, start = [None] * count, [], threading.Barrier(count)

    def run(index):
        try:
            start.wait(30)
            results[index] = work(index)
        except BaseException as error:  # It belongs to the caller, whatever it is.
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


# --- Answers -------------------------------------------------------------------------------------

Answer = namedtuple("Answer", "status headers json raw")


class BrokenAnswer(http.client.HTTPException):
    """An answer that is not whole, or not what HTTP and JSON say it must be."""


def _without_duplicates(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member occurs twice")
    return members


def _no_fraction(text):
    raise ValueError(f"not an integer: {text}")


def parsed(response):
    """Reads an answer whole; JSON in it must be strict, with integers only."""
    raw = response.read()
    whole = response.headers.get("Content-Length") is not None or response.chunked
    if not whole and response.status not in (204, 304):
        raise BrokenAnswer("neither Content-Length nor chunked")
    value = None
    if "json" in response.headers.get("Content-Type", ""):
        try:
            value = json.loads(
                raw.decode("utf-8"), parse_float=_no_fraction, parse_constant=_no_fraction,
                object_pairs_hook=_without_duplicates)
        except ValueError as error:
            raise BrokenAnswer(f"{error}: {raw[:300]!r}") from error
    return Answer(response.status, response.headers, value, raw)


LEAKS = re.compile(
    rb"SELECT |INSERT |UPDATE |SQLITE|sqlite|\.swift|Fatal|0x[0-9a-f]{6,}|/home/|/root/|wk_")


def check_problem(answer, status=None, code=None):
    """Checks that an answer is a problem (RFC 9457), and which one; returns its members."""
    assert status in (None, answer.status), (status, answer.status, answer.raw[:300])
    assert answer.headers.get("Content-Type", "").split(";")[0] == "application/problem+json", (
        answer.status, answer.headers.items(), answer.raw[:300])
    problem = answer.json
    assert isinstance(problem, dict)
    assert problem["status"] == answer.status and 400 <= answer.status < 600
    slug = problem["code"].lower().replace("_", "-")
    assert re.fullmatch(rf"https://[^\s/]+(/\S*)?/problems/{slug}", problem["type"]), problem
    for member in ("title", "detail", "requestId"):
        assert isinstance(problem[member], str) and problem[member], (member, problem)
    assert isinstance(problem["retryable"], bool)
    assert not LEAKS.search(answer.raw), answer.raw
    assert answer.status != 503 or int(answer.headers["Retry-After"]) >= 0
    assert code in (None, problem["code"]), (code, problem)
    return problem


def is_replay(answer):
    return answer.headers.get("Idempotency-Replayed") == "true"


def essence(answer):
    """What a repeated request must get again: the number of the request may be its own."""
    body = answer.json
    if answer.status >= 400:
        body = {name: value for name, value in body.items() if name != "requestId"}
    return answer.status, body


# --- Clients -------------------------------------------------------------------------------------


class Client:
    """One keep-alive connection, for one thread; never repeats a request by itself."""

    def __init__(self, port, secret=BOOTSTRAP_KEY, timeout=30):
        self.secret = secret
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def close(self):
        self.connection.close()

    def request(self, method, path, body=None, *, key=None, headers=None):
        """Sends one request; a header that is None is left out."""
        sent = {}
        if self.secret:
            sent["Authorization"] = f"Bearer {self.secret}"
        if body is not None:
            sent["Content-Type"] = "application/json"
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        if method == "POST":
            sent["Idempotency-Key"] = key or fresh("key")
        sent = {name: v for name, v in (sent | (headers or {})).items() if v is not None}
        try:
            self.connection.request(method, path, body, sent)
            answer = parsed(self.connection.getresponse())
        except BaseException:
            self.connection.close()
            raise
        assert answer.status != 500, (method, path, answer.raw)
        if answer.status >= 400:
            check_problem(answer)
        contract.check(method, path, answer)
        return answer

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers)

    def post(self, path, body, key=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, body, key=key, headers=headers)

    def wallet(self, funds=0, currency="USD", user=None):
        """Opens a wallet with funds, and returns its id."""
        opened = self.post("/v1/wallets", {"userId": user or fresh("u"), "currency": currency})
        assert opened.status == 201, opened
        if funds:
            assert self.deposit(opened.json["id"], funds).status == 201
        return opened.json["id"]

    def deposit(self, wallet, amount, key=None, **more):
        return self.post(f"/v1/wallets/{wallet}/deposits", {"amount": amount} | more, key)

    def withdraw(self, wallet, amount, key=None, **more):
        return self.post(f"/v1/wallets/{wallet}/withdrawals", {"amount": amount} | more, key)

    def transfer(self, source, target, amount, key=None, **more):
        body = {"from": source, "to": target, "amount": amount} | more
        return self.post("/v1/transfers", body, key)

    def hold(self, wallet, amount, key=None, **more):
        return self.post(f"/v1/wallets/{wallet}/holds", {"amount": amount} | more, key)

    def capture(self, hold, key=None, **more):
        return self.post(f"/v1/holds/{hold}/capture", more, key)

    def release(self, hold, key=None, body=None):
        return self.post(f"/v1/holds/{hold}/release", body, key)

    def reverse(self, transaction, key=None, **more):
        return self.post(f"/v1/transactions/{transaction}/reversals", more, key)

    def change(self, wallet, what, key=None, **more):
        """Freezes, unfreezes or closes a wallet."""
        return self.post(f"/v1/wallets/{wallet}/{what}", more, key)

    def numbers(self, wallet):
        """Total, held and version of a wallet."""
        answer = self.get(f"/v1/wallets/{wallet}/balance")
        assert answer.status == 200, answer
        balance = answer.json
        assert balance["available"] == balance["total"] - balance["held"]
        return balance["total"], balance["held"], balance["version"]

    def state(self, wallet):
        """Total and version of a wallet: what must not change when something is refused."""
        answer = self.get(f"/v1/wallets/{wallet}/balance")
        assert answer.status == 200, answer
        return answer.json["total"], answer.json["version"]

    def total(self, wallet):
        return self.state(wallet)[0]

    def page(self, path, cursor=None, **filters):
        query = filters | ({"cursor": cursor} if cursor else {})
        answer = self.get(f"{path}?{urllib.parse.urlencode(query)}")
        assert answer.status == 200 and set(answer.json) == {"items", "next"}, answer
        return answer.json["items"], answer.json["next"]

    def pages(self, path, cursor=None, **filters):
        """All items of all pages."""
        while True:
            items, cursor = self.page(path, cursor, **filters)
            yield from items
            if cursor is None:
                return

    def history(self, wallet, **filters):
        """The entries of a wallet, oldest first."""
        filters = {"limit": 200, "order": "asc"} | filters
        return list(self.pages(f"/v1/wallets/{wallet}/transactions", **filters))


class _Wire(io.RawIOBase):
    """A socket as a file; unlike socket.makefile it can still be read after a time-out."""

    def __init__(self, connection):
        self.connection = connection

    def readable(self):
        return True

    def readinto(self, buffer):
        return self.connection.recv_into(buffer)


class _Kept(io.BufferedReader):
    """A reader that HTTPResponse cannot close after the first answer."""

    def close(self):
        pass


class Raw:
    """A bare connection: sends any bytes and reads answers one after another."""

    def __init__(self, port, timeout=15):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.reader = _Kept(_Wire(self.socket))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def makefile(self, _):
        return self.reader

    def send(self, data):
        self.socket.sendall(data)

    def answer(self):
        response = http.client.HTTPResponse(self)
        response.begin()
        return parsed(response)

    def ending(self, seconds):
        """What still comes before the other side closes, and whether it did so cleanly."""
        deadline, data = time.monotonic() + seconds, b""
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                more = self.reader.read1(65536)
            except TimeoutError:
                break
            except OSError:
                return data, "reset"
            if not more:
                return data, "closed"
            data += more
        return data, "open"


def raw_request(method, path, body=b"", secret=BOOTSTRAP_KEY, **headers):
    """The bytes of a request."""
    sent = {"Host": "localhost", "Authorization": f"Bearer {secret}"}
    if method == "POST":
        sent |= {"Content-Type": "application/json", "Idempotency-Key": fresh("key"),
                 "Content-Length": len(body)}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{n}: {v}" for n, v in sent.items() if v is not None)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


# --- The program ---------------------------------------------------------------------------------


class Server:
    """`wallet serve` on a database of its own; may be killed and started again."""

    created = []  # Those that still exist: they are stopped at the end whatever happens.

    def __init__(self, folder, data=None, **environment):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = Path(data or folder) / "ledger.sqlite"
        self.wal = self.file.with_name(self.file.name + "-wal")
        self.database = f"sqlite:{self.file}"
        self.log = self.folder / "server.log"
        self.environment = {"WALLET_BOOTSTRAP_API_KEY": BOOTSTRAP_KEY} | environment
        self.process, self.port, self.stdout, self.secrets = None, None, [], [BOOTSTRAP_KEY]
        Server.created.append(self)

    def start(self, **environment):
        """Starts the program and waits until it says that it is ready."""
        assert BINARY.is_file(), f"{BINARY} is missing: build it, or set WALLET_BIN"
        self.environment |= environment
        self.port, self.stdout, ready = None, [], threading.Event()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--host", "127.0.0.1", "--port", "0",
                 "--database", self.database, *([] if self.file.exists() else ["--create"])],
                env=INHERITED | {name: str(value) for name, value in self.environment.items()},
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
                errors="replace", start_new_session=True)
        threading.Thread(target=self._read, args=(self.process, ready), daemon=True).start()
        ready.wait(READY_SECONDS)
        if self.port is None:
            self.stop()
            raise AssertionError(
                f"not ready within {READY_SECONDS} s, exit code {self.process.returncode}\n"
                f"stdout: {self.stdout}\n{self.log_tail()}")
        return self

    def _read(self, process, ready):
        for line in process.stdout:
            self.stdout.append(line.rstrip("\n"))
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found and "ready" in line:
                self.port = int(found[1])
                ready.set()
        process.stdout.close()
        ready.set()

    def client(self, secret=BOOTSTRAP_KEY, timeout=30):
        return Client(self.port, secret, timeout)

    def raw(self, timeout=15):
        return Raw(self.port, timeout)

    def kill9(self):
        self.process.kill()
        self.process.wait(10)

    def signal(self):
        self.process.send_signal(signal.SIGTERM)

    def sigterm(self, seconds=30):
        """Asks the program to end, and returns its exit code."""
        self.signal()
        return self.process.wait(seconds)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.kill9()

    def restart(self, **environment):
        """Ends it in good order and starts it again on the same database."""
        assert self.sigterm() == 0
        return self.start(**environment)

    def check_alive(self):
        assert self.process.poll() is None, f"it ended with {self.process.returncode}"
        client = self.client(secret=None)
        assert client.get("/health/live").status == 200
        client.close()

    def resident_megabytes(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024

    def run(self, command, *arguments):
        """Runs another command of the program on this database."""
        return subprocess.run(
            [BINARY, *command.split(), "--database", self.database, *arguments],
            env=INHERITED, capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL)

    def check_verifies(self):
        verified = self.run("verify")
        assert verified.returncode == 0, (verified.stdout, verified.stderr)

    def new_key(self, principal, scopes):
        """Makes an API key, and returns its secret as soon as the running server knows it."""
        made = self.run("keys create", "--principal", principal, "--scopes", scopes)
        assert made.returncode == 0, (made.stdout, made.stderr)
        secret = made.stdout.split()[-1]
        assert secret.startswith("wk_"), made.stdout
        self.secrets.append(secret)
        client = self.client(secret)
        eventually(
            lambda: client.get("/v1/users/nobody/wallets").status != 401, 5, "a new key is known")
        client.close()
        return secret

    def log_tail(self, size=6000):
        return self.log.read_bytes()[-size:].decode(errors="replace") if self.log.exists() else ""

    def check_log(self):
        """Neither a trap nor a secret may ever be in the log."""
        log = self.log.read_text(errors="replace")
        assert "Fatal error" not in log, self.log_tail()
        assert not any(secret in log for secret in self.secrets), "a secret is in the log"


atexit.register(lambda: [server.stop() for server in Server.created])


# --- Movements, and the books that are kept of them ----------------------------------------------


@dataclass(frozen=True)
class Operation:
    """A movement with its idempotency key, to be sent any number of times."""

    kind: str
    amount: int
    source: str = None
    target: str = None
    more: dict = field(default_factory=dict)
    subject: str = None  # The hold or transaction that it is about.
    held: int = 0  # What that hold holds.
    key: str = field(default_factory=functools.partial(fresh, "op"))

    @staticmethod
    def random(rng, wallets, largest=60):
        source, target = rng.sample(wallets, 2)
        kind = rng.choice(("deposit", "withdrawal", "transfer", "transfer"))
        return Operation(
            kind, rng.randint(1, largest), None if kind == "deposit" else source,
            None if kind == "withdrawal" else target, key=f"op-{rng.getrandbits(96):024x}")

    def send(self, client):
        if self.kind == "deposit":
            return client.deposit(self.target, self.amount, self.key, **self.more)
        if self.kind == "withdrawal":
            return client.withdraw(self.source, self.amount, self.key, **self.more)
        if self.kind == "hold":
            return client.hold(self.source, self.amount, self.key, **self.more)
        if self.kind == "capture":
            to = {"to": self.target} if self.target else {}
            return client.capture(self.subject, self.key, amount=self.amount, **to)
        if self.kind == "release":
            return client.release(self.subject, self.key)
        if self.kind == "reversal":
            return client.reverse(self.subject, self.key, amount=self.amount, **self.more)
        return client.transfer(self.source, self.target, self.amount, self.key, **self.more)


class Traffic:
    """Makes operations of every kind, captures, releases and reversals of earlier ones too."""

    KINDS = ("plain",) * 4 + ("hold",) * 3 + ("capture", "release", "reversal") * 2
    MEMORY = 60  # How many of the last ones are worth coming back to.

    def __init__(self, wallets):
        self.wallets, self.holds, self.transactions = wallets, [], []

    def __call__(self, rng):
        kind = rng.choice(Traffic.KINDS)
        known = self.transactions if kind == "reversal" else self.holds
        if kind in ("plain", "hold") or not known:
            plain = Operation.random(rng, self.wallets)
            return Operation("hold", plain.amount, rng.choice(self.wallets), key=plain.key,
                             more=rng.choice(({}, {"expiresAt": "2999-12-31T00:00:00Z"}))
                             ) if kind == "hold" else plain
        earlier, id = known[-rng.randint(1, min(len(known), Traffic.MEMORY))]
        part = rng.choice((earlier.amount, rng.randint(1, earlier.amount)))
        key = f"op-{rng.getrandbits(96):024x}"
        if kind == "reversal":
            return Operation(kind, part, earlier.target, earlier.source, subject=id, key=key)
        others = [wallet for wallet in self.wallets if wallet != earlier.source]
        target = rng.choice((None, rng.choice(others))) if kind == "capture" else None
        return Operation(kind, part, earlier.source, target, subject=id, key=key,
                         held=earlier.amount)

    def learn(self, operation, answer):
        """Remembers what was made, so that later operations can be about it."""
        if operation.kind == "hold":
            self.holds.append((operation, answer.json["id"]))
        elif operation.kind not in ("release", "reversal"):
            self.transactions.append((operation, answer.json["id"]))


class Book:
    """What some wallets must hold, reckoned from nothing but the answers that were given."""

    def __init__(self, client, count, funds=0):
        self.totals, self.movements, self.opened = {}, Counter(), {}
        self.held, self.holds, self.reversed = Counter(), {}, Counter()
        for _ in range(count):
            wallet = client.wallet(funds)
            self.totals[wallet] = funds
            self.opened[wallet] = client.state(wallet)[1]
        self.wallets = list(self.totals)

    def apply(self, operation, answer=None):
        """Enters an operation that succeeded; for a hold, the answer tells which one it is."""
        if operation.kind == "hold":
            self.holds[answer.json["id"]] = ("open", 0)
            self.held[operation.source] += operation.amount
            self.movements[operation.source] += 1
            return
        self.held[operation.source] -= operation.held
        if operation.kind == "release":
            self.holds[operation.subject] = ("released", 0)
            self.movements[operation.source] += 1
            return
        if operation.kind == "capture":
            self.holds[operation.subject] = ("captured", operation.amount)
        if operation.kind == "reversal":
            self.reversed[operation.subject] += operation.amount
        for wallet, change in ((operation.source, -operation.amount),
                               (operation.target, operation.amount)):
            if wallet:
                self.totals[wallet] += change
                self.movements[wallet] += 1

    def check(self, client):
        """Every total is right, and no wallet was touched more or less often than it should; so
        is every hold and what was reversed of every transaction."""
        for wallet, total in self.totals.items():
            version = self.opened[wallet] + self.movements[wallet]
            assert client.numbers(wallet) == (total, self.held[wallet], version), wallet
        for hold, expected in self.holds.items():
            found = client.get(f"/v1/holds/{hold}").json
            assert (found["status"], found["capturedAmount"]) == expected, hold
        for transaction, amount in self.reversed.items():
            found = client.get(f"/v1/transactions/{transaction}").json
            assert found["reversedAmount"] == amount <= found["amount"], transaction


def check_kept(client, operation, answer):
    """What an answer acknowledged is there; only what happened to it later may differ."""
    where, later = "transactions", {"reversedAmount": 0}
    if operation.kind in ("hold", "release"):
        where, later = "holds", {name: answer.json[name] for name in ("status", "capturedAmount")}
    found = client.get(f"/v1/{where}/{answer.json['id']}")
    assert found.status == 200 and found.json | later == answer.json, (operation, found)


class Load:
    """Threads that move money until they are told to stop or cut off, and what they heard."""

    def __init__(self, server, make, rng, threads=8, learn=lambda operation, answer: None):
        self.server, self.make, self.learn = server, make, learn
        self.done, self.refused, self.failed, self.unknown = [], [], [], []
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self._write, args=(random.Random(rng.random()),), daemon=True)
            for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _write(self, rng):
        client = self.server.client()
        while not self.stopping.is_set():
            operation = self.make(rng)
            try:
                answer = operation.send(client)
            except (OSError, http.client.HTTPException) as error:
                self.unknown.append((operation, error))
                break
            except AssertionError as error:
                self.failed.append((operation, error))
                break
            heard = {200: self.done, 201: self.done, 422: self.refused}.get(
                answer.status, self.failed)
            heard.append((operation, answer))
            if heard is self.done:
                self.learn(operation, answer)
            if heard is self.failed:
                break
        client.close()

    def join(self, seconds=60):
        deadline = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0, deadline - time.monotonic()))
            assert not thread.is_alive(), "a request was neither answered nor cut off"

    def stop(self):
        self.stopping.set()
        self.join()

    def account_for(self, book, threads=8):
        """Holds the server to every answer that it gave, settles what it left open, and enters
        all of it in the book."""
        for operation, answer in self.done:
            book.apply(operation, answer)
        settled = parallel(threads, lambda index: self._settle(index, threads))
        for operation, answer in itertools.chain(*settled):
            book.apply(operation, answer)

    def _settle(self, index, threads):
        client, happened = self.server.client(), []
        for operation, answer in self.done[index::threads]:
            check_kept(client, operation, answer)
        for operation, answer in [*self.done, *self.refused][index::threads]:
            again = operation.send(client)
            assert essence(again) == essence(answer) and is_replay(again), (operation, again)
        for operation, _ in self.unknown[index::threads]:
            first = operation.send(client)
            assert first.status in (200, 201, 422), first
            again = operation.send(client)
            assert essence(again) == essence(first) and is_replay(again), (operation, again)
            if first.status != 422:
                happened.append((operation, first))
        client.close()
        return happened
