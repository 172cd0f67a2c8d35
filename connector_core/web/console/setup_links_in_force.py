"""The set-up links that can still be used, as the page lists them from which they are made: for admins only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector_core.store import SetupLink
from connector_core.web.console.visits import Visit
from connector_core.web.console.wizard_steps import Way


@dataclass(frozen=True)
class InForce:
    """A link, and what its step is called; nothing of its address."""

    link: SetupLink
    step: str


def in_force(visit: Visit, name: str, way: Way, *, of_source: bool = False) -> Sequence[InForce]:
    """Return the links to steps of an integration or a source, the latest first; none for who may make none."""
    if not visit.user.is_admin:
        return ()
    titles = {mark.key: mark.title for mark in way.marks}
    found = visit.app.setup_links.in_force(name, of_source=of_source)
    return [InForce(one, titles.get(f"{way.prefix}{one.step}", one.step)) for one in found]
