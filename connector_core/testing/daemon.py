"""The life of a ticket through the daemon as a process, between the sample platform and the plugin's stand-in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from ruamel.yaml import YAML

from connector_core.contract.models import FieldName
from connector_core.contract.sandboxes import Sandbox, SandboxAbility
from connector_core.demo.sandboxes import open_sandbox
from connector_core.demo.stage import INTEGRATION, ORGANIZATION, Stage, until
from connector_core.plugins import Plugin, load_plugins
from connector_core.testing.conformance.checks import PROPERTY, needs
from connector_core.testing.conformance.holding_proxy import HoldingProxy

HELD_WITHIN_S = 60.0


class DaemonLife:
    """Inherit, name the plugin, run pytest: a daemon, its platform and its helpdesk tell each other everything.

    class TestMyDeskInTheDaemon(DaemonLife):
        plugin = "my_desk"

    What `cannot` and `reads` are is as in `TicketingLife`.
    """

    plugin: ClassVar[str]
    cannot: ClassVar[Mapping[str, str]] = MappingProxyType({})
    reads: ClassVar[Sequence[str]] = ()

    stage: Stage
    proxy: HoldingProxy

    @classmethod
    def open_system(cls, plugin: Plugin) -> Sandbox:
        """Start the stand-in of the plugin's vendor, or reach a real server."""
        desk: Sandbox = open_sandbox(plugin)
        return desk

    @classmethod
    def open_stage(cls, folder: Path, proxy: HoldingProxy, **options: Any) -> Stage:  # noqa: ANN401 - the stage's
        """Put everything up; calls of the daemon go through the proxy."""
        plugin = load_plugins().get(cls.plugin)
        stage = Stage(plugin, folder, sandbox=cls.open_system(plugin), **options)
        yaml = YAML()
        tree = yaml.load(stage.config_path)
        tree["outbound"] = {"proxy": proxy.url, "no_proxy": []}
        if plugin.implements("write_comment"):
            rules = {"to_ticket": "internal", "to_incident": "public"}
            tree["organizations"][ORGANIZATION]["integrations"][INTEGRATION]["comments"] = rules
        yaml.dump(tree, stage.config_path)
        stage.open()
        return stage

    @pytest.fixture(autouse=True)
    def _stand(self, connector_stage: tuple[Stage, HoldingProxy], request: pytest.FixtureRequest) -> Iterator[None]:
        request.node.user_properties.append((PROPERTY, {"plugin": self.plugin, "life": type(self).__name__}))
        self.stage, self.proxy = connector_stage
        for ability in sorted(getattr(request.function, "needs", ())):
            if why := self._missing(ability):
                pytest.skip(f"cannot {ability}: {why}")
        yield
        self.proxy.let_go()

    def test_daemon_opens_renames_and_closes_a_ticket(self) -> None:
        """What happens on the platform is seen in the helpdesk, from the first event to the last."""
        incident, title = self._open()
        ticket = self._ticket(title)
        if not self._missing("edit_title"):
            title = f"{title} and smokes"
            self.stage.platform.change(incident, title=title)
            until(lambda: self.stage.sandbox.ticket(ticket)["title"] == title)

        self.stage.platform.resolve(incident)

        if not self._missing("close"):
            until(lambda: self.stage.sandbox.ticket(ticket)["done"])
        assert self._count(title) == 1

    def test_daemon_closes_the_incident_of_a_ticket_that_is_finished(self) -> None:
        """And the ticket stays as the person left it."""
        incident, title = self._open()
        ticket = self._ticket(title)
        until(lambda: self.stage.ticket_of(incident) is not None)

        self.stage.sandbox.finish_ticket(ticket)

        until(lambda: self.stage.platform.incident(incident)["status"] == "closed")
        assert self.stage.sandbox.ticket(ticket)["done"]

    @needs("edit_title")
    def test_daemon_carries_what_a_person_renames(self) -> None:
        """Another title in the helpdesk is the incident's too."""
        incident, title = self._open()
        ticket = self._ticket(title)
        until(lambda: self.stage.ticket_of(incident) is not None)

        self.stage.sandbox.edit_ticket(ticket, title=f"{title}, seen to")

        until(lambda: self.stage.platform.incident(incident)["title"] == f"{title}, seen to")

    @needs("comments", "person_comments")
    def test_daemon_carries_comments_and_keeps_internal_ones(self) -> None:
        """One from the platform arrives once and internal; a public one comes back, an internal one does not."""
        incident, title = self._open()
        ticket, said = self._ticket(title), uuid4().hex
        until(lambda: self.stage.ticket_of(incident) is not None)
        desk, platform = self.stage.sandbox, self.stage.platform

        platform.comment(incident, "Ada", f"Is it plugged in? {said}")
        until(lambda: any(said in one["text"] for one in desk.comments(ticket)))
        desk.write_comment(ticket, f"The password is {said}", internal=True)
        desk.write_comment(ticket, f"It was not. {said}", internal=False)
        until(lambda: any("It was not." in one["text"] for one in platform.comments(incident)))

        ours = [one for one in desk.comments(ticket) if "plugged in" in one["text"]]
        assert [one["internal"] for one in ours] == [True]
        assert not [one for one in platform.comments(incident) if "password" in one["text"]]
        assert len(platform.comments(incident)) == 2  # noqa: PLR2004 - theirs, and the public one of the helpdesk

    def test_daemon_killed_in_a_create_makes_one_ticket(self) -> None:
        """The ticket was made, the answer was on its way, and the process is gone: the next one finds the ticket."""
        title = f"Fan {uuid4().hex[:8]} failed"
        self.proxy.hold_next_write(title.split()[1])  # other links of this daemon may write meanwhile
        incident = self.stage.platform.open(title)
        assert self.proxy.held.wait(HELD_WITHIN_S), "no write was made"
        assert self._count(title) == 1

        self.stage.daemon.kill()
        self.proxy.let_go()
        self.stage.daemon.start()

        until(lambda: self.stage.ticket_of(incident) is not None)
        assert self._count(title) == 1

    @needs("edit_title")
    def test_daemon_makes_both_sides_alike_that_were_changed_at_once(self) -> None:
        """Both were renamed at the same time: one of the two names is on both sides in the end."""
        incident, title = self._open()
        ticket = self._ticket(title)
        until(lambda: self.stage.ticket_of(incident) is not None)

        self.stage.sandbox.edit_ticket(ticket, title=f"{title}, by the agent")
        self.stage.platform.change(incident, title=f"{title}, by the device")

        def is_alike() -> bool:
            shown = self.stage.sandbox.ticket(ticket)["title"]
            return bool(shown == self.stage.platform.incident(incident)["title"] and self._is_at_rest())

        until(is_alike)
        assert self.stage.sandbox.ticket(ticket)["title"] in {f"{title}, by the agent", f"{title}, by the device"}

    @needs("edit_title")
    def test_daemon_reads_what_nobody_told(self, tmp_path: Path) -> None:
        """Without webhooks a change in the helpdesk is found by looking."""
        stage = self.open_stage(tmp_path, self.proxy, with_webhook=False, reconcile="1s")
        try:
            self.stage = stage
            incident, title = self._open()
            ticket = self._ticket(title)
            until(lambda: stage.ticket_of(incident) is not None)
            stage.sandbox.edit_ticket(ticket, title=f"{title}, seen to")
            until(lambda: stage.platform.incident(incident)["title"] == f"{title}, seen to")
        finally:
            stage.close()

    def _open(self) -> tuple[str, str]:
        """Open an incident whose title is found nowhere else."""
        title = f"Fan {uuid4().hex[:8]} failed"
        incident: str = self.stage.platform.open(title, description="It is loud.", priority="high")
        return incident, title

    def _ticket(self, title: str) -> str:
        """Return the id of the ticket with a title, when it is there."""
        until(lambda: self._count(title))
        return next(str(one["id"]) for one in self.stage.sandbox.tickets() if title in str(one["title"]))

    def _count(self, title: str) -> int:
        return sum(title in str(one["title"]) for one in self.stage.sandbox.tickets())

    def _is_at_rest(self) -> bool:
        with self.stage.opened_store() as store:
            stats = store.overview.stats()
        return bool(self.stage.platform.waiting == stats.due_lanes == stats.claimed_lanes == 0)

    def _missing(self, ability: str) -> str:
        """Return why something cannot be tried, nothing where it can."""
        if ability in self.cannot:
            return self.cannot[ability]
        if ability == "edit_title" and FieldName.TITLE in self.stage.plugin.info.unchangeable:
            return "the plugin says that it can never be changed"
        if ability == "comments" and not self.stage.plugin.implements("write_comment"):
            return "the plugin has no hook write_comment"
        if ability == "person_comments" and SandboxAbility.COMMENTS not in self.stage.sandbox.abilities:
            return f"the stand-in lacks the ability {SandboxAbility.COMMENTS}"
        return ""
