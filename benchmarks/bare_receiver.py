"""The least that a receiver can do: bare Starlette on uvicorn verifies, parses and answers; it stores nothing.

`python -m benchmarks.bare_receiver`. The signing secret comes in the environment as SECRET. It shares no code with the
connector, so that no change there can break it unseen. What it did is told at `/done`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import socket

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

BACKLOG = 1024


def make_app(secret: bytes) -> Starlette:
    """Return a receiver that verifies a delivery, reads it, and answers with what it read."""
    done = {"parsed": 0}

    async def receive(request: Request) -> Response:
        body = await request.body()
        signature = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature.encode(), request.headers.get("X-Hub-Signature", "").encode()):
            return JSONResponse({"error": "forbidden"}, status_code=403)
        issue = json.loads(body)["issue"]
        done["parsed"] += 1
        return JSONResponse({"issue": issue["id"], "fields": len(issue["fields"])})

    async def tell(_: Request) -> Response:
        return JSONResponse(done)

    return Starlette(routes=[Route("/external/jira/webhook", receive, methods=["POST"]), Route("/done", tell)])


def main() -> None:
    """Serve until told to stop."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(
        make_app(os.environ["SECRET"].encode()),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        backlog=BACKLOG,
    )
    uvicorn.Server(config).run(sockets=[listener])  # on the loop that uvicorn chooses, as the daemon is


if __name__ == "__main__":
    main()
