"""A ticketing system as a class: what the kit makes of what a plugin says."""

# ruff: noqa: D102 - what the methods of the desk are for is said where they are declared

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, ClassVar

import pytest
from pydantic import Field, ValidationError

from connector_core import (
    Absence,
    AbsenceKind,
    CloseTicket,
    Comment,
    ConfigError,
    CreateTicket,
    FieldName,
    FindComment,
    FindTicket,
    Integration,
    MarkTicket,
    NotCreated,
    PluginInfo,
    Priority,
    Receipt,
    RemoteError,
    RetryLater,
    Settings,
    TicketGone,
    TicketQuery,
    TicketSnapshot,
    UnreadableTicket,
    WriteComment,
    WriteFields,
    WrittenComment,
    sample_incident,
)
from connector_core.kit.absences import Absent
from connector_core.kit.answers import Answers, FieldsRefused
from connector_core.kit.comment_texts import comment_text
from connector_core.kit.comments import Entry, Shown
from connector_core.kit.desk import Desk
from connector_core.kit.desk_comments import CommentedDesk
from connector_core.kit.desk_marks import MarkedDesk, MarkedPage
from connector_core.kit.editing import Written
from connector_core.kit.marks import TicketNames
from connector_core.kit.paging import PageNumber
from connector_core.kit.settings import site_address
from connector_core.kit.values import Json
from connector_core.testing import make_integration
from tests.core.kit.handles import answered

MARKER, OTHER = "cnx-0123456789abcdef0123", "cnx-fedcba9876543210fedc"
THEN = datetime(2026, 3, 2, tzinfo=UTC)
T, D, P, S = FieldName.TITLE, FieldName.DESCRIPTION, FieldName.PRIORITY, FieldName.STATUS


class PaperSettings(Settings):
    """Settings of a desk of paper."""

    address: Annotated[str, site_address("https://desk.example.com", api_path="/api", host_of_name="{}.desk.test")] = (
        Field(description="Where.")
    )
    close_status: str = Field("done", description="Status at the end.")


class PaperDesk(CommentedDesk[PaperSettings], MarkedDesk[PaperSettings]):
    """A desk whose tickets are sheets of paper."""

    info = PluginInfo(name="paper", title="Paper", settings=PaperSettings)
    rules = Answers("Paper")
    names = TicketNames(alone=r"#?(\d+)", below=r"(\d+)")
    mark_fix = internal_fix = "Take another pen."
    api_path = "/api"

    #: All there is, by id; what is written is refused, or undone by somebody, as the test says.
    sheets: ClassVar[dict[str, Json]] = {}
    refuses: ClassVar[frozenset[FieldName]] = frozenset()
    behind: ClassVar[frozenset[FieldName]] = frozenset()
    takes_marks: ClassVar[bool] = True

    def snapshot(self, shown: Json) -> TicketSnapshot | UnreadableTicket:
        if "id" not in shown:
            return UnreadableTicket(reason="It has no id.")
        told = {name: shown.get(name) or "" for name in ("title", "status")}
        own = self.details.own_words(shown.get("description"))
        is_done = told["status"] == self.close_status
        return TicketSnapshot(id=shown["id"], key=f"#{shown['id']}", description=own, done=is_done, **told)

    def look(self, ticket_id: str) -> Json:
        if ticket_id == "merged":
            raise Absent(Absence(kind=AbsenceKind.MERGED, reason="It was merged.", into="1"))
        if ticket_id not in self.sheets:
            raise TicketGone("It is gone.")
        return self.sheets[ticket_id]

    def found(self, ids: Sequence[str], since: datetime | None) -> Iterable[Json]:
        return [*self.sheets.values(), {"title": "a sheet without a number"}]

    def create(self, incident, marker) -> TicketSnapshot:
        sent = {name.value: value for name, value in self.sent(incident).items()}
        words = self.details.write(incident, marker)
        sheet = {**sent, "id": str(len(self.sheets) + 1), "mark": marker, "description": words}
        self.sheets[sheet["id"]] = sheet
        self.notes.append("It was written by hand.")
        return self.as_sent(self.snapshot(sheet), incident)

    def marked(self, change: FindTicket) -> Iterable[Json]:
        self.is_settled = change.attempt_age_s > 1
        return self.sheets.values()

    def marker_of(self, shown: Json) -> str:
        return shown.get("mark", "")

    def priority(self, ours: Priority) -> str:
        return ours.value

    def text_in(self, shown: Json) -> str | None:
        return shown.get("description")

    def write(self, known: TicketSnapshot, fields: Mapping[FieldName, object]) -> Written:
        if refused := self.refuses & fields.keys():
            raise FieldsRefused("No.", {name.value: "The pen is dry." for name in refused})
        kept = {name.value: value for name, value in fields.items() if name not in self.behind}
        self.sheets[known.id] = {**self.sheets[known.id], **kept}
        return Written(self.read(known), behind=self.behind & fields.keys())

    def leave_mark(self, mark: MarkTicket, shown: Json) -> None:
        if self.takes_marks:
            self.sheets[mark.ticket.id] = {**shown, "mark": mark.marker}

    def page_of_marked(self, cursor: str | None) -> MarkedPage:
        every = list(self.sheets.values())
        return MarkedPage(every[:1], "1") if cursor is None else MarkedPage(every[1:], None)

    def entries(self, ticket_id: str, since: datetime) -> Iterable[Entry]:
        noted = self.sheets[ticket_id].get("comments", ())
        return [Entry(str(at), "Ada", partial(str, text), THEN, is_public=False) for at, text in enumerate(noted)]

    def add_comment(self, draft: WriteComment) -> Shown:
        sheet = self.sheets[draft.ticket.id]
        noted = [*sheet.get("comments", ()), comment_text(draft, with_marker=True)]
        self.sheets[draft.ticket.id] = {**sheet, "comments": noted}
        return Shown("0", is_public=False)


