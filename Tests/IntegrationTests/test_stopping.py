"""Stops that run out of time, and starts beside a service that runs."""

import re
import resource
import subprocess
import threading
import time

from wallet_client import BINARY, INHERITED, Operation, check_problem, is_replay


def test_a_stop_that_runs_out_of_time_abandons_what_waits(new_server):
    server = new_server()
    wallet = server.client().wallet()
    server.restart(
        WALLET_COMMIT_DELAY_MS=3000, WALLET_MAX_BATCH=1, WALLET_SHUTDOWN_TIMEOUT_SECONDS=1,
        WALLET_COMMAND_TIMEOUT_MS=60_000, WALLET_SWEEP_INTERVAL_SECONDS=0)
    operations = [Operation("deposit", 1, target=wallet) for _ in range(6)]
    answers = [None] * len(operations)

    def send(index):
        try:
            answers[index] = operations[index].send(server.client())
        except OSError as error:
            answers[index] = error

    threads = [threading.Thread(target=send, args=(i,)) for i in range(len(operations))]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    start = time.monotonic()
    assert server.sigterm() == 3
    assert time.monotonic() - start < 5
    for thread in threads:
        thread.join(10)
    done = [a for a in answers if getattr(a, "status", None) == 201]
    assert len(done) <= 1, answers
    for answer in answers:
        if getattr(answer, "status", 201) != 201:
            check_problem(answer, 503, "WRITES_UNAVAILABLE")
    server.check_verifies()
    # The key tells what became of each: the one under way at most was done.
    client = server.start(WALLET_COMMIT_DELAY_MS=0, WALLET_MAX_BATCH=256).client()
    again = [operation.send(client) for operation in operations]
    assert all(answer.status == 201 for answer in again)
    assert len(done) <= sum(map(is_replay, again)) <= 1
    assert client.state(wallet) == (6, 7)


def serve_dev(folder, *options):
    process = subprocess.Popen(
        [BINARY, "serve", "--dev", "--database", f"sqlite:{folder}/ledger.sqlite", *options],
        env=INHERITED, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True)
    text = ""
    for line in process.stdout:
        text += line
        if "Stop with Ctrl-C" in line:
            break
    port = re.search(r"http://127\.0\.0\.1:(\d+)", text)
    key = re.search(r"wk_\w+", text)
    return process, port and int(port[1]), key and key[0]


def test_a_second_start_that_fails_leaves_the_first_its_key(new_server, tmp_path):
    probe = new_server()  # Knows how to ask; the services under test are others.
    first, port, key = serve_dev(tmp_path, "--port", "0")
    try:
        made = subprocess.run(
            [BINARY, "keys", "create", "--principal", "development", "--scopes", "read",
             "--database", f"sqlite:{tmp_path}/ledger.sqlite"],
            env=INHERITED, capture_output=True, text=True, timeout=30)
        operators = made.stdout.split()[-1]
        second, _, none = serve_dev(tmp_path, "--port", str(port))
        assert second.wait(20) != 0 and none is None
        time.sleep(4.5)  # Longer than a key is trusted without a look.
        probe.port, own = port, probe.port
        assert probe.client(key).get("/v1/users/u/wallets").status == 200
        first.terminate()
        assert first.wait(20) == 0
        first, probe.port, fresh_key = serve_dev(tmp_path, "--port", "0")
        assert probe.client(key).get("/v1/users/u/wallets").status == 401
        for good in (fresh_key, operators):
            assert probe.client(good).get("/v1/users/u/wallets").status == 200
        probe.port = own
    finally:
        first.kill()
        first.wait(10)


def test_the_limit_of_open_files_is_raised_as_far_as_it_goes(new_server):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lower = min(256, soft)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lower, hard))
    try:
        server = new_server(WALLET_MAX_CONNECTIONS=1_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    warned = "fewer files may be open" in server.log.read_text()
    assert warned == (hard < 1_000_100)
