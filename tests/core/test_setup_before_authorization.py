"""Plugins whose access is authorized with answers, at the customer's own address, and those that need none at all."""

from __future__ import annotations

import pytest
import structlog
from pydantic import SecretStr

from connector_core import AuthError, Choice, ConfigError, FieldKind, Grant, SetupField, SetupStep, hookimpl
from connector_core.app import build_app
from connector_core.config import read_config
from connector_core.contract.setup_steps import AnswerUnfit, fetch_choices
from connector_core.setup import integrations
from connector_core.setup.authorizing import TERMINAL, Sent
from connector_core.setup.integrations import NotReady
from connector_core.store import NEEDS_AUTHORIZATION, IntegrationState
from connector_core.testing import MemoryDesk
from tests.support.own_desk import OwnDesk

CONFIG = "secret_key: a passphrase of many letters\norganizations: {acme: {}}\n"
FIRST = {"address": "https://acme.example.test", "token": "a good token"}
DESK = {"desk": "1"}


@pytest.fixture
def desk():
    """Make a desk that takes tokens."""
    return OwnDesk()


@pytest.fixture
def app(tmp_path, desk):
    """Put together a connector with a new integration."""
    path = tmp_path / "connector.yaml"
    path.write_text(CONFIG)
    app = build_app(*read_config(path, [desk.entry_point()]), log=structlog.get_logger("test"))
    app.setup.create("helpdesk", "acme", "desk")
    yield app
    app.store.close()


def authorize(app):
    """Authorize without a person."""
    return app.authorizing.start("helpdesk", TERMINAL)


def test_what_access_needs_is_asked_for_first_and_then_authorized_with(app):
    """The lists that need access can be fetched afterwards."""
    assert [step.key for step in app.setup.steps("helpdesk")] == ["site", "desk", "status"]
    with pytest.raises(ConfigError, match="Answer Your Site first") as early:
        authorize(app)
    assert early.value.code == "answers_first"

    app.setup.answer("helpdesk", FIRST)
    assert not app.setup.is_authorized("helpdesk")
    grant = authorize(app)

    assert grant.site.id == FIRST["address"]
    assert app.setup.is_authorized("helpdesk")
    (_, desk_step, _) = app.setup.steps("helpdesk")
    assert len(fetch_choices(desk_step.fields[0])) == 2
    app.setup.answer("helpdesk", DESK)
    app.setup.enable("helpdesk")
    assert app.setup.answered("helpdesk").state is IntegrationState.ACTIVE


def test_an_oauth_client_of_the_integrations_own(app, desk):
    """Consent is given at the customer's address, with the client that was answered."""
    desk.consents = True
    app.setup.answer("helpdesk", {**FIRST, "token": "client-7"})

    sent = authorize(app)

    assert isinstance(sent, Sent)
    assert sent.url.startswith("https://acme.example.test/consent?client=client-7&state=")
    returned = app.authorizing.finish({"state": sent.state, "code": "1"}, TERMINAL)
    assert returned.grant.account_id == "client-7"


def test_a_refused_token_is_an_answer_to_correct(app):
    """Nothing is kept; a better one is taken."""
    app.setup.answer("helpdesk", {**FIRST, "token": "bad"})
    with pytest.raises(AuthError, match="not accepted"):
        authorize(app)
    assert not app.setup.is_authorized("helpdesk")

    app.setup.answer("helpdesk", {"token": "better"})

    assert authorize(app).account_id == "better"


def test_another_address_asks_for_the_secret_again(app):
    """Whoever may change the address could send the token to a place of their own."""
    app.setup.answer("helpdesk", FIRST)

    with pytest.raises(AnswerUnfit, match="Token: give it again") as refused:
        app.setup.answer("helpdesk", {"address": "https://evil.example.test"})

    assert refused.value.key == "token"
    assert app.setup.answered("helpdesk").answers["address"] == FIRST["address"]


