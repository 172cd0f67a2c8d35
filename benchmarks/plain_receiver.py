"""What one would write in an hour: Flask on waitress, one commit a request. `python -m benchmarks.plain_receiver FILE`.

The signing secret comes in the environment as SECRET. One connection behind a lock is the fastest of the plain ways:
with one for each thread they wait for each other's commits in SQLite's busy loop.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sqlite3
import sys
import threading

import waitress
from flask import Flask, Response, jsonify, request

THREADS = 16


def make_app(path: str, secret: bytes) -> Flask:
    """Return a receiver that verifies a delivery, stores it, commits, and answers."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE delivery (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, event TEXT, issue TEXT)")
    lock = threading.Lock()
    app = Flask(__name__)

    @app.post("/external/jira/webhook")
    def receive() -> tuple[Response, int]:
        body = request.get_data()
        signature = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature.encode(), request.headers.get("X-Hub-Signature", "").encode()):
            return jsonify(error="forbidden"), 403
        delivery = json.loads(body)
        row = (request.headers["X-Atlassian-Webhook-Identifier"], delivery["webhookEvent"], delivery["issue"]["id"])
        with lock:
            db.execute("INSERT INTO delivery (id, event, issue) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row)
        return jsonify(accepted=1), 200

    return app


def main() -> None:
    """Serve until told to stop."""
    app = make_app(sys.argv[1], os.environ["SECRET"].encode())
    server = waitress.create_server(app, host="127.0.0.1", port=0, threads=THREADS)
    print(f"http://127.0.0.1:{server.effective_port}", flush=True)
    server.run()


if __name__ == "__main__":
    main()
