"""Sites that answer with as much as they can, all at once: what that takes of memory, and who is still served."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

MIB = 1024 * 1024
SITES, ROUNDS = 64, 4
#: What docs/operations.md says that answers may take together, and a quarter for what an allocator leaves unused.
BOUND_MIB = 256 * 1.25
BODIES = {
    # Empty objects take twenty times what they are sent as.
    "/objects": b"[" + b"{}," * (5 * MIB) + b"{}]",
    # The largest that is read, and it weighs three times that.
    "/text": b'["' + b"x" * (15 * MIB) + b'"]',
    # One character makes each of the others four bytes wide.
    "/wide": b'["' + b"x" * (6 * MIB) + b'\\ud83d\\ude00"]',
    "/tickets": json.dumps([{"id": str(n), "fields": {"summary": "A fan", "n": n}} for n in range(60_000)]).encode(),
    "/page": json.dumps([{"id": str(n), "description": "A fan. " * 100} for n in range(100)]).encode(),
    "/ticket": b'{"id": "1", "summary": "A fan"}',
}

#: Calls sites at once, works on what they answer, all of it at the same time, and calls one that is well meanwhile.
CALLER = """
import json, re, sys, threading
from pathlib import Path
from connector_core.allocator import give_large_blocks_back
from connector_core.contract.errors import RetryLater
from connector_core.http.session import HTTPSession
from connector_core.http.answers import AnswerBudget

budget = AnswerBudget(patience_s=0)
give_large_blocks_back()  # as the daemon does
base, path, sites, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
HTTPSession("warm", answers=budget).get(base + "/ticket").json()
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024
before, told, peaks, well = peak(), [], [], 0

def call(session, path):
    try:
        return "read", session.get(base + path).json()
    except RetryLater as exc:
        return exc.code, None

def hostile(answered, all_answered):
    session = HTTPSession("hostile", answers=budget)
    code, kept = call(session, path)
    told.append(code)
    answered.release()
    all_answered.wait()
    del kept
    session.let_go()

for _ in range(rounds):
    answered, all_answered = threading.Semaphore(0), threading.Event()
    threads = [threading.Thread(target=hostile, args=(answered, all_answered)) for _ in range(sites)]
    for one in threads:
        one.start()
    for _ in threads:
        answered.acquire()
    healthy = HTTPSession("healthy", answers=budget)
    well += sum(call(healthy, one)[0] == "read" for one in ("/ticket", "/page", "/ticket"))
    healthy.let_go()
    all_answered.set()
    for one in threads:
        one.join()
    peaks.append(peak() - before)
told = {code: told.count(code) for code in told}
print(json.dumps({"peaks": peaks, "told": told, "well": well, "held": budget.held}))
"""


class Site(BaseHTTPRequestHandler):
    """Answers each path with a body."""

    def do_GET(self):
        """Answer."""
        body = BODIES[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            return  # it was not read to its end

    def log_message(self, *_):
        """Keep quiet."""


@contextmanager
def sites():
    """Serve all of them."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.extended
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="has to be told how much memory a process has used")
@pytest.mark.parametrize("path", ["/objects", "/text", "/wide", "/tickets"])
def test_what_many_sites_answer_at_once_takes_bounded_memory(path):
    """However much they send: few are read at a time, the others come again; one that is well is served meanwhile."""
    with sites() as base:
        command = [sys.executable, "-c", CALLER, base, path, str(SITES), str(ROUNDS)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)

    assert max(found["peaks"]) < BOUND_MIB, found
    assert found["well"] == 3 * ROUNDS
    assert found["held"] == 0
    assert set(found["told"]) <= {"read", "answer_too_large", "answers_too_many"}
    assert path == "/objects" or found["told"]["read"] >= ROUNDS, found