@pytest.fixture
def desk(monkeypatch):
    """Return a class of a desk without a sheet."""
    monkeypatch.setattr(PaperDesk, "sheets", {})
    return PaperDesk


@pytest.fixture
def integration() -> Integration[PaperSettings]:
    """Return an integration with it."""
    return make_integration(PaperDesk.info, {"address": "https://desk.test"})


@pytest.fixture
def ticket(desk, integration) -> TicketSnapshot:
    """Return a ticket that was made."""
    made = desk.on_incident_event(integration, CreateTicket(incident=sample_incident(), marker=MARKER))
    assert isinstance(made, Receipt)
    return made.ticket


def look(marker: str = MARKER, age_s: float = 0.0) -> FindTicket:
    """Return a look for what an attempt may have made."""
    return FindTicket(incident=sample_incident(), marker=marker, attempted_at=THEN, attempt_age_s=age_s)


def edit(ticket: TicketSnapshot, *fields: FieldName, **changed: object) -> WriteFields:
    """Return a change of an incident."""
    incident = sample_incident().model_copy(update=changed)
    return WriteFields(incident=incident, marker=MARKER, ticket=ticket, fields=frozenset(fields))


def test_what_was_noted_while_writing_is_in_the_receipt(desk, integration):
    """With the ticket as it was sent."""
    receipt = desk.on_incident_event(integration, CreateTicket(incident=sample_incident(), marker=MARKER))

    assert receipt.note == "It was written by hand."
    assert receipt.ticket.title == sample_incident().title
    assert receipt.ticket.priority == sample_incident().priority


@pytest.mark.usefixtures("ticket")
def test_a_look_takes_what_carries_the_marker_and_nothing_else(desk, integration):
    """Whatever a search gives back; where nothing is on its way any more, nobody waits."""
    assert desk.on_incident_event(integration, look()).ticket.id == "1"
    with pytest.raises(RetryLater):
        desk.on_incident_event(integration, look(OTHER))
    assert desk.on_incident_event(integration, look(OTHER, age_s=2)) == NotCreated()


@pytest.mark.usefixtures("ticket")
def test_what_was_not_asked_for_is_not_read(desk, integration):
    """But what cannot be read is told: it may be one that was asked for."""
    found = desk.fetch_tickets(integration, TicketQuery(ids=frozenset({"2"})))

    assert found == [UnreadableTicket(reason="It has no id.")]


def test_a_description_keeps_what_people_wrote_below_it(desk, integration, ticket):
    """The incident's words are written over what the last look showed."""
    sheet = desk.sheets["1"]
    desk.sheets["1"] = {**sheet, "description": f"{sheet['description']}\nSeen by Ada."}

    receipt = desk.on_incident_event(integration, edit(ticket, D, description="It is hot."))

    assert receipt.ticket.description == "It is hot."
    assert desk.sheets["1"]["description"].endswith("\nSeen by Ada.")


def test_what_can_never_be_written_is_not_tried(desk, integration, ticket, monkeypatch):
    """What the plugin's description says; and that there is no priority, unless a desk has a word for that."""
    monkeypatch.setattr(desk, "info", PluginInfo("paper", "Paper", PaperSettings, unchangeable=frozenset({D})))

    receipt = desk.on_incident_event(integration, edit(ticket, D, P, priority=None))

    assert receipt.refused == {
        D: "Paper lets nobody change it.",
        P: "A ticket always has a priority there.",
    }


