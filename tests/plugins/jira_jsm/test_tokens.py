"""How authorizations end at a site, over HTTP, and what a person is told of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from pydantic import ValidationError

from connector_core import AuthError, AuthorizationRenewal, AuthorizationStart, Grant, TicketQuery
from connector_core.registry.authorizations import ending
from connector_jira_jsm.auth.authorization import authorize
from connector_jira_jsm.settings import JiraSettings
from connector_jira_jsm.tickets.reading import fetch
from connector_jira_jsm_sandbox import Fault
from tests.support.jira.at_sandbox import Place, place
from tests.support.jira.handles import NOW, build

YEAR, QUARTER = timedelta(days=365), timedelta(days=90)


@pytest.fixture
def site() -> Iterator[Place]:
    """Put up a site of its own for each test: what ends here ends for all."""
    with place() as made:
        yield made


def renewed(site: Place) -> Grant:
    """Renew the grant as the core would when an access token has ended."""
    assert site.core.present is not None
    return site.core.renew(site.core.present)


def refused(site: Place) -> AuthError:
    """Renew the grant, which must be refused."""
    with pytest.raises(AuthError) as caught:
        renewed(site)
    return caught.value


def reads(site: Place) -> None:
    """Read a ticket with the present grant, or raise."""
    fetch(site.integration, TicketQuery(ids=frozenset({"1"})))


def test_a_consent_is_good_for_a_year_and_a_quarter_without_use(site: Place):
    """The nearer of the two ends counts, and renewing moves only the quarter."""
    grant = site.core.present
    assert grant is not None
    assert (grant.consented_at, grant.renewable_until) == (NOW, NOW + QUARTER)

    for _ in range(4):
        site.clock.forward(timedelta(days=80).total_seconds())
        grant = renewed(site)

    assert grant.consented_at == NOW
    assert grant.renewable_until == NOW + YEAR


def test_the_end_is_said_two_weeks_before(site: Place):
    """Not a day earlier, and with the day on which it ends."""
    grant = site.core.present

    assert ending("desk", grant, NOW + QUARTER - timedelta(days=15)) is None
    soon = ending("desk", grant, NOW + QUARTER - timedelta(days=13, hours=1))
    over = ending("desk", grant, NOW + QUARTER + timedelta(days=1))

    assert soon is not None
    assert over is not None
    assert soon.title == "The authorization ends on 2026-05-31, in 13 days"
    assert over.title == "The authorization was good until 2026-05-31"


def test_not_used_for_a_quarter(site: Place):
    """The reason names it, and a person has to authorize again."""
    site.clock.forward((QUARTER + timedelta(hours=1)).total_seconds())

    error = refused(site)

    assert error.code == "authorization_needed"
    assert "90 days" in error.message


def test_a_year_after_the_consent(site: Place):
    """However often it was used, the consent ends."""
    for _ in range(5):
        site.clock.forward(timedelta(days=72).total_seconds())
        renewed(site)
    site.clock.forward(timedelta(days=6).total_seconds())

    assert "after a year" in refused(site).message


@pytest.mark.parametrize("act", ["revoke", "password"])
def test_access_taken_back_or_a_password_changed(site: Place, act: str):
    """Both end the tokens at once; Atlassian does not tell which, and the sentence names both."""
    reads(site)
    site.control(f"tokens/{act}")

    with pytest.raises(AuthError) as caught:
        reads(site)

    assert caught.value.code == "authorization_needed"
    assert "password" in caught.value.message
    assert "revoked" in caught.value.message


def test_a_token_that_somebody_else_used(site: Place):
    """A rotated token used again later ends the whole family."""
    renewed(site)
    site.control("tokens/reuse")

    assert refused(site).code == "authorization_needed"


def test_a_scope_taken_from_the_app(site: Place):
    """A renewal that lacks what we need says what, and does not end in an endless chain of renewals."""
    site.control("tokens/scopes", scopes=["write:servicedesk-request"])

    error = refused(site)

    assert error.code == "scopes_lost"
    assert "write:servicedesk-request" in error.message


def test_a_scope_that_is_not_ours_does_not_matter(site: Place):
    """Whatever else is taken from the app is none of our concern."""
    site.control("tokens/scopes", scopes=["manage:jira-project"])

    assert renewed(site).scopes


def test_a_lost_answer_to_a_renewal_is_made_good(site: Place):
    """The same token is presented again inside the leeway; the new tokens work."""
    site.sandbox.add_fault(Fault(kind="lost_answer", path="/oauth/token", times=1))

    renewed(site)

    reads(site)
    assert site.sandbox.count_calls("POST", "/oauth/token") == 3


def test_a_renewal_that_somebody_else_did_is_taken_over(site: Place):
    """The refused grant is compared with the present one first: the loser of a race renews nothing."""
    before = site.core.present
    assert before is not None
    renewed(site)
    calls = site.sandbox.count_calls("POST", "/oauth/token")

    assert site.integration.core.renew(before) == site.core.present
    assert site.sandbox.count_calls("POST", "/oauth/token") == calls
    reads(site)


def test_an_ended_access_token_is_renewed_without_anybody(site: Place):
    """It lives an hour; what was about to be read is read all the same."""
    site.control("tokens/expire")

    reads(site)

    assert site.core.renewals == 1


def token_settings(site: Place, **more: str) -> JiraSettings:
    """Return settings with an API token."""
    given = {**site.sandbox.integration_settings(), "site": site.sandbox.url, "email": site.sandbox.email}
    return JiraSettings.model_validate({**given, "api_token": site.sandbox.api_token, **more})


def test_an_api_tokens_last_day_is_known_and_said(site: Place):
    """The day that was configured is when it ends; after it the refusal names it."""
    settings = token_settings(site, api_token_expires="2026-03-10")
    integration, core = build(settings=settings, clock=site.clock)
    grant = authorize(integration, AuthorizationStart(state="s", callback_url=""))
    assert isinstance(grant, Grant)
    core.present = grant

    soon = ending("desk", grant, site.clock.now())
    assert soon is not None
    assert "2026-03-10" in soon.title
    site.control("tokens/end_api_token")
    site.clock.forward(timedelta(days=9).total_seconds())
    with pytest.raises(AuthError, match="ended on 2026-03-10") as caught:
        authorize(integration, AuthorizationRenewal(grant=grant))
    assert caught.value.code == "api_token_refused"


@pytest.mark.parametrize("day", ["tomorrow", "2026-13-01", "2026-02-30", "20260301", ""])
def test_a_day_that_is_none_is_refused(site: Place, day: str):
    """The setting is checked when it is read, not when the token ends."""
    with pytest.raises(ValidationError):
        token_settings(site, api_token_expires=day)
