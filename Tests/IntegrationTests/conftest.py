"""Fixtures: servers in folders of their own, a seed, and a deadline for every test."""

import contextlib
import random
import signal
import subprocess
import sys

import pytest

pytest.register_assert_rewrite("wallet_client")

from wallet_client import BINARY, ROOT, SEED, Server  # noqa: E402

DEADLINE_SECONDS = 120


def pytest_configure(config):
    config.addinivalue_line("markers", f"deadline(seconds): instead of {DEADLINE_SECONDS} s")


def pytest_report_header():
    return f"wallet: {BINARY}, WALLET_TEST_SEED={SEED}"


@contextlib.contextmanager
def _deadline(item):
    marker = item.get_closest_marker("deadline")
    seconds = marker.args[0] if marker else DEADLINE_SECONDS

    def expire(*_):
        raise TimeoutError(f"the test took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    with _deadline(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    with _deadline(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    with _deadline(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        report.sections.append(("seed", f"WALLET_TEST_SEED={SEED}"))
        for server in Server.created:
            report.sections.append((f"log of {server.folder.name}", server.log_tail()))
    return report


@pytest.fixture
def rng(request):
    """Random numbers that depend on the seed and the test alone."""
    return random.Random(f"{SEED}:{request.node.nodeid.rpartition('/')[2]}")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The server that all tests share which do not hurt it; its books must be sound at the end."""
    shared = Server(tmp_path_factory.mktemp("shared"))
    try:
        shared.start()
        yield shared
        assert shared.sigterm() == 0
        shared.check_log()
        shared.check_verifies()
        assert not shared.wal.exists() or not shared.wal.stat().st_size, "a stop leaves a log"
        # A reader of the documented format that shares no code with the program agrees.
        subprocess.run([sys.executable, ROOT / "docs/verify_log.py", shared.file], check=True)
    finally:
        shared.stop()
        Server.created.remove(shared)


@pytest.fixture
def client(server):
    """The bootstrap key's connection to the shared server, which must survive every test."""
    connection = server.client()
    yield connection
    connection.close()
    server.check_alive()


@pytest.fixture
def new_server(tmp_path):
    """Makes servers with limits of their own, for one test."""
    servers = []

    def make(**settings):
        made = Server(tmp_path / f"server-{len(servers) + 1}", **settings)
        servers.append(made)
        return made.start()

    try:
        yield make
        for made in servers:
            made.check_log()
    finally:
        for made in servers:
            made.stop()
            Server.created.remove(made)