@pytest.mark.parametrize("behind", [frozenset(), frozenset({S})], ids=["kept", "reopened at once"])
def test_a_ticket_is_closed(desk, integration, ticket, monkeypatch, behind):
    """With the status of the settings; what somebody made of it since is seen by the next look."""
    monkeypatch.setattr(desk, "behind", behind)

    receipt = desk.on_incident_event(integration, CloseTicket(incident=sample_incident(), marker=MARKER, ticket=ticket))

    assert (receipt.ticket.status, receipt.ticket.done) == ("done", True)


def test_a_status_that_is_refused_closes_nothing(desk, integration, ticket, monkeypatch):
    """With what the other side says."""
    monkeypatch.setattr(desk, "refuses", frozenset({S}))

    with pytest.raises(RemoteError, match=r"The pen is dry\.") as caught:
        desk.on_incident_event(integration, CloseTicket(incident=sample_incident(), marker=MARKER, ticket=ticket))

    assert caught.value.code == "close_refused"


@pytest.mark.parametrize("offered", [("paid", "sent"), ()])
def test_a_status_that_may_not_follow_is_not_tried(desk, integration, ticket, monkeypatch, offered):
    """What may follow is said; where it may, or where nothing tells, it is written."""
    close = CloseTicket(incident=sample_incident(), marker=MARKER, ticket=ticket)
    monkeypatch.setattr(desk, "may_become", lambda _self, _shown: offered)

    with pytest.raises(RemoteError, match="paid, sent" if offered else "no other status") as caught:
        desk.on_incident_event(integration, close)
    monkeypatch.setattr(desk, "may_become", lambda _self, _shown: ("paid", "done"))

    assert caught.value.code == "status_unreachable"
    assert desk.on_incident_event(integration, close).ticket.done


def test_a_ticket_with_the_chosen_status_is_closed_whatever_that_is(desk, integration, ticket, monkeypatch):
    """Nothing is written, and what it shows is not called done; without a status nothing is over by that."""
    known = ticket.model_copy(update={"done": False, "status": "done"})
    monkeypatch.setattr(desk, "read", lambda _self, _known: known)

    receipt = desk.on_incident_event(integration, CloseTicket(incident=sample_incident(), marker=MARKER, ticket=ticket))

    assert (receipt.ticket, receipt.untouched) == (known, False)
    assert not PaperDesk(integration).is_over(ticket.model_copy(update={"done": False, "status": ""}))


def test_a_new_ticket_that_cannot_be_read_is_as_it_was_sent(desk, integration):
    """It is there all the same."""
    paper = desk(integration)

    made = paper.made(TicketSnapshot(id="9", key="#9"), sample_incident())

    assert (made.key, made.title) == ("#9", sample_incident().title)
    assert paper.notes == ["It could not be read: It is gone."]


def test_tickets_may_be_left_open(desk, ticket):
    """Where people close them."""
    integration = make_integration(desk.info, {"address": "https://desk.test", "close_status": desk.keep_open})

    receipt = desk.on_incident_event(integration, CloseTicket(incident=sample_incident(), marker=MARKER, ticket=ticket))

    assert "not closed automatically" in receipt.note


def test_a_look_says_why_a_ticket_is_not_there(desk, integration, ticket):
    """As far as it can be told; nothing is said of one that is there."""
    gone, merged = TicketSnapshot(id="9"), TicketSnapshot(id="merged")

    told = desk.explain_absence(integration, [ticket, gone, merged])

    assert {one: why.kind for one, why in told.items()} == {"9": AbsenceKind.GONE, "merged": AbsenceKind.MERGED}


def test_a_list_of_deletions_tells_what_a_look_does_not(desk, integration, ticket, monkeypatch):
    """Of those alone that are not there for an unknown reason; where the account may not know, nothing is told."""
    asked = []

    def deleted(_self, ids):
        asked.extend(ids)
        return ["9", ticket.id, "merged"]

    def closed(_self, _ids):
        raise ConfigError("No.", code="permission_missing")

    away = [ticket, TicketSnapshot(id="8"), TicketSnapshot(id="9"), TicketSnapshot(id="merged")]
    monkeypatch.setattr(desk, "deleted", deleted)
    told = desk.explain_absence(integration, away)
    monkeypatch.setattr(desk, "deleted", closed)
    untold = desk.explain_absence(integration, away)

    kinds = AbsenceKind
    assert asked == ["8", "9"]
    assert {one: why.kind for one, why in told.items()} == {
        "8": kinds.GONE,
        "9": kinds.DELETED,
        "merged": kinds.MERGED,
    }
    assert untold["9"].kind is kinds.GONE


