"""Notifications in the console: added, tested, changed, removed, and bounded to an organization."""

from __future__ import annotations

import re

import pytest

from connector_core.notify.conditions import Kind
from tests.support import pages
from tests.support.mail_server import mail_server
from tests.support.receivers import receiver
from tests.support.served import ADMIN, GUEST, VIEWER, Served, Visitor

HOOK_SECRET = "s3cret of many letters"


def shown(page):
    """Return what a page shows, on one line."""
    return " ".join(pages.shown(page).split())


@pytest.fixture
def served(tmp_path):
    """Serve a console with two organizations."""
    running = Served(tmp_path)
    yield running
    running.stop()


def visitor(served, name, password):
    """Log somebody in."""
    found = Visitor(served.url)
    assert found.log_in(name, password).status_code == 303
    return found


def hook(base, **fields):
    """Return a filled-in form of a webhook."""
    boxes = {"on.authorization_lost": "yes", "on.backlog": "yes", "all_clear": "yes"}
    return {"name": "ops", "url": f"{base}/T0K3N-of-the-hook", "secret": HOOK_SECRET, **boxes, **fields}


def add(admin, organization="acme", channel="webhook", **fields):
    """Send the form."""
    return admin.post(f"/notifications/{organization}/new?channel={channel}", **fields)


def test_a_notifier_is_added_tested_changed_and_removed(served, admin):
    """Without a script, from the first page to the last."""
    with receiver() as told:
        assert "Nobody is notified yet" in shown(admin.get("/notifications/acme").text)
        form = admin.get("/notifications/acme/new?channel=webhook").text
        assert len(re.findall(r'type="checkbox"[^>]* checked', form)) == len(Kind) + 1  # all conditions, and all clear
        assert add(admin, **hook(told.url)).headers["location"] == "/notifications/acme?said=notifier_added"

        answer = admin.post("/notifications/acme/ops/test", seen_on="/notifications/acme")
        assert answer.status_code == 200
        assert "The test message by ops was accepted." in shown(answer.text)
        assert [request.json["type"] for request in told.got] == ["test"]
        assert "working" in shown(admin.get("/notifications/acme").text)

        quiet = {"quiet_hours.start": "22:00", "quiet_hours.end": "07:00", "quiet_hours.zone": "Europe/Berlin"}
        changed = admin.post("/notifications/acme/ops/change", **hook("", url="", secret="", **quiet))
        assert changed.headers["location"] == "/notifications/acme?said=updated"
        assert "Quiet from 22:00 to 07:00 (Europe/Berlin)." in shown(admin.get("/notifications/acme").text)
        settings = served.app.registry.notifiers.get("acme", "ops").settings
        assert settings.secret.get_secret_value() == HOOK_SECRET  # what is left empty stays
        assert settings.url.get_secret_value() == f"{told.url}/T0K3N-of-the-hook"
        assert [kind.value for kind in settings.conditions] == ["authorization_lost", "backlog"]

    assert "It sends no more messages." in shown(admin.get("/notifications/acme/ops/remove").text)
    removed = admin.post("/notifications/acme/ops/remove")
    assert removed.headers["location"] == "/notifications/acme?said=notifier_removed"
    assert "Nobody is notified yet" in shown(admin.get("/notifications/acme").text)


def test_the_form_shows_what_is_set_but_no_secret(served, admin):
    """Boxes and quiet hours as they are; passwords and addresses only as set."""
    add(
        admin,
        **hook(
            "https://hooks.example.com",
            remind_every="12h",
            **{"quiet_hours.start": "22:00", "quiet_hours.end": "07:00"},
        ),
    )

    form = admin.get("/notifications/acme/ops/change").text

    assert 'value="12h"' in form
    assert 'value="22:00"' in form
    assert re.findall(r'name="([^"]+)" value="yes" checked', form) == [
        "on.authorization_lost",
        "on.backlog",
        "all_clear",
    ]
    for page in (form, admin.get("/notifications/acme").text, admin.get("/notifications").text):
        assert "T0K3N-of-the-hook" not in page
        assert HOOK_SECRET not in page
    page = shown(admin.get("/notifications/acme").text)
    assert "https://hooks.example.com/…" in page
    assert "Access has expired or was revoked; changes have been waiting for long, and all clear." in page
    assert "Last accepted" in page


