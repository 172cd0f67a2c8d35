"""One API call as an operation sees it, and the declaration of an operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams

from connector_jira_jsm_sandbox.answers import Answer, Refusal, jira_error, jsm_error
from connector_jira_jsm_sandbox.issue import Issue
from connector_jira_jsm_sandbox.profile import User
from connector_jira_jsm_sandbox.site import Site


@dataclass(frozen=True, slots=True)
class Call:
    """A call that has passed authentication."""

    site: Site
    user: User
    path: str  # below the site's address, `/rest/…`
    params: Mapping[str, str]
    query: QueryParams
    body: Any
    page_cap: int

    @property
    def version(self) -> str:
        """The platform API's version, `2` or `3`; `latest` means 2, as on the site."""
        version = self.params.get("version", "3")
        return "2" if version == "latest" else version

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Read a boolean from the query."""
        return self.query.get(name, str(default)).lower() == "true"

    def listed(self, name: str) -> list[str]:
        """Read a list from the query, given as repeats or with commas."""
        return [part.strip() for value in self.query.getlist(name) for part in value.split(",") if part.strip()]

    def number(self, name: str, default: int) -> int:
        """Read a number from the query; one that is none is refused."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not text.lstrip("-").isdigit():
            raise self.refuse(400, f"Invalid value '{text}' for parameter '{name}'.")
        return int(text)

    def refuse(self, status: int, message: str) -> Refusal:
        """Refuse in the words of the API that was called."""
        return jsm_error(status, message) if "/servicedeskapi/" in self.path else jira_error(status, message)

    def json_object(self, allowed: frozenset[str] | None = None) -> dict[str, Any]:
        """Return the body, which must be an object; with `allowed` the object is closed."""
        if not isinstance(self.body, dict):
            raise self.refuse(400, "Invalid request payload. Refer to the REST API documentation and try again.")
        if allowed is not None and (unknown := sorted(set(self.body) - allowed)):
            raise self.refuse(
                400,
                "Invalid request payload. Refer to the REST API documentation and try again."
                f" Unrecognized field: {unknown[0]}",
            )
        return self.body

    def issue(self) -> Issue:
        """Return the issue that the path names."""
        found = self.site.shown(self.params["issue"])
        if found is None:
            raise self.refuse(404, "Issue does not exist or you do not have permission to see it.")
        return found


@dataclass(frozen=True, slots=True)
class Operation:
    """A method and a path, what runs there and which classic scope it needs; without a scope anyone may call."""

    method: str
    path: str
    run: Callable[[Call], Answer]
    scope: str | None
