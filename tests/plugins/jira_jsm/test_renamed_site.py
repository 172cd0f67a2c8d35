"""A site that was renamed, over HTTP: its cloud ID stays and its address is looked up; with a token it is a setting."""

from __future__ import annotations

import pytest
import requests

from connector_core import AuthorizationStart, ConfigError, Grant, Site
from connector_jira_jsm import find_site
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.auth.authorization import authorize
from connector_jira_jsm_sandbox import Fault, JiraSandbox
from tests.support.jira.at_sandbox import CALLBACK, place
from tests.support.jira.handles import build


def test_what_a_site_is_called_now_is_looked_up_by_its_cloud_id():
    """The gateway serves it as before, under either name."""
    with place() as site:
        former = find_site(site.integration)
        now = site.sandbox.rename()
        found = find_site(site.integration)

        assert isinstance(former, Site)
        assert found == former.model_copy(update={"url": now})
        assert JiraClient(site.integration).myself()["accountId"]


def test_a_site_that_the_gateway_does_not_list_has_no_new_name():
    """The authorization may not reach it any more; that is for others to find."""
    with place() as site:
        gone = Fault(kind="status", status=200, path="/accessible-resources", times=None, body=[])
        site.sandbox.add_fault(gone)

        assert find_site(site.integration) is None


def token_of(sandbox: JiraSandbox, url: str, grant: Grant | None = None) -> Grant:
    """Authorize with an API token at an address, as somebody who had a grant already."""
    answers = {"email": sandbox.email, "api_token": sandbox.api_token, "site": url}
    integration = build(answers=answers, grant=grant)[0]
    made = authorize(integration, AuthorizationStart(state="s", callback_url=CALLBACK))
    assert isinstance(made, Grant)
    return made


def test_with_an_api_token_the_new_address_is_a_setting_for_the_same_site():
    """The former one leads on, and is not followed with a token; the corrected one has the same cloud ID."""
    with JiraSandbox(search_lag_s=0) as sandbox:
        first = token_of(sandbox, sandbox.url)
        known = find_site(build(grant=first)[0])
        assert known is not None
        first = first.at_site(known)
        now = sandbox.rename()
        moved = requests.get(f"{sandbox.url}/rest/api/3/myself", timeout=10, allow_redirects=False)

        with pytest.raises(ConfigError) as caught:
            JiraClient(build(grant=first)[0]).myself()
        corrected = token_of(sandbox, now, first)

        assert (moved.status_code, moved.headers["Location"]) == (301, f"{now}/rest/api/3/myself")
        assert caught.value.code == "site_moved"
        assert corrected.site is not None
        assert (corrected.site.id, corrected.site.url) == (sandbox.profile.cloud_id, now)
        assert known.id == sandbox.profile.cloud_id


def test_whose_word_a_cloud_id_is_stands_with_it():
    """The gateway's is proven, whether consent or a token with scopes leads there; the site's own is not."""
    with place() as site, JiraSandbox(search_lag_s=0) as sandbox:
        by_consent = find_site(site.integration)
        grant = token_of(sandbox, sandbox.url)
        by_itself = find_site(build(grant=grant)[0])

        assert grant.site is not None
        assert isinstance(by_consent, Site)
        assert isinstance(by_itself, Site)
        assert (by_consent.is_proven, grant.site.is_proven, by_itself.is_proven) == (True, False, False)


def test_a_token_with_scopes_is_proven_at_the_gateway(requests_mock):
    """There its ID is in the address; what the site tells later is not asked."""
    site = Site(id="cloud-1", name="x", url="https://example.test")
    grant = Grant(headers={}, site=site, base_url="https://api.atlassian.com/ex/jira/cloud-1")

    assert find_site(build(grant=grant)[0]) == site.model_copy(update={"is_proven": True})
    assert requests_mock.call_count == 0
