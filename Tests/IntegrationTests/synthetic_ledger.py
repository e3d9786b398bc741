"""Ledgers written from the documents alone, with no help of the program: every type of event, of
any length. As a program it writes an export of so many events, for measurements."""

import hashlib
import json
import random
import sys

LEDGER = "01980000-0000-7000-8000-000000000001"
EPOCH = 1_750_000_000_000_000
TYPES = {
    "walletOpened", "deposited", "withdrawn", "transferred", "holdPlaced", "holdCaptured",
    "holdReleased", "holdExpired", "reversed", "walletFrozen", "walletUnfrozen", "walletClosed"}


def canonical(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def prefixed(text):
    return len(text.encode()).to_bytes(8, "big") + text.encode()


def scope(principal):
    return prefixed("api-key") + prefixed("") + prefixed(principal)


class SyntheticLedger:
    """Makes one event after another, each complete and chained to the one before."""

    def __init__(self, rng, principal="shop", epochs=None):
        self.rng, self.principal = rng, principal
        self.epochs = epochs or [(EPOCH, 1)]
        self.position, self.time = 0, EPOCH
        self.hash = self.genesis = sha256(
            b"wallet-ledger-v1", bytes.fromhex(LEDGER.replace("-", "")))
        self.wallets, self.holds, self.texts, self.keys = {}, {}, [], []
        self.batch = None

    # --- What events are made of ---

    def identifier(self):
        position, milliseconds = self.position + 1, (self.time + 1) // 1000
        high = milliseconds << 16 | 0x7000 | position >> 36
        low = 1 << 63 | (position & 0xF_FFFF_FFFF) << 26 | self.rng.getrandbits(26)
        digits = f"{high:016x}{low:016x}"
        return "-".join(
            digits[start:end] for start, end in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))

    def stamp(self, instruction):
        key = f"k-{self.position + 1}"
        own = scope(self.principal) + prefixed(key)
        self.keys.append((key, instruction))
        stamp = {"key": sha256(own).hex(), "fingerprint": sha256(own, canonical(instruction)).hex()}
        if self.batch:
            stamp["batch"] = dict(self.batch)
            self.batch["index"] += 1
        return stamp

    def begin_batch(self, size):
        """The next events come from one batch."""
        key = scope(self.principal) + prefixed(f"b-{self.position}")
        self.batch = {"key": sha256(key).hex(), "fingerprint": sha256(key, b"{}").hex(),
                      "index": 0, "size": size, "atomic": True}

    def event(self, kind, command, change, postings=(), held=(), instruction=None, text=None):
        """Chains one event, and returns its line. `held` says how much more wallets hold."""
        self.position += 1
        self.time += 1 + self.rng.randrange(500)
        changes = {}
        for account, amount in postings:
            if account.startswith("wallet:"):
                changes[account[7:]] = [amount, 0]
        for wallet, amount in held:
            changes.setdefault(wallet, [0, 0])[1] += amount
        balances = []
        for wallet, (total, reserved) in changes.items():
            state = self.wallets[wallet]
            state[0] += 1
            state[1] += total
            state[2] += reserved
            balances.append(
                {"wallet": wallet, "version": state[0], "total": state[1], "held": state[2]})
        epoch = next(e for e, first in reversed(self.epochs) if first <= self.position)
        body = {"v": 1, "position": self.position, "epoch": epoch, "recordedAt": self.time,
                "type": kind}
        if command == "expire":
            body |= {"actor": {"kind": "system"}, "command": command}
        else:
            self.position -= 1
            stamp = self.stamp(instruction or {"kind": command})
            self.position += 1
            body |= {"actor": {"kind": "apiKey", "id": "key_1", "principal": self.principal},
                     "command": command, "idempotency": stamp}
        body |= change
        body["postings"] = [{"account": a, "amount": amount} for a, amount in postings]
        body["balances"] = balances
        if text:
            salt = self.rng.randbytes(16)
            body["text"] = sha256(salt, canonical(text)).hex()
            self.texts.append((self.position, salt, text))
        raw = canonical(body)
        self.hash = sha256(self.hash, raw)
        return (b'{"position":%d,"hash":"%s","event":%s}\n'
                % (self.position, self.hash.hex().encode(), raw))

    # --- Events ---

    def open(self, user="u-1", currency="USD", text=None):
        wallet = self.identifier()
        self.wallets[wallet] = [0, 0, 0]
        return self.event(
            "walletOpened", "openWallet", {"wallet": wallet, "user": user, "currency": currency},
            held=[(wallet, 0)], text=text,
            instruction={"kind": "openWallet", "userId": user, "currency": currency} | (text or {}))

    def movement(self, amount, reference=None):
        self.transaction = self.identifier()
        return {"transaction": self.transaction, "amount": amount, "currency": "USD"} | (
            {"reference": reference} if reference else {})

    def deposit(self, wallet, amount, reference=None, text=None):
        instruction = {"kind": "deposit", "walletId": wallet, "amount": amount}
        return self.event(
            "deposited", "deposit", self.movement(amount, reference),
            [("external:USD", -amount), (f"wallet:{wallet}", amount)], text=text,
            instruction=instruction | ({"reference": reference} if reference else {})
            | (text or {}))

    def withdraw(self, wallet, amount):
        return self.event(
            "withdrawn", "withdrawal", self.movement(amount),
            [(f"wallet:{wallet}", -amount), ("external:USD", amount)],
            instruction={"kind": "withdrawal", "walletId": wallet, "amount": amount})

    def transfer(self, source, target, amount, reference=None, text=None):
        instruction = {"kind": "transfer", "from": source, "to": target, "amount": amount}
        return self.event(
            "transferred", "transfer", self.movement(amount, reference),
            [(f"wallet:{source}", -amount), (f"wallet:{target}", amount)], text=text,
            instruction=instruction | ({"reference": reference} if reference else {})
            | (text or {}))

    def hold(self, wallet, amount, expires=None, reference=None):
        hold = self.last_hold = self.identifier()
        self.holds[hold] = wallet, amount, expires
        change = {"hold": hold, "wallet": wallet, "amount": amount, "currency": "USD"}
        if expires:
            change["expiresAt"] = expires
        if reference:
            change["reference"] = reference
        return self.event("holdPlaced", "hold", change, held=[(wallet, amount)])

    def capture(self, hold, amount, to=None):
        wallet, whole, _ = self.holds.pop(hold)
        target = f"wallet:{to}" if to else "external:USD"
        change = self.movement(amount) | {
            "hold": hold, "wallet": wallet, "released": whole - amount}
        return self.event(
            "holdCaptured", "capture", change, [(f"wallet:{wallet}", -amount), (target, amount)],
            held=[(wallet, -whole)])

    def release(self, hold, expired=False):
        wallet, amount, expires = self.holds.pop(hold)
        change = {"hold": hold, "wallet": wallet, "amount": amount, "currency": "USD"}
        if not expired:
            return self.event("holdReleased", "release", change, held=[(wallet, -amount)])
        self.time = max(self.time, expires)
        return self.event(
            "holdExpired", "expire", change | {"expiresAt": expires}, held=[(wallet, -amount)])

    def reverse(self, transaction, source, target, amount, total):
        """Moves part of a transaction from `target`, which got it, back to `source`."""
        return self.event(
            "reversed", "reversal",
            self.movement(amount) | {"reverses": transaction, "reversedTotal": total},
            [(f"wallet:{target}", -amount), (f"wallet:{source}", amount)])

    def status(self, kind, command, wallet, text=None):
        return self.event(kind, command, {"wallet": wallet}, held=[(wallet, 0)], text=text)

    # --- What lies around events ---

    def header(self):
        """The first line; the head must be known by then."""
        epochs = [{"epoch": epoch, "firstPosition": first} for epoch, first in self.epochs]
        head = {"epoch": self.epochs[-1][0], "position": self.position, "hash": self.hash.hex(),
                "recordedAt": self.time}
        return canonical({
            "export": 1, "ledger": LEDGER, "epochs": epochs, "head": head,
            "after": {"position": 0, "hash": self.genesis.hex()}}) + b"\n"

    def text_lines(self):
        for position, salt, text in self.texts:
            yield canonical({"text": position, "salt": salt.hex(), "body": text}) + b"\n"

    def export(self, events, refusals=(), keys=()):
        """The lines of an export of these events."""
        body = [*events, *self.text_lines(), *refusals, *keys]
        return sealed([self.header(), *body])