def test_a_draft_may_move_to_another_site(app):
    """No ticket was opened yet: its access is authorized again, for the other site."""
    app.setup.answer("helpdesk", FIRST)
    authorize(app)

    app.setup.answer("helpdesk", {"address": "https://globex.example.test", "token": "another"})

    assert not app.setup.is_authorized("helpdesk")
    assert authorize(app).site.id == "https://globex.example.test"
    assert app.setup.is_authorized("helpdesk")


def test_an_active_one_waits_for_a_new_authorization_and_stays_at_its_site(app):
    """Its tickets are there. The same account comes back with another token; another site is refused."""
    app.setup.answer("helpdesk", {**FIRST, "token": "first"})
    authorize(app)
    app.setup.answer("helpdesk", DESK)
    app.setup.enable("helpdesk")

    assert "authorized again" in app.setup.before_change("helpdesk", app.setup.steps("helpdesk")[0])
    app.setup.answer("helpdesk", {"address": "https://globex.example.test", "token": "first"})

    assert app.setup.answered("helpdesk").problem_code == NEEDS_AUTHORIZATION
    with pytest.raises(ConfigError, match="tickets are at https://acme") as refused:
        authorize(app)
    assert refused.value.code == "other_site"
    app.setup.answer("helpdesk", {"address": FIRST["address"], "token": "first"})
    authorize(app)
    assert app.setup.answered("helpdesk").problem_code == ""


WRITTEN = """
secret_key: a passphrase of many letters
organizations:
  acme:
    integrations:
      helpdesk:
        plugin: desk
        address: "https://ADDRESS.example.test"
        token: a TOKEN token
        desk: "1"
        close_status: STATUS
"""


def started(folder, desk, address="acme", token="first", *, status="Done"):
    """Start a connector on a file that says so."""
    path = folder / "connector.yaml"
    path.write_text(WRITTEN.replace("ADDRESS", address).replace("TOKEN", token).replace("STATUS", status))
    app = build_app(*read_config(path, [desk.entry_point()]), log=structlog.get_logger("test"))
    app.applying.at_start()
    return app


def stands(app):
    """Return the address that access is for, whether it is good, and what stands in the way; end the connector."""
    grant, record = app.store.grants.get("helpdesk"), app.setup.answered("helpdesk")
    app.store.close()
    return grant.site.id, not grant.is_outdated, record.problem_code


def test_another_address_in_the_file_ends_what_was_granted(tmp_path, desk):
    """As in the console: the site stays, nothing is sent with the old token, and the old address mends it."""
    acme = "https://acme.example.test"
    assert stands(started(tmp_path, desk)) == (acme, True, "")
    assert stands(started(tmp_path, desk, status="Closed")) == (acme, True, "")

    assert stands(started(tmp_path, desk, "globex")) == (acme, False, "other_site")
    assert stands(started(tmp_path, desk)) == (acme, True, "")


def test_another_address_in_the_file_needs_a_person_where_consent_is_given_by_one(tmp_path, desk):
    """Consent for the former address counts no more: the connector says who has to do what."""
    started(tmp_path, desk).store.close()
    desk.consents = True

    app = started(tmp_path, desk, "globex")

    assert not app.setup.is_authorized("helpdesk")
    assert app.setup.answered("helpdesk").problem == "Access is not authorized yet."
    assert stands(app)[1:] == (False, NEEDS_AUTHORIZATION)


def test_a_setting_with_a_default_needs_no_answer(app):
    """The question is there to be answered; what the model has is good until then."""
    app.setup.answer("helpdesk", FIRST)
    authorize(app)
    app.setup.answer("helpdesk", DESK)

    assert app.setup.missing("helpdesk") == []
    assert app.registry.entry("helpdesk").handle.settings.close_status == "Done"


