"""HTTP itself: HEAD, early answers, requests that are none, the word that a client waits for."""

import re
import time

import pytest
from wallet_client import check_problem, raw_request

CHUNKED = {"Content_Length": None, "Transfer_Encoding": "chunked"}


def head_and_rest(data):
    """The status line and headers of the first answer, and the bytes behind them."""
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode(), rest


def lone_answer(server, data, seconds=5):
    """Sends bytes; returns the only answer to them, after which the connection must end cleanly."""
    with server.raw() as raw:
        raw.send(data)
        answer = raw.answer()
        rest, state = raw.ending(seconds)
    assert (rest, state) == (b"", "closed"), (rest, state)
    return answer


# --- HEAD and OPTIONS ----------------------------------------------------------------------------


def test_head_is_answered_like_get_but_for_the_body(server, client):
    wallet = client.wallet(10)
    paths = [f"/v1/wallets/{wallet}", f"/v1/wallets/{wallet}/balance", "/health/live",
             f"/v1/wallets/{wallet}/statement", "/v1/wallets/nonsense", "/v1/nothing"]
    varying = {"date", "x-request-id"}
    with server.raw() as raw:
        for path in paths:  # All on one connection, which a body would throw out of step.
            got = client.get(path)
            raw.send(raw_request("HEAD", path))
            data = b""
            while b"\r\n\r\n" not in data:
                data += raw.reader.read1(65536)
            head, rest = head_and_rest(data)
            assert rest == b"", (path, rest)
            lines = head.split("\r\n")
            assert lines[0].split(" ")[1] == str(got.status), (path, head)
            headers = {n.lower(): v for n, v in (line.split(": ", 1) for line in lines[1:])}
            expected = {n.lower(): v for n, v in got.headers.items()}
            assert set(headers) == set(expected), path
            same = {n: v for n, v in expected.items() if n not in varying}
            assert {n: v for n, v in headers.items() if n not in varying} == same, path
        raw.send(raw_request("GET", "/health/live"))
        assert raw.answer().status == 200
        assert raw.ending(0.2) == (b"", "open")


def test_a_path_without_get_has_no_head_and_no_body_with_it(server):
    with server.raw() as raw:
        raw.send(raw_request("HEAD", "/v1/transfers", Connection="close"))
        data, state = raw.ending(5)
    head, rest = head_and_rest(data)
    assert head.startswith("HTTP/1.1 405 ") and rest == b"" and state == "closed"
    assert re.search(r"(?im)^allow: POST\r?$", head), head


