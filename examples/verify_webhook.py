"""Receive webhooks of the locker and verify them (Standard Webhooks 1.0), with the standard library alone.

    python examples/verify_webhook.py whsec_… 8080

Prints one JSON line for each message that is sound and new. For v1a (Ed25519) see the libraries of the specification.
"""

import base64
import hashlib
import hmac
import json
import sys
import time
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

TOLERANCE_S = 300
BODY_MAX_BYTES = 65_536


def verify(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Is one of the signatures ours, and is the attempt not an old one that somebody repeats?"""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERANCE_S:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    made = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    wanted = f"v1,{base64.b64encode(made).decode()}"
    # Several while a key is rotated. Compared in constant time, and as bytes: the header may hold anything.
    return any(hmac.compare_digest(wanted.encode(), one.encode()) for one in headers["webhook-signature"].split())


class Receiver(BaseHTTPRequestHandler):
    secret = ""
    seen: ClassVar[OrderedDict[str, None]] = OrderedDict()

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_MAX_BYTES:
            return self.answer(413)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        if "webhook-signature" not in headers or not verify(self.secret, headers, body):
            return self.answer(401)
        if headers["webhook-id"] not in self.seen:
            # Keep these in your database, in the transaction that acts on the message.
            self.seen[headers["webhook-id"]] = None
            if len(self.seen) > 10_000:
                self.seen.popitem(last=False)
            print(json.dumps(json.loads(body)), flush=True)
        # Say so quickly, act later: after 15 seconds without an answer the message comes again.
        return self.answer(204)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


if __name__ == "__main__":
    Receiver.secret = sys.argv[1]
    HTTPServer(("127.0.0.1", int(sys.argv[2])), Receiver).serve_forever()
