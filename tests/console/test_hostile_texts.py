"""Texts that are made to be run: in every place where one can be stored or sent, and on every page that shows it."""

from __future__ import annotations

import html
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import quote, urljoin, urlsplit

import pytest
from starlette.routing import Route

from connector_core import EventType, Finding, Grant, Incident, IncidentEvent, Severity, Site, TicketSnapshot
from connector_core.contract.models import Device, Location
from connector_core.store import Checkup, LinkState, LinkStatus, Progress, Rest, Target, TimelineEntry, TimelineKind
from connector_core.testing import MemoryDesk, MemoryPlatform
from connector_core.web.console.pages import POLICY
from tests.support import served as serving
from tests.support.served import ADMIN, Served, Visitor

TAG = "x-mark"


def hostile(place):
    """Return a text that gets out of text, of attributes in either quotes, of scripts and of comments."""
    return f"""<{TAG} id={place}>'"--></title></script><script>run()</script><img src=x onerror=run()>{{{{7*7}}}}"""


#: Where each is stored, by the words in it, so that it can be told which were shown.
STORED = (
    *("organization", "incident-title", "incident-description", "device", "location", "ticket-title", "ticket-status"),
    *("ticket-key", "reason", "fix", "timeline", "finding-title", "finding-detail", "finding-fix", "desk", "account"),
    *("problem", "incident-id"),
)