def test_options_is_told_the_methods(client):
    answer = client.request("OPTIONS", f"/v1/wallets/{client.wallet()}")
    check_problem(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "GET, HEAD"


# --- What is no HTTP -----------------------------------------------------------------------------

GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
NO_HTTP = {
    "length and chunks": (raw_request(
        "POST", "/v1/transfers", b"0\r\n\r\n", Transfer_Encoding="chunked"), 400),
    "not HTTP": (b"hello\r\n\r\n", 400),
    "bytes that are not ASCII in the path": ("GET /é HTTP/1.1\r\nHost: x\r\n\r\n".encode(), 400),
    "a NUL in a header": (GET + b"X: a\0b\r\n\r\n", 400),
    "a chunk of nonsense": (raw_request("POST", "/v1/transfers", b"zz\r\n{}\r\n", **CHUNKED), 400),
    "101 headers": (GET + b"X: y\r\n" * 101 + b"\r\n", 431),
    "a header of 20 KiB": (GET + b"X: " + b"a" * 20_000 + b"\r\n\r\n", 431),
}


@pytest.mark.parametrize("name", NO_HTTP)
def test_what_is_no_http_is_a_problem_too(server, client, name):
    data, status = NO_HTTP[name]
    answer = lone_answer(server, data)
    problem = check_problem(
        answer, status, "MALFORMED_REQUEST" if status == 400 else "HEADERS_TOO_LARGE")
    assert problem["retryable"] is False
    assert answer.headers["X-Request-Id"] == problem["requestId"]
    assert answer.headers["Connection"] == "close"


def test_what_is_no_http_waits_for_the_answers_before_it(server, client):
    wallet = client.wallet()
    path = f"/v1/wallets/{wallet}/deposits"
    with server.raw() as raw:
        raw.send(raw_request("POST", path, b'{"amount":3}') + b"hello\r\n\r\n")
        assert raw.answer().status == 201
        check_problem(raw.answer(), 400, "MALFORMED_REQUEST")
        assert raw.ending(5) == (b"", "closed")
    assert client.total(wallet) == 3


# --- Connections ---------------------------------------------------------------------------------


def test_http_1_0_ends_with_its_answer_unless_it_asks_otherwise(server, client):
    request = raw_request("GET", "/health/live").replace(b"HTTP/1.1", b"HTTP/1.0")
    with server.raw() as raw:
        start = time.monotonic()
        raw.send(request)
        data, state = raw.ending(5)
        assert data.startswith(b"HTTP/1.0 200 ") and state == "closed"
        assert time.monotonic() - start < 1
    kept = request.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n")
    with server.raw() as raw:
        for _ in range(3):
            raw.send(kept)
            answer = raw.answer()
            assert (answer.status, answer.headers["Connection"]) == (200, "keep-alive")
    wallet = client.wallet(1)
    statement = raw_request("GET", f"/v1/wallets/{wallet}/statement")
    with server.raw() as raw:  # A body of unknown length, which has no chunks here.
        raw.send(statement.replace(b"HTTP/1.1", b"HTTP/1.0"))
        head, body = head_and_rest(raw.ending(5)[0])
        assert "chunked" not in head.lower() and body.startswith(b"{") and body.endswith(b"}")


def test_a_stray_line_end_does_not_hurry_the_answer(new_server):
    server = new_server()
    wallet = server.client().wallet()
    server.restart(
        WALLET_COMMIT_DELAY_MS=2500, WALLET_READ_TIMEOUT_SECONDS=1, WALLET_SWEEP_INTERVAL_SECONDS=0)
    with server.raw() as raw:
        raw.send(raw_request("POST", f"/v1/wallets/{wallet}/deposits", b'{"amount":4}') + b"\r\n")
        assert raw.answer().status == 201


def waiting_request(path, length, **headers):
    """A request's head that announces a body and waits for a word before it sends it."""
    return raw_request("POST", path, Content_Length=length, Expect="100-continue", **headers)


def test_a_client_that_waits_is_told_to_send_its_body(server, client):
    wallet, body = client.wallet(), b'{"amount":6}'
    with server.raw() as raw:
        for _ in range(2):
            raw.send(waiting_request(f"/v1/wallets/{wallet}/deposits", len(body)))
            word = raw.reader.read1(25)
            assert word == b"HTTP/1.1 100 Continue\r\n\r\n", word
            raw.send(body)
            assert raw.answer().status == 201
    assert client.total(wallet) == 12


@pytest.mark.parametrize("status, path, headers", [
    (401, "/v1/transfers", {"secret": "wrong"}), (404, "/v1/nothing", {}),
    (405, "/v1/events", {}), (415, "/v1/transfers", {"Content_Type": "text/plain"})])
def test_a_client_that_waits_in_vain_is_told_so(server, client, status, path, headers):
    assert lone_answer(server, waiting_request(path, 100, **headers)).status == status


def test_a_client_that_waits_with_too_much_is_told_so(server, client):
    answer = lone_answer(server, waiting_request("/v1/transfers", 1 << 30))
    check_problem(answer, 413, "BODY_TOO_LARGE")


@pytest.mark.parametrize("status, method, path, headers", [
    (401, "POST", "/v1/transfers", {"secret": "wrong"}), (404, "POST", "/v1/nothing", {}),
    (405, "POST", "/v1/events", {}), (413, "POST", "/v1/transfers", {})])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_nobody_wants_is_not_swallowed(server, client, status, method, path, headers,
                                                   chunked):
    if chunked and status == 413:
        headers = headers | {"Content_Type": "application/json"}
    length = CHUNKED if chunked else {"Content_Length": 1 << 34}
    part = b"10000\r\n" + b" " * 65_536 + b"\r\n" if chunked else b" " * 65_536
    with server.raw(timeout=5) as raw:
        raw.send(raw_request(method, path, **(headers | length)))
        start, sent = time.monotonic(), 0
        try:
            while time.monotonic() - start < 8:
                raw.send(part)
                sent += len(part)
        except OSError:
            pass  # It was cut off, as it must be.
        seconds = time.monotonic() - start
        data, _ = raw.ending(1)
    assert seconds < 4 and sent < 100 << 20, (seconds, sent)
    assert not data or data.startswith(b"HTTP/1.1 %d " % status), data[:200]


def test_a_small_body_that_nobody_wants_does_not_end_the_connection(server, client):
    with server.raw() as raw:
        for _ in range(3):
            raw.send(raw_request("POST", "/v1/nothing", b" " * 5_000))
            check_problem(raw.answer(), 404, "NOT_FOUND")
        raw.send(raw_request("GET", "/health/live"))
        assert raw.answer().status == 200


def test_an_early_answer_arrives_although_the_body_does_too(server, client):
    body = b" " * (4 << 20)
    with server.raw() as raw:
        raw.send(raw_request("POST", "/v1/transfers", body))
        answer = raw.answer()
        check_problem(answer, 413, "BODY_TOO_LARGE")
        assert answer.headers["Connection"] == "close"
        assert raw.ending(5) == (b"", "closed")