def test_a_ticket_is_found_by_its_name_and_marked(desk, integration, ticket):
    """A former mark goes; the list is gone through page by page."""
    desk.mark_ticket(integration, MarkTicket(incident=sample_incident(), marker=OTHER, ticket=ticket))

    found = desk.find_tickets(integration, ["#1", "https://desk.test/1", "https://elsewhere.test/1", "#7"])
    first = desk.list_marked(integration, None)
    last = desk.list_marked(integration, first.cursor)

    assert {name: one.marker for name, one in found.items()} == {"#1": OTHER, "https://desk.test/1": OTHER}
    assert [one.marker for one in first.tickets] == [OTHER]
    assert (last.seen, last.cursor) == (0, None)


@pytest.mark.parametrize(("cursor", "count", "following"), [(None, 2, "2"), ("2", 2, "3"), ("2", 1, None)])
def test_the_cursor_of_a_search_may_be_the_number_of_a_page(cursor, count, following):
    """A short page is the last."""
    asked = []

    class Pages:
        def get(self, path, params):
            asked.append((path, params))
            return {"items": [{}] * count}

    paging = PageNumber("page", size=2, size_parameter="per_page")
    page = MarkedPage.numbered(Pages(), "/sheets", "items", paging, cursor, marked="yes")

    assert asked == [("/sheets", {"marked": "yes", "per_page": "2", "page": cursor or "1"})]
    assert (len(page.found), page.cursor) == (count, following)


def test_a_desk_without_priorities_has_to_say_how_one_is_written(integration):
    """What people call it, only the ticket tells then."""
    paper = PaperDesk(integration)

    assert Desk.priority_name(paper, Priority.HIGH) is None
    with pytest.raises(NotImplementedError):
        Desk.priority(paper, Priority.HIGH)


def test_a_mark_that_does_not_show_is_told(desk, integration, ticket, monkeypatch):
    """With what makes it be taken."""
    monkeypatch.setattr(desk, "takes_marks", False)

    with pytest.raises(RemoteError) as caught:
        desk.mark_ticket(integration, MarkTicket(incident=sample_incident(), marker=OTHER, ticket=ticket))

    assert (caught.value.code, caught.value.fix) == ("unmarked", "Take another pen.")


def test_a_comment_is_written_once(desk, integration, ticket):
    """And read as our own, without what is in its text for us."""
    comment = Comment(id="c-1", author="Ada", text="It is hot.", created_at=THEN)
    draft = WriteComment(ticket=ticket, comment=comment, platform="Platform", marker=MARKER)
    sought = FindComment(**draft.model_dump(), attempted_at=THEN, attempt_age_s=99)

    assert desk.write_comment(integration, sought) == NotCreated()
    assert desk.write_comment(integration, draft) == WrittenComment(id="0", note="internal")
    assert desk.write_comment(integration, sought).id == "0"
    (read,) = desk.fetch_comments(integration, ticket, THEN)
    assert (read.text, read.own) == ("It is hot.", True)


def test_a_comment_without_an_id_is_looked_for(desk, integration, ticket, monkeypatch):
    """By its mark; where it does not show it was not taken."""
    comment = Comment(id="c-1", author="Ada", text="It is hot.", created_at=THEN)
    draft = WriteComment(ticket=ticket, comment=comment, platform="Platform", marker=MARKER)
    paper = desk(integration)
    monkeypatch.setattr(integration.clock, "now", lambda: THEN)

    with pytest.raises(RemoteError) as caught:
        paper.as_taken(draft, "notes")
    paper.add_comment(draft)

    assert (caught.value.code, "let the account write notes" in caught.value.fix) == ("comment_not_taken", True)
    assert paper.as_taken(draft, "notes") == Shown("0", is_public=False)


def test_settings_that_are_not_whole_are_said_to_be_missing():
    """An address alone is enough to ask the site."""
    desk = PaperDesk(answered(address=" acme "))

    assert desk.rest.base_url == "https://acme.desk.test/api"
    with pytest.raises(ConfigError):
        _ = desk.settings


@pytest.mark.parametrize("given", ["ftp://desk.test", "https://desk.test/?a=1", "", "a b", 7, None, ["x"]])
def test_what_is_no_address_is_refused(given):
    """With an example of one."""
    with pytest.raises(ValidationError):
        PaperSettings(address=given)
