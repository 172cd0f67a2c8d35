"""Every command of the connector that the docs show, run beside a daemon that has an incident with its ticket."""

from __future__ import annotations

import json
import shlex

import pytest

from connector_core.demo.stage import Stage, sandbox_plugin, source_plugin
from connector_core.plugins import load_plugins
from tests.support.documented import PAGES, command_lines, named_commands
from tests.support.jira.at_stage import sandbox_of
from tests.support.jira.openapi_check import assert_calls_match_openapi
from tests.support.linking import open_incident
from tests.test_docs import ENDS, parsed

pytestmark = pytest.mark.extended

#: Run by other tests, for what they need: the beginning of the command, and the test.
ELSEWHERE = {
    "run": "every stage",
    "demo": "test_demo.py, test_demo_helpdesks.py",
    "db move": "test_move.py",
    "config init": "test_config_shown.py",
    "deliveries": "test_delivery_log.py",
    "export acme": "test_removal_commands.py",
    "incidents forget": "test_removal_commands.py",
    "organizations": "test_removal_commands.py, test_display_names.py",
    "integrations apply-settings": "test_setup.py",
    "integrations rename": "test_display_names.py",
    "integrations duplicate": "test_display_names.py",
    "integrations test": "test_round_trip.py",
    "link ": "test_linking.py",
    "links rebuild": "test_linking.py",
    "db migrate --finish": "test_rolling.py",
    "plugins new": "test_new_plugin.py",
    "integrations authorize": "test_authorizing.py; the stage of this one, too",
    "integrations setup": "test_setup.py, in a terminal",
    "sources setup": "test_source_by_command.py, in a terminal",
    "console hash-password": "test_logins.py",
    "notifications add acme": "test_notifications.py",
    "notifications test acme": "test_notifications.py",
    "notifications remove acme": "test_notifications.py",
    "routing send acme": "test_routing.py, with two integrations",
    "routing set acme rules.yaml": "test_routing.py",
    "routing try acme rules.yaml": "test_routing.py",
    "support-bundle": "test_support_bundle.py",
}
#: What a command has to say where there is nothing for it to do, or where the file says it, each with its exit code.
WITHOUT_CAUSE = {
    "integrations rules acme-helpdesk comments.to_ticket=internal comments.to_incident=public": (3, "is written in"),
    "integrations remove acme-helpdesk --yes": (3, "is written in"),
    "sources remove acme --yes": (3, "is written in"),
    **dict.fromkeys(("retry", "discard"), (2, "Name links")),  # named in a sentence, without saying of what
    "resolve SUP-1 title ticket": (3, "is not in conflict"),
    "discard SUP-1 --yes": (3, "nothing to discard"),
    "recreate SUP-1": (3, "no new one is made"),
}
FINDS = {"doctor", "config diff"}  # end with 1 where they find something
LAST = (
    *("retry", "reconcile", "sources reset", "discard", "resolve", "recreate", "unlink"),
    *("integrations remove", "sources remove"),
)


def documented() -> list[str]:
    """Return what the docs show, without the program's name: first what only looks, last what removes."""
    lines = {line for page in PAGES for line in (*command_lines(page), *named_commands(page))}
    shown = {rest for line in lines for program, _, rest in [line.partition(" ")] if program in ENDS}
    whole = {line for line in shown if not parsed(shlex.split(line), whole=True) and not line.startswith("-")}
    here = {line for line in whole if not any(line.startswith(begin) for begin in ELSEWHERE)}
    return sorted(here, key=lambda line: (rank(line), line))


def rank(line: str) -> int:
    """Return how late a command has to come."""
    return next((number for number, begin in enumerate(LAST, 1) if line.startswith(begin)), 0)


@pytest.fixture
def stage(tmp_path):
    """Open a stage with Xyte and Jira."""
    plugins = load_plugins()
    opened = Stage(sandbox_plugin(plugins, "jira_jsm"), tmp_path, source=source_plugin(plugins, "xyte"))
    opened.open()
    yield opened
    assert opened.daemon.stop() == 0
    opened.close()
    assert_calls_match_openapi(sandbox_of(opened).calls)


def test_every_command_does_what_it_is_shown_for(stage, tmp_path):
    """It ends with the code that is documented for it, and never with a traceback."""
    open_incident(stage)
    (tmp_path / "backups").mkdir()

    wrong = {}
    lines = documented()
    for line in lines:
        ended = stage.daemon.command(*shlex.split(line.replace("/backups/", f"{tmp_path}/backups/")))
        code, said = WITHOUT_CAUSE.get(line, (0, ""))
        allowed = {code, 1} if any(line.startswith(one) for one in FINDS) else {code}
        if ended.returncode not in allowed or said not in ended.stderr or "Traceback" in ended.stderr:
            wrong[line] = (ended.returncode, ended.stdout[-300:], ended.stderr[-300:])

    assert not wrong, json.dumps(wrong, indent=1)
    assert len(lines) > len(WITHOUT_CAUSE) + len(LAST)


def test_what_is_run_elsewhere_is_shown():
    """No reason is kept for a command that no page has any more."""
    lines = {line.partition(" ")[2] for page in PAGES for line in (*command_lines(page), *named_commands(page))}

    assert [begin for begin in ELSEWHERE if not any(line.startswith(begin) for line in lines)] == []
