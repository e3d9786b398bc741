#!/usr/bin/env python3
"""Proves a ledger's log without the program that wrote it: verify_log.py data/ledger.sqlite

Checks the chain from the genesis to the head, gapless positions, strictly increasing times,
postings that sum to zero, balances that follow, and the wallets table; not what a wallet's status,
a hold or a reversal allows, for which there is `wallet verify`. See docs/log-format.md."""
import collections
import hashlib
import json
import pathlib
import sqlite3
import sys


def check(condition, reason):
    if not condition:
        sys.exit(f"The log is NOT sound: position {position}: {reason}")


database = sqlite3.connect(pathlib.Path(sys.argv[1]).absolute().as_uri() + "?mode=ro", uri=True)
database.execute("BEGIN")  # One snapshot; writers may go on.
head = database.execute("SELECT ledger_id, position, hash, recorded_at FROM log_head").fetchone()
position, time, previous = 0, 0, hashlib.sha256(b"wallet-ledger-v1" + head[0]).digest()
wallets, currencies, outside = {}, {}, collections.Counter()
segments = "SELECT first_position, last_position, recorded_at, body FROM log ORDER BY 1"
for first, last, at, body in database.execute(segments):
    check(first == position + 1, "the segment does not begin where the last one ended")
    offset = 0
    while offset < len(body):
        position, end = position + 1, offset + 4 + int.from_bytes(body[offset:offset + 4], "big")
        text, digest, offset = body[offset + 4:end], body[end:end + 32], end + 32
        check(hashlib.sha256(previous + text).digest() == digest, "the hash does not follow")
        event, change = json.loads(text), collections.Counter()
        check((event["v"], event["position"]) == (1, position), "it is another position's event")
        check(event["recordedAt"] > time, "the time does not increase")
        previous, time = digest, event["recordedAt"]
        for posting in event["postings"]:
            kind, _, name = posting["account"].partition(":")
            check(currencies.get(name, name) == event["currency"], "money changes its currency")
            (change if kind == "wallet" else outside)[name] += posting["amount"]
        check(not sum(p["amount"] for p in event["postings"]), "the postings do not sum to zero")
        check(change.keys() <= {b["wallet"] for b in event["balances"]}, "a balance is missing")
        for b in event["balances"]:
            version, total = wallets.get(b["wallet"], (0, 0))
            wallets[b["wallet"]] = after = version + 1, total + change[b["wallet"]]
            check((b["version"], b["total"]) == after, "a balance does not follow")
            check(0 <= b["held"] <= b["total"], "more is held than there is")
            currencies.setdefault(b["wallet"], event.get("currency"))
    check((last, at) == (position, time), "the segment does not end where it says")
check(head[1:] == (position, previous, time or head[3]), "the head is not the end of the log")
rows = {i.hex(): (v, t) for i, v, t in database.execute("SELECT id, version, total FROM wallets")}
check(rows == {i.replace("-", ""): w for i, w in wallets.items()}, "the wallets differ")
for wallet, (_, total) in wallets.items():
    outside[currencies[wallet]] += total
check(not any(outside.values()), "wallets and outside do not sum to zero")
print(f"The log is sound: {position} events, {len(wallets)} wallets, hash {previous.hex()}")
