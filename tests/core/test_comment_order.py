"""Comments that wait together go in the order in which they were written, both ways, whatever fails meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from connector_core import AddComment, Comment, CommentOutcome, Delivery, EventType, RetryLater
from connector_core.contract.comment_rules import ToIncident, ToTicket
from connector_core.contract.merge import Side
from connector_core.store import LinkState
from tests.support.sync_lab import happen, make_lab, run, tell

ROUNDS = 8


class Talk:
    """People who comment on one side, and how that comes to be known: late, in any order, several at once."""

    def __init__(self, lab, side):
        self.lab = lab
        self.side = side
        self.far = lab.desk if side is Side.INCIDENT else lab.platform
        self.waiting = []  # by when it was written, then by when it became known
        self.known = 0
        rules = lab.entry.record.comments.changed(ToTicket.INTERNAL, ToIncident.ALL, lab.clock.now())
        lab.change_record(comments=rules)
        happen(lab)
        lab.clock.forward(3600)

    def comes(self, name, late_s):
        """Let a comment become known that was written some seconds ago."""
        at = self.lab.clock.now() - timedelta(seconds=late_s)
        if self.side is Side.INCIDENT:
            comment = Comment(id=f"com-{name}", author="Ada", text=f"word {name}.", created_at=at)
            tell(self.lab, EventType.COMMENTED, comment=comment)
        else:
            self.lab.desk.comment("1", f"word {name}.", name=f"com-{name}")
            comments = self.lab.desk.tickets["1"].comments
            comments[-1] = replace(comments[-1], shown=comments[-1].shown.model_copy(update={"created_at": at}))
            told = Delivery(id=f"d-{name}", event="e", commented={"1": frozenset({f"com-{name}"})})
            self.lab.store.inbox.accept_delivery("desk", told, self.lab.clock.now()).result()
        self.waiting.append((at, self.known, f"word {name}."))
        self.known += 1

    def asked(self):
        """Return which comments the other side was asked about so far, written or looked for."""
        if self.side is Side.INCIDENT:
            return [call.about.comment.text for call in self.lab.desk.called("write_comment")]
        told = [call.about for call in self.lab.platform.called("apply_change")]
        return [update.comment.text for update in told if isinstance(update, AddComment)]

    def arrived(self):
        """Return what the other side has, in order, each once."""
        if self.side is Side.INCIDENT:
            return [draft.comment.text for draft in self.lab.desk.written]
        return [comment.text for comment in self.lab.platform.comments.get("inc-1", ())]

    def round(self, luck):
        """Run the lane once, with this luck; what it asks about is the first of those that wait, in order."""
        if luck == "lost answer":
            self.far.lose_answer = True
        elif luck != "good" and self.side is Side.INCIDENT:  # on the way to the incident the ticket is asked first
            self.far.refuse_with(RetryLater("No.", outcome_unknown=luck == "lost request"))
        before = len(self.asked())
        run(self.lab)
        self.far.lose_answer = False
        self.far.refuse_with()
        order = [text for _, _, text in sorted(self.waiting)]
        asked = list(dict.fromkeys(self.asked()[before:]))
        assert asked == order[: len(asked)]
        still = {one.text for one in self.lab.store.comments.waiting(1, self.side, 100)}
        self.waiting = [one for one in self.waiting if one[2] in still]


@pytest.mark.cases_in_test(3)
@pytest.mark.lengthy_on_postgresql
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("seed", range(6))
def test_those_that_wait_go_by_their_own_time(store, clock, side, seed):
    """Then by when they became known; a try that failed, or whose answer was lost, puts none before an earlier one."""
    random = Random(seed)
    talk = Talk(make_lab(store, clock), side)
    for number in range(ROUNDS):
        for place in range(random.randint(0, 3)):
            talk.comes(f"{number}-{place}", random.choice([0, 0, 5, 10, 20]))
        talk.round(random.choice(["good", "refused", "lost request", "lost answer"]))
        clock.forward(3600)
    talk.round("good")

    assert len(talk.arrived()) == len(set(talk.arrived())) == talk.known
    assert store.links.get(1).status.state is LinkState.IN_SYNC


def test_an_answer_that_is_lost_is_awaited_behind_an_earlier_comment_too(store, clock):
    """What the platform tells of it under another name is our own, and never written on the ticket."""
    lab = make_lab(store, clock)
    talk = Talk(lab, Side.TICKET)
    lab.platform.refuse_with(RetryLater("lost", outcome_unknown=True))
    talk.comes("later", 0)
    run(lab)
    talk.comes("earlier", 30)
    clock.forward(3600)
    lab.platform.down = RetryLater("It is down.")
    run(lab)
    assert [one.text for one in store.comments.waiting(1, Side.TICKET, 9)] == ["word earlier.", "word later."]

    echo = Comment(id="com-of-theirs", author="Ben", text="word later.", created_at=clock.now())
    tell(lab, EventType.COMMENTED, comment=echo)
    clock.forward(3600)
    run(lab)
    lab.platform.down = None
    lab.platform.comment_outcome = CommentOutcome(id="com-of-theirs")
    clock.forward(3600)
    run(lab)

    assert talk.arrived() == ["word earlier.", "word later."]
    assert lab.desk.written == []