@pytest.fixture
def plain(tmp_path):
    """Put together a connector whose plugin does not authorize: one integration in the file, and one made in set-up."""
    path = tmp_path / "connector.yaml"
    path.write_text(
        "secret_key: a passphrase of many letters\n"
        "organizations: {acme: {integrations: {in-file: {plugin: desk, desk: '1'}}}}\n"
    )
    points = [MemoryDesk().entry_point(without={"authorize"})]
    app = build_app(*read_config(path, points), log=structlog.get_logger("test"))
    app.configured.apply()
    app.setup.create("made", "acme", "desk")
    yield app
    app.store.close()


def test_without_authorization_the_file_is_enough(plain):
    """It is active at once, and nobody is asked for anything."""
    record = plain.registry.entry("in-file").record

    assert (record.state, record.problem_code) == (IntegrationState.ACTIVE, "")
    assert plain.configured.to_authorize() == []


def test_without_authorization_set_up_is_its_steps(plain):
    """They are answered, then it is enabled; to authorize it is refused in words."""
    assert plain.setup.is_authorized("made")
    plain.setup.answer("made", DESK)

    plain.setup.enable("made")

    assert plain.setup.answered("made").state is IntegrationState.ACTIVE
    with pytest.raises(ConfigError, match="needs no authorization") as needless:
        plain.authorizing.start("made", TERMINAL)
    assert needless.value.code == "authorization_not_needed"
    with pytest.raises(ConfigError, match="no step 'authorize'"):
        plain.setup_links.make("made", "authorize", "ada")


def test_without_authorization_requests_carry_none(plain):
    """The session of its handle asks for no grant, which there never is."""
    assert plain.registry.entry("in-file").handle.session.auth is None


class WatchedDesk(OwnDesk):
    """Notes where its list is fetched, with which grant and with which token."""

    def __init__(self):
        super().__init__()
        self.fetched = []

    @hookimpl
    def configure_steps(self, integration):
        """Ask for the desk by a list that needs the address."""

        def desks():
            grant = integration.core.grant()
            token = integration.secret_answers.get("token")
            self.fetched.append(
                (integration.answers["address"], grant and grant.account_id, token and token.get_secret_value())
            )
            return self._choices()

        address = SetupField("address", "Address", "Of the site.", needs_again=frozenset({"token"}))
        token = SetupField("token", "Token", "It lets us in.", FieldKind.SECRET)
        desk = SetupField("desk", "Desk", "It gets the tickets.", FieldKind.CHOICE, load=desks)
        return (
            SetupStep("site", "Your Site", "Where it is.", (address, token), before_authorization=True),
            SetupStep("desk", "Select Desk", "One.", (desk,), needs=frozenset({"address"})),
        )


@pytest.mark.parametrize("token", ["mine", ""])
@pytest.mark.parametrize("desk", [WatchedDesk()], ids=["watched"])
def test_neither_secret_nor_grant_goes_to_another_address(app, desk, token):
    """Not while the answers are checked, not afterwards, and not where the token is merely taken away."""
    app.setup.answer("helpdesk", {**FIRST, "token": "old"})
    authorize(app)
    app.setup.answer("helpdesk", DESK)
    desk.fetched.clear()

    app.setup.answer("helpdesk", {"address": "https://evil.example.test", "token": token})
    fetch_choices(app.setup.steps("helpdesk")[1].fields[0])

    assert desk.fetched == [("https://evil.example.test", None, token or None)]


@pytest.fixture
def moved(app):
    """Enable an integration, and give another address with a token of one's own."""
    app.setup.answer("helpdesk", {**FIRST, "token": "old"})
    authorize(app)
    app.setup.answer("helpdesk", DESK)
    app.setup.enable("helpdesk")
    app.setup.answer("helpdesk", {"address": "https://evil.example.test", "token": "mine"})
    return app


def test_with_another_address_nothing_of_the_grant_is_kept_that_could_be_sent(moved):
    """It is emptied where the answers are stored, so that no kill comes between; whose it was stays known."""
    grant = moved.store.grants.get("helpdesk")

    assert (dict(grant.headers), dict(grant.secrets), grant.account_id) == ({}, {}, "old")
    assert moved.registry.entry("helpdesk").record.problem_code == NEEDS_AUTHORIZATION
    assert moved.registry.entry("helpdesk").handle.core.grant() is None


