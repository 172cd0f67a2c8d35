"""Whether Jira mails watchers about what the connector changes, as a site decides it."""

from __future__ import annotations

import pytest

from connector_core import FieldName, WriteFields
from connector_jira_jsm.tickets.writing import write_change
from connector_jira_jsm_sandbox import JiraSandbox
from tests.support.jira.difficult_site import closed, handle, incident, opened


@pytest.fixture
def sandbox(difficult: JiraSandbox) -> JiraSandbox:
    """Work on the difficult site."""
    return difficult


def mails_of_an_edit(sandbox: JiraSandbox, **settings: object) -> int:
    """Change a title; return how many mails that caused."""
    integration = handle(sandbox, **settings)
    ticket = opened(integration)
    change = WriteFields(
        incident=incident(title="Ton weg"),
        marker="cnx-1",
        ticket=ticket,
        fields=frozenset({FieldName.TITLE}),
    )
    write_change(integration, change)
    return len([key for key in sandbox.workbench.site.mailed if key == ticket.key])


def test_watchers_are_mailed_unless_settings_say_not_to(sandbox: JiraSandbox) -> None:
    """By default nothing changes for watchers; with the setting they hear nothing of a changed title."""
    sandbox.administer(denied=frozenset())

    assert mails_of_an_edit(sandbox) == 1
    assert mails_of_an_edit(sandbox, notify_users=False) == 0


def test_an_account_without_the_permission_is_not_refused(sandbox: JiraSandbox) -> None:
    """Jira ignores its wish: the title is changed, and watchers are mailed."""
    assert mails_of_an_edit(sandbox, notify_users=False) == 1


def test_a_field_that_is_set_before_a_close_is_silent_too(sandbox: JiraSandbox) -> None:
    """What a validator asks for is set by an edit, which says the same of mails."""
    sandbox.administer(denied=frozenset())
    integration = handle(
        sandbox, notify_users=False, close_fields={"resolution": "Behoben", "customfield_10115": "Hardware"}
    )

    ticket = opened(integration)
    closed(integration, ticket)

    edits = [call for call in sandbox.calls if call.method == "PUT" and call.path.endswith(f"/issue/{ticket.id}")]
    assert all(call.query["notifyUsers"] == ["false"] for call in edits)
    assert ticket.key not in sandbox.workbench.site.mailed
