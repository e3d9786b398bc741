"""An issuer of users' tokens: keys of every kind, and a server that publishes them."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

AUDIENCE = "wallet"


def new_key(algorithm):
    if algorithm in ("RS256", "PS256"):
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP384R1() if algorithm == "ES384" else ec.SECP256R1())


def public_jwk(kid, algorithm, key):
    maker = jwt.get_algorithm_by_name(algorithm)
    return maker.to_jwk(key.public_key(), as_dict=True) | {"kid": kid, "use": "sig"}


def encoded(value):
    """Bytes, or an object as JSON, as one part of a token."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Publishes keys on a port of its own, and signs tokens with any key it is given."""

    def __init__(self):
        self.keys, self.private, self.algorithms = [], {}, {}
        self.status, self.delay, self.fetches, self.padding = 200, 0, 0, ""
        self.add("es-1", "ES256")
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.fetches += 1
                time.sleep(issuer.delay)
                body = json.dumps({"keys": issuer.keys, "padding": issuer.padding}).encode()
                self.send_response(issuer.status)
                self.send_header("Content-Length", str(len(body)))
                if issuer.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/keys"
        self.name = "https://issuer.example"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    @property
    def environment(self):
        return {"WALLET_JWT_ISSUER": self.name, "WALLET_JWT_AUDIENCE": AUDIENCE,
                "WALLET_JWT_JWKS_URL": self.url}

    def add(self, kid, algorithm, published=True):
        key = new_key(algorithm)
        self.private[kid], self.algorithms[kid] = key, algorithm
        if published:
            self.keys = [*self.keys, public_jwk(kid, algorithm, key)]

    def remove(self, kid):
        self.keys = [key for key in self.keys if key["kid"] != kid]

    def claims(self, user, scope="read write", **more):
        now = int(time.time())
        claims = {"iss": self.name, "aud": AUDIENCE, "sub": user, "scope": scope,
                  "iat": now, "exp": now + 600} | more
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, user, scope="read write", kid="es-1", headers=None, key=None, algorithm=None,
              **claims):
        """A token for a user; a claim that is None is left out."""
        headers = {"kid": kid} | (headers or {})
        return jwt.encode(
            self.claims(user, scope, **claims), key or self.private[kid],
            algorithm=algorithm or self.algorithms[kid],
            headers={name: value for name, value in headers.items() if value is not None})
