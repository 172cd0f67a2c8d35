"""Deliveries that something on their way changed: what can be taken is taken, the rest is told with its reason."""

from __future__ import annotations

import gzip
import re

import pytest
import requests

from connector_core.contract.models import Severity
from connector_core.demo.stage import until
from connector_core.web.console.webhook_light import light
from connector_jira_jsm_sandbox import DIFFICULT, JiraSandbox
from connector_jira_jsm_sandbox.middlemen import signature
from tests.e2e.test_doctor import NAME, PATH, SECRET, Clinic
from tests.support.served import ADMIN, Visitor


@pytest.fixture(scope="module")
def site():
    """Serve the difficult site once for this module."""
    with JiraSandbox(DIFFICULT, search_lag_s=0) as running:
        yield running


@pytest.fixture
def clinic(tmp_path, site):
    """Open a connector on the site."""
    opened = Clinic(tmp_path, site)
    opened.clock.forward(60)
    yield opened
    opened.stop()
    site.dispatcher.middleman = ""


def arrive(clinic, path=PATH, *, secret=SECRET, **options):
    """Have the site tell of a change of a ticket that nobody linked; return the status of the answer."""
    site = clinic.sandbox
    events = ("jira:issue_updated",)
    hook = site.webhooks.add("Connector", clinic.url + path, events, secret=secret, **options)
    ticket = site.site.create(site.profile.person, project_key="STOER", issue_type_id="10010", summary="By hand")
    site.edit_ticket(ticket.id, title="By hand, changed")
    assert site.wait_for_deliveries()
    site.webhooks.remove(hook.id)
    return site.deliveries[-1].status


def post(clinic, body, path=PATH, **headers):
    """Send a signed body as a stranger's client would; a redirect is not followed, as webhook senders do not."""
    sent = {"X-Hub-Signature": signature(SECRET, body), **{name.replace("_", "-"): v for name, v in headers.items()}}
    return requests.post(clinic.url + path, data=body, headers=sent, timeout=20, allow_redirects=False)


def refused(clinic):
    """Return what the doctor finds about refused deliveries, once something is stored."""
    until(lambda: "webhook_refused" in clinic.findings())
    return clinic.findings()["webhook_refused"]


@pytest.mark.parametrize("path", [f"{PATH}/", f"/{PATH}", "/external//jira/webhook", f"{PATH}//", f"{PATH}/{NAME}/"])
def test_an_address_with_a_slash_too_many_is_taken(clinic, path):
    """A redirect would lose the delivery: senders do not follow any."""
    assert arrive(clinic, path) == 200
    assert clinic.app.store.webhooks.deliveries(NAME, 10) == (1, 1)


@pytest.mark.cases_in_test(2)
@pytest.mark.parametrize("middleman", ["packs", "signs_packed", "marks", "signs_marked", "capitals"])
def test_what_a_proxy_does_to_a_delivery_is_undone(clinic, middleman):
    """Compressed before or after it was signed, with a byte order mark, or with capital letters in the signature."""
    clinic.sandbox.dispatcher.middleman = middleman

    assert arrive(clinic) == 200
    assert clinic.app.store.webhooks.deliveries(NAME, 10) == (1, 1)
    assert "webhook_refused" not in clinic.findings()


@pytest.mark.parametrize(
    ("middleman", "status", "code", "says"),
    [
        ("drops_signature", 403, "signature_missing", "without a signature"),
        ("cuts", 400, "body_not_json", "no JSON"),
        ("recodes", 400, "body_not_utf8", "not UTF-8"),
    ],
)
def test_what_cannot_be_taken_is_told_with_its_reason(clinic, middleman, status, code, says):
    """By the doctor, beside the webhook in the console, and in the metrics."""
    clinic.sandbox.dispatcher.middleman = middleman

    assert arrive(clinic) == status
    found = refused(clinic)
    (shown,) = light(clinic.app.store, clinic.app.registry.entry(NAME).record, "jira", clinic.clock.now()).refused
    metrics = requests.get(f"{clinic.url}/metrics", timeout=10).text

    assert found.severity is Severity.WARNING
    assert says in found.title
    assert found.fix
    assert (shown.code, shown.count) == (code, 1)
    assert f'connector_rejected_total{{code="{code}",kind="webhook"}} 1.0' in metrics
    assert re.search(rf'connector_webhook_refused{{code="{code}",integration="\S*",route="jira"}} 1\.0', metrics)