def sealed(lines):
    """The lines with a last one that fits them."""
    kinds = {b'{"position"': 0, b'{"text":': 0, b'{"refusal"': 0, b'{"apiKey":': 0}
    for line in lines[1:]:
        for kind in kinds:
            kinds[kind] += line.startswith(kind)
    head = json.loads(lines[0])["head"]
    events, texts, refusals, keys = kinds.values()
    trailer = {"end": head["position"], "hash": head["hash"], "events": events, "texts": texts,
               "refusals": refusals, "apiKeys": keys, "sha256": sha256(*lines).hex()}
    return [*lines, canonical(trailer) + b"\n"]


def every_type(rng):
    """A ledger with every type of event, a batch, two timelines, text, refusals and API keys."""
    made = SyntheticLedger(rng, epochs=[(EPOCH, 1), (EPOCH + 9, 8)])
    events = [made.open("ada", text={"description": "é \"x\"", "metadata": {"a": "1", "b": ""}}),
              made.open("bob"), made.open("cy"), made.open("jo", "JPY")]
    ada, bob, cy, jo = made.wallets
    events += [made.deposit(ada, 1000, "order-1", {"description": "tea"}), made.deposit(bob, 500),
               made.withdraw(bob, 20), made.transfer(ada, bob, 300, "order-2")]
    moved = made.transaction
    events += [made.reverse(moved, ada, bob, 100, 100), made.reverse(moved, ada, bob, 200, 300)]
    for amount in (10, 20, 30, 40):
        events.append(made.hold(ada, amount, made.time + 5_000, f"hold-{amount}"))
    first, second, third, _ = list(made.holds)
    events += [made.capture(first, 4), made.release(second), made.release(third, expired=True),
               made.hold(bob, 50)]
    events += [made.capture(made.last_hold, 50, ada), made.hold(bob, 5),
               made.status("walletFrozen", "freeze", ada, {"description": "asked for"}),
               made.status("walletUnfrozen", "unfreeze", ada),
               made.status("walletClosed", "close", cy), made.transfer(ada, bob, 1)]
    made.begin_batch(2)
    events += [made.deposit(ada, 7), made.transfer(ada, bob, 7)]
    made.batch = None
    refusals = [canonical({
        "refusal": sha256(scope("shop"), prefixed(f"refused-{index}")).hex(),
        "fingerprint": sha256(b"x").hex(), "recordedAt": made.time, "requestId": "r-1",
        "body": {"code": "INSUFFICIENT_FUNDS", "members": [["available", 1], ["why", "é"]]}})
        + b"\n" for index in range(2)]
    keys = [canonical({
        "apiKey": f"key_{index}", "hash": sha256(b"wk_synthetic_%d" % index).hex(),
        "principal": "shop", "scopes": 7, "createdAt": EPOCH + index}
        | ({"revokedAt": EPOCH + 9} if index else {})) + b"\n" for index in range(2)]
    return made, made.export(events, sorted(refusals), keys)


