"""The load generator measures what it says, keeps its own books, and fails in clear words."""

import http.server
import json
import signal
import socket
import subprocess
import threading
import time
import uuid
from pathlib import Path

import pytest
from wallet_client import BINARY, BOOTSTRAP_KEY, INHERITED, Server, eventually

SHORT = ["--duration", "2", "--warmup", "0.5", "--wallets", "50"]


def bench(*arguments, seconds=90, **environment):
    return subprocess.run(
        [BINARY, "bench", *map(str, arguments)], env=INHERITED | environment,
        capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL)


def on(server, *arguments):
    """A short run on a server that is there; its report."""
    done = bench("--url", f"http://127.0.0.1:{server.port}", *SHORT, "--pid", server.process.pid,
                 "--json", "-", *arguments, WALLET_BENCH_KEY=BOOTSTRAP_KEY)
    assert done.returncode == 0, done.stderr
    assert BOOTSTRAP_KEY not in done.stdout + done.stderr
    return json.loads(done.stdout), done.stderr


def check_latency(latency):
    steps = [latency[name] for name in ("p50", "p95", "p99", "p999", "max")]
    assert 0 < steps[0] and steps == sorted(steps) and latency["count"] > 0


def test_a_closed_loop_is_measured_and_its_money_conserved(server):
    report, table = on(server)
    measured, kept = report["measurement"], report["conservation"]
    assert measured["seconds"] == pytest.approx(2) and measured["throughput"] > 100
    check_latency(measured["latency"])
    assert set(measured["statuses"]) <= {"201", "422"}
    assert measured["errors"] == measured["lost"] == measured["notSent"] == 0
    assert sum(measured["statuses"].values()) == measured["latency"]["count"]
    assert measured["throughput"] * 2 <= measured["statuses"]["201"] + 64
    assert measured["serverCPUMicrosecondsPerRequest"] > 0
    assert measured["clientCPUMicrosecondsPerRequest"] > 0
    memory = measured["memory"]
    assert 0 < memory["firstKilobytes"] <= memory["peakKilobytes"]
    assert [sample["second"] for sample in memory["samples"]][:2] == [0, 1]
    assert kept["holds"] and kept["sumOfTotals"] == kept["deposited"] == 50 * 1_000_000
    assert kept["wrongWallets"] == kept["unreadWallets"] == kept["unsettled"] == 0
    for word in ("throughput", "p99.9", "server RSS", "conservation  holds"):
        assert word in table


def test_an_open_loop_keeps_its_rate_whatever_the_answers_do(server):
    report, _ = on(server, "--rate", 200)
    measured = report["measurement"]
    assert measured["notSent"] == 0 and measured["throughput"] == pytest.approx(200, rel=0.05)
    assert sum(measured["statuses"].values()) == pytest.approx(400, abs=2)


def test_waiting_for_a_slow_answer_counts_from_when_the_request_was_due(new_server):
    server = new_server(WALLET_COMMIT_DELAY_MS=100, WALLET_MAX_BATCH=1)
    report, _ = on(server, "--wallets", 2, "--connections", 1, "--rate", 20)
    # Half of what is due can be done: the last ones have waited as long as the run is.
    assert report["measurement"]["latency"]["max"] > 1_000_000
    assert report["conservation"]["holds"]


def test_transfers_in_batches_are_counted_one_by_one(server):
    report, _ = on(server, "--batch", 50, "--connections", 4)
    measured, kept = report["measurement"], report["conservation"]
    assert "in batches of 50" in report["load"]
    assert set(measured["statuses"]) == {"200"} and measured["errors"] == 0
    assert measured["throughput"] * 2 <= 50 * (measured["statuses"]["200"] + 4)
    assert measured["throughput"] > 10 * measured["statuses"]["200"]
    assert kept["holds"] and kept["wrongWallets"] == 0


def test_a_mix_on_hot_wallets_keeps_the_kinds_apart(server):
    mix = "transfer=40,deposit=20,withdrawal=20,balance=10,wallet=5,transactions=5"
    report, _ = on(server, "--mix", mix, "--zipf", "1.0")
    measured, kept = report["measurement"], report["conservation"]
    assert set(measured["latencyByKind"]) == {part.split("=")[0] for part in mix.split(",")}
    for latency in measured["latencyByKind"].values():
        check_latency(latency)
    assert {"200", "201"} <= set(measured["statuses"]) and measured["errors"] == 0
    assert kept["holds"] and kept["withdrawn"] > 0
    assert kept["sumOfTotals"] == kept["deposited"] - kept["withdrawn"]


def start_again(server):
    """Starts a killed server on the port that it had."""
    with server.log.open("ab") as log:
        server.process = subprocess.Popen(
            [BINARY, "serve", "--port", str(server.port), "--database", server.database],
            env=INHERITED | server.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=log, start_new_session=True)