@pytest.mark.cases_in_test(3)
@pytest.mark.parametrize(("fields", "said"), [
    ({"name": "!?"}, "The name needs a letter or a digit."),
    ({"url": "ftp://x"}, "expected an address like https://"),
    ({"secret": "short"}, "a secret has at least 8 characters"),
    ({"secret": ""}, "Secret is missing."),
    ({"quiet_hours.start": "25:00", "quiet_hours.end": "07:00"}, "Quiet hours, start"),
    ({"quiet_hours.start": "22:00"}, "Quiet hours, end is missing."),
    ({"quiet_hours.start": "22:00", "quiet_hours.end": "07:00", "quiet_hours.zone": "Atlantis"}, "time zone"),
    ({"backlog_after": "soon"}, "Backlog after"),
    ({"on.authorization_lost": "", "on.backlog": ""}, "Choose at least one condition."),
])  # fmt: skip
def test_a_wrong_answer_is_told_beside_its_question_and_nothing_is_lost(served, admin, fields, said):
    """The page says what is wrong, and has all other answers still; no secret comes back."""
    answer = add(admin, **hook("https://hooks.example.com", **fields))

    assert answer.status_code == 422
    assert said in shown(answer.text)
    assert HOOK_SECRET not in answer.text
    assert "T0K3N-of-the-hook" not in answer.text
    assert served.app.registry.notifiers.every() == []


def test_e_mail_is_set_up_and_tested(served, admin):
    """To a real mail server."""
    with mail_server() as box:
        form = {"name": "mail", "host": "127.0.0.1", "port": str(box.port), "security": "none", "on.backlog": "yes"}
        sent = add(
            admin, channel="email", **form, sender="connector@acme.example", recipients="a@acme.example, b@acme.example"
        )
        assert sent.status_code == 303
        admin.post("/notifications/acme/mail/test", seen_on="/notifications/acme")

    (letter,) = box.letters
    assert letter["Subject"] == "Acme Inc.: test message"
    assert box.envelopes == [("a@acme.example", "b@acme.example")]


@pytest.mark.parametrize("elsewhere", [{"host": "mail.evil.example"}, {"port": "2525"}, {"security": "tls"}])
def test_a_password_is_not_sent_to_another_server_than_it_was_given_for(served, admin, elsewhere):
    """Whoever changes the server may not know the password; with it, or for the same server, it is saved."""
    people = {"sender": "connector@acme.example", "recipients": "a@acme.example", "on.backlog": "yes"}
    server = {"host": "smtp.acme.example", "port": "587", "security": "starttls", "user": "me"}
    add(admin, channel="email", name="mail", password="the password of acme", **people, **server)
    change = "/notifications/acme/mail/change"

    refused = admin.post(change, password="", **people, **{**server, **elsewhere})
    assert refused.status_code == 422
    assert "Password: enter it again, for it would be sent to another server." in shown(refused.text)
    kept = served.app.registry.notifiers.get("acme", "mail").settings
    assert (kept.host, kept.port, kept.security) == ("smtp.acme.example", 587, "starttls")

    assert admin.post(change, password="", **{**people, "recipients": "b@acme.example"}, **server).status_code == 303
    assert served.app.registry.notifiers.get("acme", "mail").settings.password.get_secret_value().endswith("acme")
    assert admin.post(change, password="another", **people, **{**server, **elsewhere}).status_code == 303
    assert admin.post(change, password="", **people, **{**server, "user": "", "host": "x.example"}).status_code == 303


def test_a_failing_test_says_why_and_the_first_page_too(served, admin):
    """Until it works again."""
    with receiver() as told:
        add(admin, **hook(told.url))
        told.status = 404
        answer = admin.post("/notifications/acme/ops/test", seen_on="/notifications/acme")
        assert answer.status_code == 422
        assert "was not accepted. The receiver does not accept this address or secret (HTTP 404)." in shown(answer.text)
        assert "Notifications by ops (Acme Inc.) do not arrive." in shown(admin.get("/").text)

        told.status = 200
        admin.post("/notifications/acme/ops/test", seen_on="/notifications/acme")
        assert "do not arrive" not in shown(admin.get("/").text)


