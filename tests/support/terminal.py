"""A person in front of a terminal: reads until a question is asked, and types the answer."""

from __future__ import annotations

import os
import pty
import select
import subprocess

WAIT_S = 60
UP, DOWN = "\x1b[A", "\x1b[B"


def converse(stage, command, *answers):
    """Run a command on a terminal; type each answer when its question was asked. Return all that was shown.

    An answer that is a function is called with what was shown, and nothing is typed.
    """
    ours, theirs = pty.openpty()
    whole = [*stage.daemon._command, *command]
    environ = {**stage.daemon._environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    process = subprocess.Popen(whole, env=environ, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        shown = ""
        for question, answer in answers:
            shown += _read_until(ours, question)
            if callable(answer):
                answer(shown)
            else:
                os.write(ours, f"{answer}\r".encode())
        shown += _read_until(ours, None)
        assert process.wait(WAIT_S) == 0, shown
    finally:
        os.close(ours)
        process.kill()
        process.wait()
    return shown


def _read_until(terminal, question):
    """Read what is shown until a question is asked, or to the end."""
    text = ""
    while question is None or question not in text:
        assert select.select([terminal], [], [], WAIT_S)[0], f"nothing more is shown, waiting for {question}:\n{text}"
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # how a terminal says that its other side is gone
            piece = b""
        if not piece:
            assert question is None, f"never asked: {question}\n{text}"
            break
        text += piece.decode(errors="replace")
    return text
