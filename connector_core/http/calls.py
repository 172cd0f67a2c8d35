"""A call as those see it who count and log calls; loads no HTTP library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Larger bodies are not handed on: somebody may keep a call for a while.
MOST_BODY = 256 * 1024


@dataclass(frozen=True)
class Part:
    """Headers and body of a request or an answer; a body that is too large, or was sent as a stream, is None."""

    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | str | None = b""
    #: In bytes, also of a body that is left out; 0 where it is not known.
    size: int = 0


@dataclass(frozen=True)
class Answer(Part):
    """What was answered."""

    status: int = 0


@dataclass(frozen=True)
class Call:
    """One request that was sent; without an answer `code` says why, as the error does."""

    method: str
    url: str
    took_s: float
    sent: Part = field(default_factory=Part)
    answer: Answer | None = None
    code: str = ""

    @property
    def weight(self) -> int:
        """Return how many bytes of bodies are held."""
        return len(self.sent.body or b"") + (0 if self.answer is None else len(self.answer.body or b""))
