"""A good answer with its headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:  # as in connector_core.contract.handles
    from requests import Response


@dataclass(frozen=True)
class Reply:
    """A good answer with its headers.

    reply = rest.call("GET", f"/ticket/{segment(ticket_id)}", about=Subject.TICKET)
    rest.put(path, fields, headers={"If-Match": reply.etag})
    """

    #: The JSON, None when there is no body.
    body: Any
    #: The headers, whose names have no case.
    headers: Mapping[str, str] = field(default_factory=dict)
    #: The links of the header `Link`, by their relation.
    links: Mapping[str, str] = field(default_factory=dict)
    #: The status, from 200 to 299.
    status: int = 200

    @classmethod
    def of(cls, response: Response, body: Any) -> Self:  # noqa: ANN401 - JSON
        """Return a response of `requests` as one, with its JSON."""
        links = {rel: str(link.get("url", "")) for rel, link in response.links.items()}
        return cls(body, response.headers, links, response.status_code)

    @property
    def etag(self) -> str:
        """The version that the answer shows, exactly as `If-Match` takes it, with its quotes; empty without one."""
        return self.headers.get("ETag", "")

    @property
    def location(self) -> str:
        """Where what was created is; empty without one."""
        return self.headers.get("Location", "")