@pytest.mark.parametrize("other", ["refused", "disabled"])
def test_an_outdated_grant_stays_so_whatever_happens_to_the_integration(moved, other):
    """Another problem takes the place of that one: there is no access all the same, and it cannot be enabled."""
    if other == "disabled":
        moved.setup.disable("helpdesk")
    else:
        moved.store.integrations.note_problem("helpdesk", "refused", "The site says no.")

    assert moved.registry.entry("helpdesk").handle.core.grant() is None
    assert not moved.setup.is_authorized("helpdesk")
    with pytest.raises(NotReady, match="Access is not authorized"):
        moved.setup.enable("helpdesk")


class FreeDesk(OwnDesk):
    """Lets anybody in at any address, with consent; only the desk has to be chosen anew for another one."""

    @hookimpl
    def authorize(self, integration, request):
        """Grant access."""
        return Grant(headers={"X-Key": SecretStr("granted")}, account_id="1", account_name="Agent")

    @hookimpl
    def configure_steps(self, integration):
        """Ask for a desk of the address; none but the first address has the desk 1."""
        address = integration.answers.get("address")
        desks = {"1": "One"} if address == FIRST["address"] else {"9": "Nine"}
        choices = [Choice(value, label) for value, label in desks.items()]
        where = SetupField("address", "Address", "Of the site.")
        token = SetupField("token", "Token", "It lets us in.", FieldKind.SECRET)
        desk = SetupField("desk", "Desk", "It gets the tickets.", FieldKind.CHOICE, load=lambda: choices)
        extra = (SetupField("close_status", "Status", "Of what is over."),) if address != FIRST["address"] else ()
        return (
            SetupStep("site", "Your Site", "Where it is.", (where, token), before_authorization=True),
            SetupStep("desk", "Select Desk", "One.", (desk, *extra), needs=frozenset({"address"})),
        )


@pytest.mark.parametrize("desk", [FreeDesk()], ids=["free"])
def test_an_address_that_comes_out_of_a_draft_ends_the_grant_too(app, desk, monkeypatch):
    """What is held is not in effect, and nothing ends; with the answer that it waited for, it does."""
    app.setup.answer("helpdesk", FIRST)
    authorize(app)
    app.setup.answer("helpdesk", DESK)
    app.setup.enable("helpdesk")
    monkeypatch.setattr(integrations, "is_whole", lambda _, record: record.answers["address"] == FIRST["address"])
    app.setup.answer("helpdesk", {"address": "https://globex.example.test"})
    assert app.setup.answered("helpdesk").answers["address"] == "https://globex.example.test"
    assert app.registry.entry("helpdesk").record.answers["address"] == FIRST["address"]
    assert app.registry.entry("helpdesk").handle.core.grant() is not None
    monkeypatch.undo()

    app.setup.answer("helpdesk", {"desk": "9"})

    assert app.registry.entry("helpdesk").record.answers["address"] == "https://globex.example.test"
    assert app.registry.entry("helpdesk").handle.core.grant() is None


def test_an_outdated_grant_is_renewed_by_nobody(moved):
    """What was refused with the grant before is not tried again with another one."""
    entry = moved.registry.entry("helpdesk")

    renewed = entry.handle.core.renew(Grant(headers={"Authorization": SecretStr("old")}))

    assert renewed.sent_headers() == {}


def test_what_lists_ask_for_is_worked_off_when_they_end(app, monkeypatch):
    """They are fetched outside of any hook: the answers would count for ever, and keep all others waiting."""
    app.setup.answer("helpdesk", FIRST)
    authorize(app)
    let_go = []
    session = app.registry.entry("helpdesk").handle.session
    monkeypatch.setattr(session, "let_go", lambda: let_go.append(True))
    (_, step, _) = app.setup.steps("helpdesk")
    let_go.clear()

    fetch_choices(step.fields[0])

    assert let_go == [True]
