"""A site of Request Tracker as one object; a person at its desk and an administrator can be told what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import SecretStr

from connector_request_tracker_sandbox import installed
from connector_request_tracker_sandbox.agent import Agent
from connector_request_tracker_sandbox.installed import RequestTrackerError
from connector_request_tracker_sandbox.process import ServerProcess

#: The queue that tickets go to, with the statuses that Request Tracker comes with.
QUEUE = "AV Support"
#: A queue with statuses of its own: received, accepted, in work, waiting, done, declined.
STAGED_QUEUE = "Projects"
#: A queue that only people see.
HIDDEN_QUEUE = "Back Office"
#: The core's words, and the numbers that Request Tracker has for Highest to Lowest.
PRIORITIES = {"critical": 100, "high": 75, "moderate": 50, "low": 25, "planning": 0}
DONE = frozenset({"resolved", "rejected", "deleted", "done", "declined"})
# What follows on the way to a done status, and back.
_ONWARDS = {
    "new": "resolved",
    "open": "resolved",
    "stalled": "resolved",
    "received": "accepted",
    "accepted": "in work",
    "waiting": "in work",
    "in work": "done",
}
_BACK = {"resolved": "open", "rejected": "open", "deleted": "open", "done": "in work", "declined": "received"}
_COMMENTS = {"Comment": True, "Correspond": False}


class RequestTrackerSandbox:
    """A server of its own with three queues, a user for the connector and one for a person."""

    title = "Request Tracker sandbox"
    #: What it can do beside what every sandbox can. A description cannot be edited, and nobody consents on a page.
    abilities = frozenset({"webhooks", "comments", "internal_comments", "deletes", "hides", "merges"})

    def __init__(self, *, port: int = 0, queue: str = QUEUE) -> None:
        self.queue = queue
        self._server = ServerProcess(port=port)
        self.url = self._server.url
        #: What the connector comes in with.
        self.token = self._server.tokens["connector"]
        self._agent = Agent(self.url, self._server.tokens["agent"])
        self._hidden_from: dict[str, str] = {}
        #: First messages by ticket; they never change.
        self._descriptions: dict[str, str] = {}

    def start(self) -> None:
        """Begin to serve."""
        self._server.start()

    def stop(self) -> None:
        """End; no process and no folder is left."""
        self._agent.close()
        self._server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def plugin_settings(self) -> Mapping[str, Any]:
        """Return what goes under `plugins: request_tracker:`: nothing, for address and token are an integration's."""
        return {}

    def integration_settings(self) -> Mapping[str, Any]:
        """Return where the site is, what opens it, and the queue."""
        return {"address": self.url, "token": SecretStr(self.token), "queue": self.queue}

    def approve(self, authorize_url: str) -> str:
        """Refuse: Request Tracker has no page of consent, a user makes a token."""
        raise NotImplementedError(f"Request Tracker has no page of consent: {authorize_url}")

    def register_webhook(self, url: str, secret: str, *, script: str | None = None) -> None:
        """Have the administrator paste a Scrip into the queue, for all of its transactions.

        Without a script it is one of our own: it posts `{"ticket", "transaction", "type", "time"}` as JSON, signed in
        `X-Hub-Signature: sha256=<hex>` over the body with the secret. A script that is given holds address and secret.
        """
        text = script
        if text is None:
            own = (installed.PERL / "scrip.pl").read_text()
            text = own.replace("{url}", _in_quotes(url)).replace("{secret}", _in_quotes(secret))
        self._administer(scrip={"queue": self.queue, "name": "Tell the connector", "text": text})

    def tickets(self) -> Sequence[Mapping[str, Any]]:
        """List all tickets; as in every search of Request Tracker, deleted and merged ones are not among them."""
        shown = "Subject,Status,Priority,LastUpdated"
        return [
            self._shown(one)
            for one in self._agent.pages("/tickets", query="id > 0", orderby="id", order="ASC", fields=shown)
        ]

    def ticket(self, ticket_id: str) -> Mapping[str, Any]:
        """Show one ticket; KeyError when there is none. Of one that was merged into another, the other is shown."""
        return self._shown(self._agent.get(f"/ticket/{ticket_id}"))

    def _shown(self, found: Mapping[str, Any]) -> Mapping[str, Any]:
        number, status = str(found["id"]), found["Status"]
        return {
            "id": number,
            "key": f"#{number}",
            "url": f"{self.url}/Ticket/Display.html?id={number}",
            "title": found["Subject"],
            "description": self._description(number),
            "priority": _word_for(int(found["Priority"])),
            "status": status,
            "done": status in DONE,
            "updated": found["LastUpdated"],
        }

    def _description(self, ticket_id: str) -> str:
        if ticket_id not in self._descriptions:
            created = next(one for one in self._history(ticket_id) if one["Type"] == "Create")
            self._descriptions[ticket_id] = self._text(created["id"])
        return self._descriptions[ticket_id]

    def _history(self, ticket_id: str) -> list[dict[str, Any]]:
        return self._agent.pages(f"/ticket/{ticket_id}/history", fields="Type,Creator,Created")

    def _text(self, transaction: str) -> str:
        attached = self._agent.get(f"/transaction/{transaction}/attachments", fields="Content,ContentType")["items"]
        return "\n".join(one["Content"] for one in attached if one["ContentType"].startswith("text/"))

    def edit_ticket(
        self, ticket_id: str, *, title: str | None = None, description: str | None = None, priority: str | None = None
    ) -> None:
        """Change fields as a person would; `priority` is one of the core's words. A description never changes."""
        if description is not None:
            raise NotImplementedError("Request Tracker lets nobody change the first message of a ticket.")
        wanted: dict[str, Any] = {}
        if title is not None:
            wanted["Subject"] = title
        if priority is not None:
            wanted["Priority"] = PRIORITIES[priority]
        self._change(ticket_id, **wanted)

    def finish_ticket(self, ticket_id: str) -> None:
        """Move a ticket to a done status, by as many steps as its queue asks for."""
        while (status := self.ticket(ticket_id)["status"]) not in DONE:
            self.move_ticket(ticket_id, _ONWARDS[status])

    def reopen_ticket(self, ticket_id: str) -> None:
        """Move a ticket out of the done statuses."""
        self.move_ticket(ticket_id, _BACK[self.ticket(ticket_id)["status"]])

    def move_ticket(self, ticket_id: str, status: str) -> None:
        """Move a ticket to a status that may follow."""
        self._change(ticket_id, Status=status)

    def delete_ticket(self, ticket_id: str) -> None:
        """Give a ticket the status `deleted`: there is no other way in Request Tracker."""
        self._change(ticket_id, Status="deleted")

    def merge_ticket(self, ticket_id: str, into: str) -> None:
        """Merge a ticket into another one, which has its history, too, from now on."""
        sentences = self._agent.put(f"/ticket/{ticket_id}", MergeInto=int(into))
        if str(self._agent.get(f"/ticket/{ticket_id}")["id"]) != into:
            raise RequestTrackerError(" ".join(sentences))

    def hide_ticket(self, ticket_id: str) -> None:
        """Move a ticket to a queue that the connector has no rights in."""
        found = self._agent.get(f"/ticket/{ticket_id}", **{"fields[Queue]": "Name", "fields": "Queue"})
        self._hidden_from[ticket_id] = self._agent.get(f"/queue/{found['Queue']['id']}")["Name"]
        self._to_queue(ticket_id, HIDDEN_QUEUE)

    def unhide_ticket(self, ticket_id: str) -> None:
        """Move a hidden ticket back to where it was."""
        self._to_queue(ticket_id, self._hidden_from.pop(ticket_id))

    def _to_queue(self, ticket_id: str, queue: str) -> None:
        sentences = self._agent.put(f"/ticket/{ticket_id}", Queue=queue)
        at = self._agent.get(f"/ticket/{ticket_id}")["Queue"]["id"]
        if self._agent.get(f"/queue/{at}")["Name"] != queue:
            raise RequestTrackerError(" ".join(sentences))

    def comments(self, ticket_id: str) -> Sequence[Mapping[str, Any]]:
        """List the comments, oldest first: `id, text, author, internal, created`."""
        return [
            {
                "id": one["id"],
                "text": self._text(one["id"]),
                "author": one["Creator"]["id"],
                "internal": _COMMENTS[one["Type"]],
                "created": one["Created"],
            }
            for one in self._history(ticket_id)
            if one["Type"] in _COMMENTS
        ]

    def write_comment(self, ticket_id: str, text: str, *, internal: bool = False) -> str:
        """Write a comment, or what also goes to who asked; return its id."""
        kind = "comment" if internal else "correspond"
        return self._agent.add(f"/ticket/{ticket_id}/{kind}", Content=text, ContentType="text/plain")

    def take_right(self, name: str, queue: str | None = None) -> None:
        """Have the administrator take a right from the connector, such as `ModifyTicket`, in a queue."""
        self._administer(right={"user": "connector", "queue": queue or self.queue, "name": name, "granted": False})

    def give_right(self, name: str, queue: str | None = None) -> None:
        """Have the administrator give a right to the connector."""
        self._administer(right={"user": "connector", "queue": queue or self.queue, "name": name, "granted": True})

    def call_count(self) -> int:
        """Return how many API calls were answered so far, those of people left out."""
        return len(self.calls)

    @property
    def calls(self) -> Sequence[str]:
        """The API calls so far, oldest first, such as `GET 200 /REST/2.0/ticket/1`; those of people left out."""
        return self._server.calls()

    def log(self) -> str:
        """Return what the server has to say about itself."""
        return self._server.log()

    def _change(self, ticket_id: str, **fields: Any) -> None:  # noqa: ANN401 - any field
        """Change fields, and see to it: a refusal is an answer 200 with a sentence."""
        sentences = self._agent.put(f"/ticket/{ticket_id}", **fields)
        found = self._agent.get(f"/ticket/{ticket_id}")
        if any(str(found[name]) != str(value) for name, value in fields.items()):
            raise RequestTrackerError(" ".join(sentences) or f"Ticket {ticket_id} did not become {fields}.")

    def _administer(self, **asked: Any) -> None:  # noqa: ANN401 - JSON
        installed.run(installed.perl("administer.pl"), self._server.folder, json.dumps(asked))


def _word_for(number: int) -> str:
    """Return the core's word that is nearest to a number."""
    return min(PRIORITIES, key=lambda word: abs(PRIORITIES[word] - number))


def _in_quotes(text: str) -> str:
    """Return a text as it stands between single quotes in Perl."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


def open_sandbox(port: int) -> RequestTrackerSandbox:
    """Start a site: what the connector's demo asks for.

    Raises:
        NotInstalledError: Request Tracker 5 is not on this machine; the text says what to type.
    """
    sandbox = RequestTrackerSandbox(port=port)
    sandbox.start()
    return sandbox