def many(made, count, wallets):
    """So many events: deposits, then transfers with holds, captures and text in between."""
    names = []
    for index in range(wallets):
        yield made.open(f"u-{index}")
    names = list(made.wallets)
    for wallet in names:
        yield made.deposit(wallet, 1_000_000)
    rng, left = made.rng, count - 2 * wallets
    while left > 0:
        source, target = rng.choice(names), rng.choice(names)
        if source == target:
            continue
        dice = rng.random()
        if dice < 0.05 and left >= 2:
            yield made.hold(source, 5)
            yield made.capture(made.last_hold, 3, target)
            left -= 2
            continue
        text = {"description": "coffee and cake"} if dice < 0.15 else None
        yield made.transfer(source, target, 1 + rng.randrange(9),
                            f"r-{made.position}" if dice > 0.5 else None, text)
        left -= 1


def write(file, count, wallets, rng):
    """Writes an export of so many events; it is made twice, since its first line has its end."""
    state, first = rng.getstate(), SyntheticLedger(rng)
    for _ in many(first, count, wallets):
        first.keys.clear()
        first.texts.clear()
    rng.setstate(state)
    made = SyntheticLedger(rng)
    running, texts = hashlib.sha256(), 0

    def put(line):
        running.update(line)
        file.write(line)

    put(first.header())
    for line in many(made, count, wallets):
        made.keys.clear()
        put(line)
    for line in made.text_lines():
        texts += 1
        put(line)
    file.write(canonical({
        "end": made.position, "hash": made.hash.hex(), "events": made.position, "texts": texts,
        "refusals": 0, "apiKeys": 0, "sha256": running.hexdigest()}) + b"\n")


if __name__ == "__main__":
    number = int(sys.argv[1])
    write(sys.stdout.buffer, number, max(2, min(10_000, number // 10)), random.Random(7))
