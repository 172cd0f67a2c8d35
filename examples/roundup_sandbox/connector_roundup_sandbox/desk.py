"""A tracker of Roundup as one object, with people who can be told what to do."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import requests
from pydantic import SecretStr

from connector_roundup_sandbox import tracker
from connector_roundup_sandbox.people import AS_A_PERSON, Person, RoundupError

STARTS_WITHIN_S = 120
ENDS_WITHIN_S = 30
#: The core's words, and Roundup's.
PRIORITIES = {"critical": "critical", "high": "urgent", "moderate": "bug", "low": "feature", "planning": "wish"}
DONE = frozenset({"done-cbb", "resolved"})
_LOOK_EVERY_S = 0.05
_FIELDS = "title,status,priority,messages,activity"


class RoundupSandbox:
    """A tracker of its own, of the template `classic`, with a user for the connector and one for a person."""

    title = "Roundup sandbox"
    #: What it can do beside what every sandbox can. Roundup sends nothing by itself, has no internal messages, and
    #: whoever changes the first message does not change the issue; nobody consents on a page.
    abilities = frozenset({"comments", "deletes"})

    def __init__(self, *, port: int = 0) -> None:
        self._socket = socket.create_server(("127.0.0.1", port), backlog=128)
        self.folder = Path(tempfile.mkdtemp(prefix="connector-roundup-"))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._process: subprocess.Popen[bytes] | None = None
        self._people: dict[str, Person] = {}
        #: Who may come in, and their passwords; known once it runs.
        self.passwords: dict[str, str] = {}

    def start(self) -> None:
        """Make the tracker and serve it.

        Raises:
            RoundupError: it ended instead.
        """
        listening = self._socket.fileno()
        arguments = (str(os.getpid()), str(self.folder), str(listening))
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - ours
                # What it warns of is Roundup's own.
                [sys.executable, "-W", "ignore", tracker.__file__, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(listening,),
                start_new_session=True,  # Ctrl-C is for us, who end it in good order
            )
        self._socket.close()
        self._wait_for_an_answer(self._process)
        lines = (self.folder / "passwords").read_text().splitlines()
        self.passwords = dict(line.split() for line in lines)
        self._people = {name: Person(self.url, name, self.passwords[name]) for name in ("agent", "admin")}

    def _wait_for_an_answer(self, process: subprocess.Popen[bytes]) -> None:
        ends_at = time.monotonic() + STARTS_WITHIN_S
        said = ""
        while time.monotonic() < ends_at:
            if (self.folder / "log").exists():
                said = (self.folder / "log").read_text(errors="replace")
            if process.poll() is not None:
                break
            if self._answers():
                return
            time.sleep(_LOOK_EVERY_S)
        self.stop()
        raise RoundupError(f"Roundup did not start:\n{said[-2000:]}")

    def _answers(self) -> bool:
        """Return whether it refuses who does not say who they are."""
        with requests.Session() as session:
            session.trust_env = False
            try:
                answer = session.get(f"{self.url}/rest", headers=AS_A_PERSON, timeout=STARTS_WITHIN_S)
            except requests.RequestException:
                return False
        return answer.status_code == HTTPStatus.FORBIDDEN

    def stop(self) -> None:
        """End; no process and no folder is left."""
        for person in self._people.values():
            person.close()
        self._socket.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(ENDS_WITHIN_S)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def plugin_settings(self) -> Mapping[str, Any]:
        """Return what goes under `plugins: roundup:`: nothing, for address and password are an integration's."""
        return {}

    def integration_settings(self) -> Mapping[str, Any]:
        """Return where the tracker is, and who comes in."""
        return {"address": self.url, "user": "connector", "password": SecretStr(self.passwords["connector"])}

    def approve(self, authorize_url: str) -> str:
        """Refuse: Roundup has no page of consent."""
        raise NotImplementedError(f"Roundup has no page of consent: {authorize_url}")

    def register_webhook(self, url: str, secret: str) -> None:
        """Refuse: Roundup sends nothing by itself."""
        raise NotImplementedError(f"Roundup sends nothing to {url}, signed or not ({len(secret)} characters).")

    def tickets(self) -> Sequence[Mapping[str, Any]]:
        """List all tickets; retired ones are not among them."""
        return [self.ticket(one["id"]) for one in self._people["agent"].list("issue", "id")]

    def ticket(self, ticket_id: str) -> Mapping[str, Any]:
        """Show one ticket; KeyError when there is none, or when it was deleted."""
        if ticket_id not in {one["id"] for one in self._people["agent"].list("issue", "id")}:
            raise KeyError(ticket_id)  # reading one that was retired looks as if it was there
        found = self._people["agent"].get(f"issue/{ticket_id}", _FIELDS)
        status = _name(found["status"])
        words = {theirs: ours for ours, theirs in PRIORITIES.items()}
        messages = self._messages(found)
        return {
            "id": ticket_id,
            "key": f"issue{ticket_id}",
            "url": f"{self.url}/issue{ticket_id}",
            "title": found["title"],
            "description": messages[0]["text"] if messages else "",
            "priority": words.get(_name(found["priority"])),
            "status": status,
            "done": status in DONE,
            "updated": found["activity"],
        }

    def _messages(self, issue: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the messages of an issue, oldest first."""
        fields = "content,creator,creation"
        found = {one["id"]: self._people["agent"].get(f"msg/{one['id']}", fields) for one in issue["messages"]}
        return [
            {
                "id": name,
                "text": one["content"],
                "author": one["creator"]["username"],
                "internal": False,
                "created": one["creation"],
            }
            for name, one in sorted(found.items(), key=lambda item: int(item[0]))
        ]

    def edit_ticket(
        self, ticket_id: str, *, title: str | None = None, description: str | None = None, priority: str | None = None
    ) -> None:
        """Change fields as a person would; `priority` is one of the core's words. A description never changes."""
        if description is not None:
            raise NotImplementedError("Whoever changes the first message of an issue does not change the issue.")
        wanted = {}
        if title is not None:
            wanted["title"] = title
        if priority is not None:
            wanted["priority"] = PRIORITIES[priority]
        self._people["agent"].change(f"issue/{ticket_id}", **wanted)

    def finish_ticket(self, ticket_id: str) -> None:
        """Resolve a ticket."""
        self.move_ticket(ticket_id, "resolved")

    def reopen_ticket(self, ticket_id: str) -> None:
        """Take up a ticket again."""
        self.move_ticket(ticket_id, "in-progress")

    def move_ticket(self, ticket_id: str, status: str) -> None:
        """Give a ticket a status: every one can follow every other."""
        self._people["agent"].change(f"issue/{ticket_id}", status=status)

    def delete_ticket(self, ticket_id: str) -> None:
        """Have the administrator retire a ticket: it is no longer listed, and nothing else."""
        self._people["admin"].retire(f"issue/{ticket_id}")

    def restore_ticket(self, ticket_id: str) -> None:
        """Have the administrator take a retired ticket back."""
        self._people["admin"].restore(f"issue/{ticket_id}")

    def comments(self, ticket_id: str) -> Sequence[Mapping[str, Any]]:
        """List the messages but the first one, oldest first: `id, text, author, internal, created`."""
        return self._messages(self._people["agent"].get(f"issue/{ticket_id}", _FIELDS))[1:]

    def write_comment(self, ticket_id: str, text: str, *, internal: bool = False) -> None:
        """Write a message; none is internal."""
        if internal:
            raise NotImplementedError("Roundup has no internal messages.")
        agent = self._people["agent"]
        message = agent.add("msg", content=text, author="agent")
        agent.change(f"issue/{ticket_id}", **{"messages": [message], "@op": "add"})

    def call_count(self) -> int:
        """Return how many API calls were answered so far, those of people left out."""
        return len(self.calls)

    @property
    def calls(self) -> Sequence[str]:
        """The API calls so far, oldest first, such as `GET 200 /rest/data/issue/1`; those of people left out."""
        try:
            lines = (self.folder / "calls").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return []
        return [line.removeprefix("client ") for line in lines if line.startswith("client ")]


def _name(link: Mapping[str, Any] | None) -> str:
    return str(link["name"]) if link else ""


def open_sandbox(port: int) -> RoundupSandbox:
    """Start a tracker: what the connector's demo asks for."""
    sandbox = RoundupSandbox(port=port)
    sandbox.start()
    return sandbox