def test_a_webhook_that_leaves_its_body_out_is_told(clinic):
    """The box Exclude body was ticked: every delivery is signed, and empty."""
    assert [arrive(clinic, exclude_body=True) for _ in range(2)] == [400, 400]
    found = refused(clinic)

    assert "without a body" in found.title
    assert "Exclude body" in found.fix
    assert "webhook_deliveries" not in clinic.findings()
    assert clinic.app.store.webhooks.facts(NAME)["refused:body_empty"].count == 1  # the second is counted with the next


@pytest.mark.cases_in_test(2)
@pytest.mark.parametrize(
    ("body", "encoding", "status", "code"),
    [
        (b"{}", "br", 415, "encoding_unknown"),
        (b"{}", "gzip, gzip", 415, "encoding_unknown"),
        (b"{}", "gzip", 400, "encoding_broken"),
        (gzip.compress(b"{}", mtime=0)[:-4], "gzip", 400, "encoding_broken"),
        (gzip.compress(b"{}", mtime=0) + b"more", "gzip", 400, "encoding_broken"),
        (gzip.compress(b" " * 26 * 1024 * 1024, mtime=0), "gzip", 413, "too_large"),
        (gzip.compress(b" " * 4 * 1024 * 1024, mtime=0), "gzip", 413, "too_large"),
    ],
)
def test_a_bad_encoding_is_refused_and_counted(clinic, body, encoding, status, code):
    """Whose it was cannot be told, so it is told for the address; a small body does not unpack to a huge one."""
    answer = post(clinic, body, Content_Encoding=encoding)

    until(lambda: code in clinic.app.store.webhooks.refused("jira"))
    assert answer.status_code == status
    assert refused(clinic).severity is Severity.WARNING


def test_no_encoding_is_an_encoding(clinic):
    """Some clients name what they did not do."""
    assert post(clinic, b"{}", Content_Encoding="identity").status_code == 200


def test_an_address_that_nobody_has_is_told(clinic):
    """A misspelt route or integration: 404 or 403, and the doctor knows of it."""
    assert post(clinic, b"{}", "/external/jria/webhook").status_code == 404
    assert post(clinic, b"{}", "/external/jira").status_code == 404
    assert post(clinic, b"{}", f"{PATH}/acme-helpdsk").status_code == 403

    until(lambda: {"integration_unknown"} <= set(clinic.app.store.webhooks.refused("jira")))
    until(lambda: {"address_unknown"} <= set(clinic.app.store.webhooks.refused("")))
    assert "address" in refused(clinic).detail


def test_reasons_are_told_apart_and_end_with_a_good_delivery(clinic):
    """The latest reason is the title, the others are in the detail; what is taken later makes them history."""
    arrive(clinic, secret="another secret")
    until(lambda: "signature_mismatch" in clinic.app.store.webhooks.refused("jira"))
    clinic.clock.forward(60)
    arrive(clinic, secret="")
    until(lambda: "signature_missing" in clinic.app.store.webhooks.refused("jira"))
    found = clinic.findings()["webhook_refused"]
    clinic.clock.forward(60)

    assert "without a signature" in found.title
    assert "no secret here made" in found.detail
    assert arrive(clinic) == 200
    assert "webhook_refused" not in clinic.findings()


def test_the_console_says_why_where_the_webhook_is_shown(clinic):
    """Beside the light, in the reader's words."""
    arrive(clinic, exclude_body=True)
    until(lambda: "refused:body_empty" in clinic.app.store.webhooks.facts(NAME))

    visitor = Visitor(clinic.url)
    visitor.log_in("ada", ADMIN)
    page = visitor.get(f"/integrations/{NAME}").text

    assert "1 delivery was refused" in page
    assert "Exclude body" in page