class Read(HTMLParser):
    """What a browser would make of a page: elements that nobody wrote into a template, and addresses."""

    def __init__(self, text):
        super().__init__()
        self.wrong, self.addresses = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        """Judge an element."""
        named = dict(attributes)
        is_ours = tag != TAG and (tag != "script" or named.get("src", "").startswith("/static/"))
        if not is_ours or any(name.startswith("on") or TAG in name for name in named):
            self.wrong.append((tag, attributes))
        for name in ("href", "src", "action", "formaction"):
            if name in named:
                self.addresses.append(named[name])
                if urlsplit(named[name] or "").scheme not in {"", "http", "https"}:
                    self.wrong.append((tag, attributes))


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Serve organizations whose texts are all hostile."""
    yield from serve_hostile(tmp_path, monkeypatch)


def serve_hostile(tmp_path, monkeypatch):
    """Serve them until the test has ended."""
    desk, others = MemoryDesk(), {"configure_source", "check_source", "on_source_push", "poll_incidents"}
    desk.desks = {"1": hostile("desk"), "2": "Desk 2"}
    points = [desk.entry_point(), MemoryPlatform().entry_point(without=others)]
    monkeypatch.setattr(serving, "entry_points", lambda **_: points)
    named = serving.CONFIG.replace("name: Acme Inc.", "name: {hostile}")
    quoted = "'" + hostile("organization").replace("'", "''") + "'"
    monkeypatch.setattr(serving, "CONFIG", named.replace("{hostile}", quoted.replace("{", "{{").replace("}", "}}")))
    opened = Served(tmp_path)
    store_everything(opened)
    yield opened
    opened.stop()


def store_everything(served):
    """Store a hostile text wherever one can come from outside."""
    store, now = served.app.store, served.clock.now()
    served.add("acme-desk", "acme")
    (record,) = [one for one in store.integrations.every() if one.id == "acme-desk"]
    served.add("acme-waits", "acme")
    store.integrations.put(
        replace(record, id="acme-waits", problem_code="authorization_needed", problem=hostile("problem"))
    )
    site = Site(id="s", url="https://desk.example.test", name=hostile("site"))
    store.grants.save("acme-desk", Grant(headers={}, account_name=hostile("account"), sites=(site,), site=site))
    findings = [
        Finding(
            code="odd",
            severity=Severity.PROBLEM,
            title=hostile("finding-title"),
            detail=hostile("finding-detail"),
            fix=hostile("finding-fix"),
        )
    ]
    store.checkups.record(Checkup("acme-desk", now, findings))
    incident = Incident(
        id=hostile("incident-id"),
        title=hostile("incident-title"),
        description=hostile("incident-description"),
        url="javascript:run()",
        device=Device(name=hostile("device")),
        location=Location(name=hostile("location")),
    )
    event = IncidentEvent(id="evt-1", type=EventType.OPENED, occurred_at=now, incident=incident)
    store.inbox.accept_events("acme", [event], [Target("acme-desk", {"desk": "1"}, now)], now).result()
    ticket = TicketSnapshot(
        id="1",
        key=hostile("ticket-key"),
        title=hostile("ticket-title"),
        status=hostile("ticket-status"),
        url="javascript:run()",
        updated=now,
    )
    status = LinkStatus(LinkState.BLOCKED, code="odd", reason=hostile("reason"), fix=hostile("fix"))
    note = {"note": hostile("timeline-value"), "code": "odd", "reason": hostile("timeline")}
    entry = TimelineEntry(TimelineKind.LINK_BLOCKED, "ticket", now, note)
    (claim,) = store.lanes.claim("boot", now, 50, 600)
    assert store.links.record(claim, Progress(status=status, ticket=ticket, entries=(entry,)), now)
    store.lanes.release(claim, Rest(), now)


def crawl(visitor, starts):
    """Open every page that can be reached; return their texts by address."""
    waiting, pages = list(starts), {}
    while waiting and len(pages) < 300:
        path = waiting.pop()
        if path in pages:
            continue
        answer = visitor.get(path)
        pages[path] = answer
        if answer.headers["content-type"].startswith("text/html"):
            for address in Read(answer.text).addresses:
                found = urlsplit(urljoin(answer.url, address or ""))
                if found.netloc == urlsplit(visitor.url).netloc and not found.path.startswith("/static/"):
                    waiting.append(found.path + (f"?{found.query}" if found.query else ""))
    return pages


def test_no_text_of_others_is_run_on_any_page(served):
    """All pages, with a hostile text in whatever is stored: each is shown as text, and a policy stands behind that."""
    visitor = Visitor(served.url)
    visitor.log_in("ada", ADMIN)

    pages = crawl(visitor, ["/", "/links", "/unfinished", "/sources/acme", "/integrations/new"])
    pages = {path: answer for path, answer in pages.items() if answer.headers["content-type"].startswith("text/html")}
    shown = html.unescape("".join(answer.text for answer in pages.values()))

    assert len(pages) > 20
    assert {path: wrong for path, answer in pages.items() if (wrong := Read(answer.text).wrong)} == {}
    assert {path for path, answer in pages.items() if answer.headers.get("Content-Security-Policy") != POLICY} == set()
    assert {answer.status_code for answer in pages.values()} <= {200, 404}
    assert {place for place in STORED if f"<{TAG} id={place}>" not in shown} == set()
    assert "49" not in {part.strip() for part in shown.split(">")}


SENT = [
    "/links?text={}",
    "/links?integration={}",
    "/links?state={}",
    "/links?place={}",
    "/activity?person={}",
    "/activity?before={}",
    "/links/{}",
    "/integrations/{}",
    "/integrations/acme-desk/setup/step/{}",
    "/integrations/new?organization={}",
    "/sources/{}",
    "/login?next=/{}",
    "/login?said={}",
    "/hand-over/{}",
    "/oauth/callback?state={}&error={}&error_description={}",
    "/{}",
]


def test_values_of_both_sides_are_read_each_in_its_own_direction(tmp_path):
    """What stands beside a right-to-left text stays where it is."""
    served = Served(tmp_path)
    (number,) = served.add("rtl-desk", "acme", "\u05de\u05e1\u05da (1)")
    admin = Visitor(served.url)
    admin.log_in("ada", ADMIN)

    page = admin.get(f"/links/{number}").text
    served.stop()

    assert '<td data-label="Incident"><bdi>\u05de\u05e1\u05da (1)</bdi>' in page


@pytest.mark.cases_in_test(8)
@pytest.mark.parametrize("address", SENT)
@pytest.mark.parametrize("is_known", [True, False])
def test_nothing_that_is_sent_is_run(served, address, is_known):
    """An address that somebody was lured to shows what stands in it as text, or not at all."""
    visitor = Visitor(served.url)
    if is_known:
        visitor.log_in("ada", ADMIN)

    answer = visitor.get(address.replace("{}", quote(hostile("sent"), safe="")))

    if answer.headers["content-type"].startswith("text/html"):
        assert Read(answer.text).wrong == []
    else:
        assert f"<{TAG}" not in answer.text or answer.headers["content-type"].startswith("text/plain")


def test_a_name_that_cannot_log_in_is_not_run(served):
    """The form keeps what was entered."""
    answer = Visitor(served.url).log_in(hostile("name"), "wrong")

    assert f"<{TAG} id=name>" in html.unescape(answer.text)
    assert Read(answer.text).wrong == []


def test_a_login_never_goes_on_with_what_a_stranger_planted(served):
    """Each gets a token of its own, whatever cookie was there before; the planted one opens nothing."""
    visitor, stranger = Visitor(served.url), Visitor(served.url)
    for one in (visitor, stranger):
        one.session.cookies.set("connector_session", "planted", domain="127.0.0.1", path="/")

    answer = visitor.log_in("ada", ADMIN)

    assert "connector_session=planted" not in answer.headers["set-cookie"]
    assert "/login" in stranger.get("/").url
    assert served.app.store.sessions.get("planted") is None


def test_every_form_needs_the_token_of_its_login(served):
    """No address of the console takes a form from elsewhere, and nothing has changed by any."""
    visitor, other = Visitor(served.url), Visitor(served.url)
    visitor.log_in("ada", ADMIN)
    other.log_in("ada", ADMIN)
    (number,) = [link.id for link in served.app.store.links.find()]
    names = {"integration": "acme-desk", "organization": "acme", "step": "desk", "link": str(number), "token": "x"}
    names |= {"notifier": "mail", "replay": "1", "entry": "1"}
    written = [path for path in routes(served) if path != "/login" and not path.startswith("/hand-over/")]
    before = served.app.store.integrations.every(), served.app.store.links.find()

    answers = {
        path: [
            visitor.session.post(
                served.url + path.format(**names), data=form, headers=headers, timeout=20, allow_redirects=False
            ).status_code
            for form, headers in (
                ({}, {}),
                ({"form_token": other.form_token("/")}, {}),
                ({"form_token": visitor.form_token("/")}, {"Origin": "https://evil.example"}),
            )
        ]
        for path in written
    }

    assert len(written) > 12
    assert answers == {path: [403, 403, 403] for path in written}
    assert (served.app.store.integrations.every(), served.app.store.links.find()) == before


def routes(served):
    """Return the addresses of the console that take forms."""
    return [
        one.path
        for one in served.web.routes
        if isinstance(one, Route) and "POST" in one.methods and not one.path.startswith(("/v1/", "/external/"))
    ]