def test_requests_of_unknown_outcome_are_settled_with_their_keys(tmp_path):
    server = Server(tmp_path / "killed")
    try:
        server.start()
        done = subprocess.Popen(
            [BINARY, "bench", "--url", f"http://127.0.0.1:{server.port}", *SHORT, "--duration",
             "6", "--json", "-", "--mix", "transfer=50,deposit=50"],
            env=INHERITED | {"WALLET_BENCH_KEY": BOOTSTRAP_KEY}, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        time.sleep(3)
        server.kill9()
        start_again(server)
        output, errors = done.communicate(timeout=60)
        assert done.returncode == 0, errors
        report = json.loads(output)
        assert report["measurement"]["lost"] > 0 and report["conservation"]["settled"] > 0
        assert report["conservation"]["holds"]
    finally:
        server.stop()
        Server.created.remove(server)


def test_a_service_of_its_own_is_started_verified_and_removed(tmp_path):
    done = bench("--self", *SHORT, "--json", tmp_path / "out.json", "--max-batch", 7,
                 TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "The ledger is sound." in done.stdout
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["conservation"]["holds"] and report["verification"] == "The ledger is sound."
    assert report["measurement"]["serverCPUMicrosecondsPerRequest"] > 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.json"]


def test_an_interrupted_bench_stops_its_service_and_removes_its_ledger(tmp_path):
    started = subprocess.Popen(
        [BINARY, "bench", "--self", *SHORT, "--duration", "60"],
        env=INHERITED | {"TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True)
    try:
        ledger = eventually(
            lambda: list(tmp_path.glob("wallet-bench-*/ledger.sqlite")), 20, "there is a ledger")
        time.sleep(1)
        started.send_signal(signal.SIGINT)
        assert started.wait(40) == 130
    finally:
        started.kill()
        started.communicate()
    assert ledger and list(tmp_path.iterdir()) == []
    assert not [pid for pid in children_in_session(started.pid)], "its service still runs"


def children_in_session(session):
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            yield int(folder.name)


def test_balances_of_a_long_history_are_measured_against_a_short_one(server):
    report, table = on(server, "--scenario", "history", "--entries", 2000)
    assert report["entries"] == [100, 2000] and report["wrongAnswers"] == 0
    assert all(latency["count"] > 100 for latency in report["latency"])
    assert report["ratioOfMedians"] > 0 and "long : short" in table
    assert report["conservation"]["sumOfTotals"] == 2100


class Liar(http.server.BaseHTTPRequestHandler):
    """Says yes to everything, in pieces, and then tells of other sums."""

    protocol_version = "HTTP/1.1"
    total = 1

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(201, {"id": str(uuid.uuid4())})

    def do_GET(self):
        self.answer(200, {"total": self.total})

    def answer(self, status, body):
        body = json.dumps(body, separators=(",", ":")).encode()
        head = f"HTTP/1.1 {status} Fine\r\nX-Other: 1\r\ncontent-LENGTH: {len(body)}\r\n\r\n"
        whole = head.encode() + body
        for piece in (whole[:5], whole[5:40], whole[40:-3], whole[-3:]):
            self.wfile.write(piece)
            self.wfile.flush()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("total, holds", [(999, False), (1000, True)])
def test_a_service_that_loses_money_is_found_out(total, holds):
    handler = type("Handler", (Liar,), {"total": total})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as liar:
        threading.Thread(target=liar.serve_forever, daemon=True).start()
        done = bench(
            "--url", f"http://127.0.0.1:{liar.server_port}", "--key", BOOTSTRAP_KEY, "--wallets",
            3, "--connections", 3, "--duration", 1, "--warmup", 0, "--funds", 1000, "--json", "-",
            "--mix", "balance=1")
        liar.shutdown()
    kept = json.loads(done.stdout)["conservation"]
    assert done.returncode == (0 if holds else 1), done.stderr
    assert kept["holds"] == holds and kept["wrongWallets"] == (0 if holds else 3)
    assert ("DOES NOT HOLD" in done.stderr) != holds
    assert BOOTSTRAP_KEY not in done.stdout + done.stderr


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize("arguments, sentence", [
    (["--url", f"http://127.0.0.1:{closed_port()}", "--key", BOOTSTRAP_KEY], "Nothing answers at"),
    (["--url", "ftp://example.org", "--key", BOOTSTRAP_KEY], "give http://HOST:PORT"),
    ([], "Give an API key by --key"),
    (["--mix", "transfer=x"], "--mix"),
    (["--wallets", "1"], "--wallets must be from 2"),
    (["--batch", "1001"], "--batch must be from 1 to 1000"),
    (["--batch", "2", "--mix", "transfer=1,balance=1"], "Only transfers come in a --batch"),
    (["--max-batch", "1"], "with --self"),
    (["--self", "--max-batch", "none"], "--max-batch"),
])
def test_what_cannot_be_measured_is_said_in_a_sentence(arguments, sentence):
    done = bench(*arguments, seconds=40)
    assert done.returncode != 0 and sentence in done.stderr, (done.returncode, done.stderr)
    assert "Fatal" not in done.stderr


def test_a_wrong_key_is_named(server):
    done = bench("--url", f"http://127.0.0.1:{server.port}", "--key", "wk_wrong_0123456789abcdef")
    assert done.returncode != 0 and "does not accept the key" in done.stderr
