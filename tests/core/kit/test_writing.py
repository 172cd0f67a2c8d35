"""Tickets and comments are made once, fields are written as far as they are taken, internal comments stay internal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from connector_core import (
    Comment,
    ConfigError,
    CreateTicket,
    FieldName,
    FindComment,
    FindTicket,
    NotCreated,
    Receipt,
    RemoteError,
    RetryLater,
    TicketChanged,
    TicketGone,
    TicketSnapshot,
    UnreadableTicket,
    WriteComment,
    WriteFields,
    WrittenComment,
    sample_incident,
)
from connector_core.kit.answers import FieldsRefused
from connector_core.kit.comment_texts import SOMEBODY, told_comment
from connector_core.kit.comments import Entry, Internal, Shown, marked, told, write_once
from connector_core.kit.creating import as_sent, certain, create_once, left_undone
from connector_core.kit.details import Details
from connector_core.kit.editing import (
    Change,
    Refused,
    Written,
    refused_by_name,
    sort_out,
    was_faster,
    write_fields,
)
from tests.core.kit.handles import answered

MARKER = "cnx-0123456789abcdef0123"
THEN = datetime(2026, 3, 2, tzinfo=UTC)
TICKET = TicketSnapshot(id="7", key="T-7", title="Old", description="Old words", status="Open", updated=THEN)
LATER = THEN + timedelta(seconds=1)
T, D, P = FieldName.TITLE, FieldName.DESCRIPTION, FieldName.PRIORITY


def look(age_s: float, found: list[TicketSnapshot | UnreadableTicket]) -> Receipt | NotCreated:
    """Look for a ticket whose answer was lost so long ago."""
    change = FindTicket(incident=sample_incident(), marker=MARKER, attempted_at=THEN, attempt_age_s=age_s)
    return create_once(
        change,
        make=lambda: pytest.fail("it was made again"),
        find=lambda: found,
        settle_s=60,
        as_created=lambda ticket: ticket.model_copy(update={"title": "As made"}),
    )


def test_a_ticket_as_it_was_sent_says_what_the_incident_said():
    """What people changed since is seen by it; a priority that was not sent stays as the ticket shows it."""
    changed = TICKET.model_copy(update={"done": True, "priority": "low", "description": "Seen to."})
    incident = sample_incident().model_copy(update={"description": "It is hot.  \n", "priority": "high"})

    sent = as_sent(changed, incident, title="Fan failed", details=Details())
    unsent = as_sent(changed, incident.model_copy(update={"priority": None}), title="", details=Details())

    assert (sent.id, sent.title, sent.description, sent.done) == ("7", "Fan failed", "It is hot.", False)
    assert (sent.priority, unsent.priority) == ("high", "low")


def test_a_ticket_of_ours_that_cannot_be_read_is_not_gone():
    """It is looked for again; one that can be read is given back as it is."""
    assert certain(TICKET) is TICKET
    with pytest.raises(RetryLater, match="cannot be read"):
        certain(UnreadableTicket(reason="It has no id."))


def test_a_comment_is_told_as_it_is_read_and_ours_is_known():
    """Without what was written around it, with a name in any case."""
    ours = told_comment("7", "Agent", f"Ada in Platform:\n\nIt is hot.\n\nReference: {MARKER}-1", THEN, internal=True)
    theirs = told_comment("8", " ", "Reference: none", THEN, internal=False)

    assert (ours.text, ours.own, ours.internal, ours.author) == ("It is hot.", True, True, "Agent")
    assert (theirs.text, theirs.own, theirs.internal, theirs.author) == ("Reference: none", False, False, SOMEBODY)


def test_a_ticket_is_made_without_looking():
    """A first attempt asks for nothing."""
    receipt = Receipt(ticket=TICKET)
    change = CreateTicket(incident=sample_incident(), marker=MARKER)

    made = create_once(change, make=lambda: receipt, find=lambda: pytest.fail("it was looked for"), settle_s=60)

    assert made is receipt


def test_the_oldest_ticket_with_the_marker_is_taken():
    """With how it was when it was made; another one of a racing attempt is left alone."""
    receipt = look(0, [TICKET, TICKET.model_copy(update={"id": "8"})])

    assert isinstance(receipt, Receipt)
    assert receipt.ticket == TICKET
    assert receipt.as_created is not None
    assert receipt.as_created.title == "As made"


@pytest.mark.parametrize(("age_s", "after_s"), [(0, 15), (50, 10), (59.5, 0.5)])
def test_what_may_still_appear_is_waited_for(age_s: float, after_s: float):
    """Nothing is said to be missing before the search had its time."""
    with pytest.raises(RetryLater) as caught:
        look(age_s, [])

    assert (caught.value.code, caught.value.after_s) == ("looking_for_lost_answer", after_s)


def test_what_is_not_there_afterwards_was_not_made():
    """Then it may be made."""
    assert look(60, []) == NotCreated()


def test_an_unreadable_ticket_is_not_made_again():
    """It is ours and it is there, however long ago."""
    with pytest.raises(RetryLater) as caught:
        look(999, [UnreadableTicket(reason="It has no id.")])

    assert (caught.value.code, caught.value.detail) == ("ticket_unreadable", "It has no id.")


def failing(error: Exception) -> Callable[[], object]:
    """Return a step that fails."""

    def fail() -> object:
        raise error

    return fail


def test_what_is_left_undone_is_told():
    """Each step is tried; a mistake of the plugin goes through."""
    done: list[int] = []
    steps = {
        "No link": failing(RemoteError("Forbidden.")),
        "No note": failing(RetryLater("Not now.")),
        "Nothing": lambda: done.append(1),
    }

    assert left_undone(steps) == ["No link: Forbidden.", "No note: Not now."]
    assert done == [1]
    with pytest.raises(ZeroDivisionError):
        left_undone({"x": failing(ZeroDivisionError())})


def entry(name: str, text: str, at: datetime | None, *, is_public: bool = False) -> Entry:
    """Make an entry of a list of comments; one without a text must not be asked for it."""

    def read() -> str:
        assert text, "a text was asked for in vain"
        return text

    return Entry(name, "Ada", read, at, is_public)


def test_entries_are_told_since_a_time():
    """What is older is not even read, what has no id cannot be named, and a time that is not shown counts as new."""
    since = THEN.replace(microsecond=500_000)
    same_second = THEN.replace(microsecond=0)
    listed = [
        entry("1", "", same_second - timedelta(seconds=1)),
        entry("2", "In that second.", same_second, is_public=True),
        entry("3", f"Ours.\n\nReference: {MARKER}", None),
        entry("", "", since),
    ]

    found = told(listed, since)

    assert [(one.id, one.text, one.internal, one.own) for one in found] == [
        ("2", "In that second.", False, False),
        ("3", "Ours.", True, True),
    ]
    assert [one.created_at for one in found] == [same_second, since]


def test_the_entries_with_a_marker_are_found():
    """Of a time on, if one is given, and with whether customers see them."""
    text = f"Ada in Platform:\n\nIt is hot.\n\nReference: {MARKER}"
    listed = [entry("1", text, THEN, is_public=True), entry("2", f"{MARKER} is theirs", THEN), entry("3", text, None)]

    assert list(marked(listed, MARKER)) == [Shown("1", is_public=True), Shown("3", is_public=False)]
    assert list(marked([entry("1", "", THEN)], MARKER, THEN + timedelta(seconds=2))) == []


def comment(*, public: bool = False) -> WriteComment:
    """Make a comment to be written."""
    said = Comment(id="c-1", author="Ada", text="Hi", created_at=THEN)
    return WriteComment(ticket=TICKET, comment=said, platform="Platform", marker=MARKER, public=public)


def lost(age_s: float) -> FindComment:
    """Make a comment whose answer was lost so long ago."""
    return FindComment(**dict(comment()), attempted_at=THEN, attempt_age_s=age_s)


class Desk:
    """Comments of another system."""

    def __init__(self, *, is_public: bool, keeps: bool = False) -> None:
        self.integration = answered()
        self.is_public, self.keeps = is_public, keeps
        self.written: list[str] = []
        self.removed: list[str] = []

    def write(self, draft: WriteComment | FindComment, found: list[Shown] | None = None) -> WrittenComment | NotCreated:
        """Write a comment by the kit."""
        return write_once(
            draft,
            write=self._write,
            find=lambda _: found or [],
            keep_internal=Internal(self.integration, self._remove, "!"),
        )

    def _write(self, draft: WriteComment) -> Shown:
        self.written.append(draft.marker)
        return Shown("7", self.is_public)

    def _remove(self, number: str) -> None:
        if self.keeps:
            raise RemoteError("Forbidden.")
        self.removed.append(number)


def test_comments_are_written_once():
    """What is written is told; what was written although the answer was lost is found, or waited for."""
    desk = Desk(is_public=False)

    assert desk.write(comment()) == WrittenComment(id="7", note="internal")
    assert desk.write(comment(public=True)) == WrittenComment(id="7")
    assert desk.write(lost(0), [Shown("6", is_public=False)]) == WrittenComment(
        id="6", note="found after a lost answer"
    )
    assert desk.write(lost(30)) == NotCreated()
    with pytest.raises(RetryLater) as caught:
        desk.write(lost(10))
    assert caught.value.after_s == 20
    assert desk.written == [MARKER, MARKER]


@pytest.mark.parametrize(("keeps", "said"), [(False, "No more are written."), (True, "deleted by hand")])
def test_an_internal_comment_that_customers_see_is_removed(keeps: object, said: str):
    """And no more are written by this account, unless they are meant to be public."""
    desk = Desk(is_public=True, keeps=bool(keeps))

    with pytest.raises(ConfigError, match=said) as caught:
        desk.write(comment())
    assert (caught.value.code, caught.value.fix) == ("comment_not_internal", "!")
    with pytest.raises(ConfigError, match="No more"):
        desk.write(comment())
    assert desk.write(comment(public=True)) == WrittenComment(id="7")
    assert len(desk.written) == 2
    assert desk.removed == ([] if keeps else ["7"])


def test_a_public_comment_that_is_found_is_removed_too():
    """Also after a lost answer."""
    desk = Desk(is_public=True)

    with pytest.raises(ConfigError):
        desk.write(lost(0), [Shown("6", is_public=True)])
    assert desk.removed == ["6"]


class Form:
    """A ticket of another system, with what it refuses and what it does not keep."""

    def __init__(self, *, refuses: str = "", drops: int = 0, done: bool = False) -> None:
        self.ticket = TICKET.model_copy(update={"done": done})
        self.refuses, self.drops = refuses, drops
        self.calls: list[set[FieldName]] = []

    def edit(self, values: Mapping[FieldName, object | Refused]) -> Receipt:
        """Write values by the kit."""
        change = WriteFields(
            incident=sample_incident().model_copy(update={"title": "New", "description": "New words"}),
            marker=MARKER,
            ticket=TICKET,
            fields=frozenset(values),
        )
        return write_fields(
            change, read=lambda: self.ticket, write=self._write, values=values, refused_in=lambda exc: {D: exc.message}
        )

    def _write(self, values: Mapping[FieldName, object]) -> TicketSnapshot:
        self.calls.append(set(values))
        if self.refuses and D in values:
            raise RemoteError(self.refuses)
        if self.drops:
            self.drops -= 1
        else:
            self.ticket = self.ticket.model_copy(update={name.value: value for name, value in values.items()})
        return self.ticket


def test_fields_are_written_in_one_call():
    """What is known to be refused is not sent."""
    form = Form()
    receipt = form.edit({T: "New", D: "New words", P: Refused("There is no such priority.")})

    assert (receipt.ticket.title, receipt.ticket.description) == ("New", "New words")
    assert (receipt.refused, receipt.unkept) == ({P: "There is no such priority."}, {})
    assert form.calls == [{T, D}]


def test_fields_refused_by_our_names_are_left_out():
    """Where an error calls them as we do nobody has to say which they are; any other error is about none."""
    calls: list[set[FieldName]] = []

    def write(values: Mapping[FieldName, object]) -> TicketSnapshot:
        calls.append(set(values))
        if T in values:
            raise FieldsRefused("No.", {"title": "It is too long.", "u_room": "It is empty."})
        return TICKET.model_copy(update={"description": "New words"})

    incident = sample_incident().model_copy(update={"title": "New", "description": "New words"})
    change = WriteFields(incident=incident, marker=MARKER, ticket=TICKET, fields=frozenset({T, D}))
    receipt = write_fields(change, read=lambda: TICKET, write=write, values={T: "New", D: "New words"})

    assert (receipt.refused, calls) == ({T: "It is too long."}, [{T, D}, {D}])
    assert refused_by_name(RemoteError("No.")) == {}


def test_what_is_refused_is_left_out():
    """The rest is written all the same; an error that is about none of them goes through."""
    form = Form(refuses="Not on the screen.")
    receipt = form.edit({T: "New", D: "New words"})

    assert form.calls == [{T, D}, {T}]
    assert (receipt.refused, receipt.ticket.title) == ({D: "Not on the screen."}, "New")
    assert Form(refuses="No.").edit({D: "New words"}).refused == {D: "No."}


def test_an_error_that_is_about_no_field_goes_through():
    """Nothing is said to be refused then."""
    change = WriteFields(incident=sample_incident(), marker=MARKER, ticket=TICKET, fields=frozenset({T}))
    for error in (RemoteError("No."), TicketGone("Gone.")):
        with pytest.raises(RemoteError) as caught:
            write_fields(change, read=lambda: TICKET, write=lambda _, e=error: failing(e)(), values={T: "x"})  # type: ignore[misc]
        assert caught.value is error


@pytest.mark.parametrize(("drops", "unkept"), [(1, {}), (2, {T: 'It was written twice; the ticket shows "Old".'})])
def test_what_is_not_kept_is_written_once_more(drops: int, unkept: dict[FieldName, str]):
    """And then it is told."""
    form = Form(drops=drops)

    assert form.edit({T: "New"}).unkept == unkept
    assert form.calls == [{T}, {T}]


def test_a_person_who_was_faster_is_not_written_over():
    """What a person changed and nobody has seen is told as it is; what is there already may be written once more."""
    form = Form()
    form.ticket = TICKET.model_copy(update={"title": "A person's"})

    with pytest.raises(TicketChanged) as caught:
        form.edit({T: "New"})
    assert caught.value.ticket.title == "A person's"
    assert form.calls == []

    form.ticket = TICKET.model_copy(update={"title": "New"})
    form.edit({T: "New"})
    assert form.calls == [{T}]


def test_a_read_that_lags_is_no_change_of_a_person():
    """A delivery told of a later one: what the read shows is known, and was changed since."""
    form = Form()
    form.ticket = TICKET.model_copy(update={"title": "Before the known one", "updated": THEN - timedelta(hours=1)})
    change = WriteFields(
        incident=sample_incident().model_copy(update={"title": "New"}),
        marker=MARKER,
        ticket=TICKET.model_copy(update={"updated": THEN}),
        fields=frozenset({T}),
    )

    assert not was_faster(form.ticket, change)
    assert was_faster(form.ticket.model_copy(update={"updated": THEN + timedelta(seconds=1)}), change)


def test_a_done_ticket_is_left_alone():
    """What somebody finished stays as it is; where nothing can be written nothing is read."""
    form = Form(done=True)

    assert form.edit({T: "New"}) == Receipt(ticket=form.ticket, untouched=True)
    assert form.edit({T: Refused("No.")}) == Receipt(ticket=TICKET, refused={T: "No."})
    assert form.calls == []


@pytest.mark.parametrize(
    ("name", "words"), [(D, "the former text"), (P, '"none"'), (T, '"Old"')], ids=["description", "priority", "title"]
)
def test_what_the_ticket_shows_instead_is_told(name: FieldName, words: str):
    """A long text is not repeated."""
    assert Form(drops=2).edit({name: "New"}).unkept == {name: f"It was written twice; the ticket shows {words}."}


def amid(*written: Written | TicketSnapshot) -> tuple[Receipt, int]:
    """Write a title whose writes end so, one after the other; return what is said, and how often it was written."""
    ends = list(written)
    change = WriteFields(
        incident=sample_incident().model_copy(update={"title": "New"}),
        marker=MARKER,
        ticket=TICKET,
        fields=frozenset({T}),
    )
    receipt = write_fields(change, read=lambda: TICKET, write=lambda _: ends.pop(0), values={T: "New"})
    return receipt, len(written) - len(ends)


def shown(title: str) -> TicketSnapshot:
    """Show the ticket with a title, as it was changed a second later."""
    return TICKET.model_copy(update={"title": title, "updated": LATER})


@pytest.mark.parametrize("unkept", [None, {T: "It shows another title."}])
@pytest.mark.parametrize("theirs", ["A person's", "Old"])
def test_a_person_right_behind_a_write_is_handed_on(theirs: str, unkept: dict[FieldName, str] | None):
    """Another value or the former one: agreed is what was written, theirs is a change, and nothing is written over."""
    receipt, writes = amid(Written(shown(theirs), behind=frozenset({T, D}), unkept=unkept), shown("never"))

    assert (receipt.ticket, receipt.since, receipt.unkept) == (shown("New"), shown(theirs), {})
    assert writes == 1


def test_a_person_between_look_and_write_is_told():
    """Where the vendor takes no condition their value is gone from the ticket, and named."""
    receipt, _ = amid(Written(shown("New"), replaced={T: "A person's", D: "of no concern to our write"}))

    assert receipt.note == 'Someone set the title to "A person\'s" at the same moment; our update replaced that.'
    assert receipt.since is None


@pytest.mark.parametrize(
    ("written", "writes"),
    [
        (shown("Old"), 1),
        (Written(shown("Old")), 1),
        (Written(shown("Old"), is_alone=True), 2),
        (TICKET, 2),
        (TICKET.model_copy(update={"updated": None}), 1),
    ],
    ids=["a plain ticket that moved", "nobody knows", "nobody else", "nothing moved", "no time is told"],
)
def test_what_may_be_a_persons_doing_is_not_written_again(written: Written | TicketSnapshot, writes: int):
    """It shows the former value: dropped, or set back. Only where nobody else was there it is written once more."""
    receipt, made = amid(written, written)

    assert made == writes
    assert receipt.unkept[T] == f'It was written{" twice" if writes > 1 else ""}; the ticket shows "Old".'


@pytest.mark.parametrize(("unkept", "as_written"), [({}, {T}), ({T: "It is locked."}, set())])
def test_a_plugin_that_sees_what_was_kept_is_believed(unkept: dict[FieldName, str], as_written: set[FieldName]):
    """By what it sent it knows better than two snapshots: what shows the former words may be ours in their form."""
    receipt, _ = amid(Written(shown("Old"), unkept=unkept))

    assert (dict(receipt.unkept), set(receipt.as_written)) == (unkept, as_written)


def test_a_history_tells_our_write_from_those_of_others():
    """Ours is the last change to what was sent; blanks apart, and of other fields nothing is said."""
    ours = Change("title", "Old", "New ")
    before, sent = {"title": "Old"}, {"title": "New", "room": "4"}

    alone = sort_out([Change("status", "1", "2"), ours], sent, before)
    assert (alone.behind, alone.replaced, alone.is_alone) == (frozenset(), {}, True)
    back = sort_out([ours, Change("title", "New", "Old")], sent, before)
    assert (back.behind, back.is_alone) == (frozenset({"title"}), False)
    faster = sort_out([Change("title", "Old", "X"), Change("title", "X", "New", "Ex")], sent, before)
    assert (faster.behind, faster.replaced, faster.is_alone) == (frozenset(), {"title": "Ex"}, False)
    assert sort_out([Change("title", "Old", "X")], sent, before).behind == frozenset()