@pytest.mark.parametrize("host", ["a..b", f"{'x' * 64}.example", "a.example:99999"])
def test_an_address_that_can_be_none_is_told_and_not_more_than_that(served, admin, host):
    """The notifier is failing, as with any other reason; its secret part is on no page."""
    add(admin, **hook(f"https://{host}"))

    answer = admin.post("/notifications/acme/ops/test", seen_on="/notifications/acme")

    assert answer.status_code == 422
    assert "The address is not a valid HTTP address." in shown(answer.text)
    assert "T0K3N" not in answer.text + admin.get("/").text


def test_viewers_look_and_change_nothing(served, admin):
    """They see who is notified; no button, no form."""
    add(admin, **hook("https://hooks.example.com"))
    viewer = visitor(served, "vic", VIEWER)

    page = viewer.get("/notifications/acme").text
    assert "hooks.example.com" in shown(page)
    assert "Send a test" not in page
    for path in ("new?channel=slack", "ops/change", "ops/remove"):
        assert viewer.get(f"/notifications/acme/{path}").status_code == 404
    for path in ("new?channel=slack", "ops/change", "ops/remove", "ops/test"):
        assert viewer.post(f"/notifications/acme/{path}", seen_on="/").status_code == 403
    assert len(served.app.registry.notifiers.every()) == 1


def test_nobody_sees_or_touches_another_organizations_notifiers(served, admin):
    """For an admin of one organization the others' do not exist, on no page and by no form."""
    add(admin, **hook("https://hooks.example.com"))
    guest = visitor(served, "gus", GUEST)

    assert guest.get("/notifications", allow_redirects=False).headers["location"] == "/notifications/globex"
    for path in ("", "/new?channel=slack", "/ops/change", "/ops/remove"):
        assert guest.get(f"/notifications/acme{path}").status_code == 404
    for path in ("/new?channel=webhook", "/ops/change", "/ops/remove", "/ops/test"):
        answer = guest.post(f"/notifications/acme{path}", seen_on="/", **hook("https://evil.example", name="mine"))
        assert answer.status_code == 404
    pages = "".join(guest.get(path).text for path in ("/", "/notifications/globex"))
    assert "hooks.example.com" not in pages
    assert [one.id for one in served.app.registry.notifiers.every()] == ["acme/ops"]


def test_an_admin_of_one_organization_reaches_nothing_in_our_own_network(served):
    """What such an admin enters may only be public: the test calls nobody."""
    guest = visitor(served, "gus", GUEST)
    with receiver() as told:
        assert add(guest, "globex", **hook(told.url)).status_code == 303
        answer = guest.post("/notifications/globex/ops/test", seen_on="/notifications/globex")

    assert "Calls to 127.0.0.1 are not allowed here." in shown(answer.text)
    assert told.got == []


def test_what_the_file_has_is_shown_and_changed_there(served, admin):
    """It can be tested; the form is refused."""
    with receiver() as told:
        text = served.path.read_text()
        written = f'acme: {{name: Acme Inc., notifications: {{file-hook: {{channel: slack, url: "{told.url}/x"}}}}}}'
        served.path.write_text(text.replace("acme: {name: Acme Inc.}", written))
        served.restart()
        ada = visitor(served, "ada", ADMIN)

        page = ada.get("/notifications/acme").text
        assert "configuration file" in shown(page)
        assert "file-hook/change" not in page
        assert ada.get("/notifications/acme/file-hook/change").status_code == 422
        assert ada.post("/notifications/acme/file-hook/remove", seen_on="/notifications/acme").status_code == 422
        ada.post("/notifications/acme/file-hook/test", seen_on="/notifications/acme")

    assert len(told.got) == 1


def test_a_form_from_elsewhere_adds_nothing(served, admin):
    """A page of others cannot have a notifier added or tested."""
    sent = add(admin, **hook("https://evil.example"), headers={"Sec-Fetch-Site": "cross-site"})

    assert sent.status_code == 403
    assert served.app.registry.notifiers.every() == []


def test_a_notifier_may_have_any_name_that_is_one(served, admin):
    """Also that of a page; capitals and blanks are made an id of."""
    for written, name in (("new", "new"), ("Test", "test"), (" Ops team (Berlin) ", "ops-team-berlin")):
        assert add(admin, **hook("https://hooks.example.com", name=written)).status_code == 303
        assert admin.get(f"/notifications/acme/{name}/change").status_code == 200
        assert admin.post(f"/notifications/acme/{name}/remove").status_code == 303
