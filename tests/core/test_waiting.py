"""Which connection gives way: found at once, and always the one that a look at all of them would find."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from connector_core.web.waiting import Waiting
from tests.support.examples import up_to

SENDERS = "abc"
STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "add", "answered", "discard", "back", "go"]), st.integers(0, 11)), max_size=40
)


class Plain:
    """The same in as few words as possible: a list, looked through each time."""

    def __init__(self):
        self.rows = []

    def step(self, what, one, sender):
        """Do one thing."""
        mine = [row for row in self.rows if row[0] == one]
        if what in {"add", "answered"} and not mine:
            self.rows.append((one, sender, what == "answered"))
        elif what == "back" and mine and mine[0][2]:
            self.rows.remove(mine[0])
            self.rows.append(mine[0])
        elif what == "discard":
            self.rows = [row for row in self.rows if row[0] != one]

    def may_go(self):
        """Return which may give way: of each sender with the most, the first that had no answer, or the first."""
        numbers = {sender: sum(row[1] == sender for row in self.rows) for sender in SENDERS}
        most = [sender for sender in SENDERS if numbers[sender] == max(numbers.values())]
        lines = [[row for row in self.rows if row[1] == sender] for sender in most]
        return {next((row for row in line if not row[2]), line[0])[0] for line in lines if line}


@settings(max_examples=up_to(30), deadline=None)
@given(STEPS)
def test_who_gives_way_is_of_the_crowd_without_an_answer_and_there_longest(steps):
    """Whatever came, was answered, asked again and went: a stranger's connection is not closed for a crowd's."""
    waiting, plain = Waiting(), Plain()
    for what, one in steps:
        sender, gone = SENDERS[one % 3], waiting.next_to_go()
        if what in {"add", "answered"}:
            waiting.add(one, sender, was_answered=what == "answered")
        elif what == "back":
            waiting.move_back(one)
        elif what == "discard":
            waiting.discard(one)
        elif gone is not None:
            waiting.discard(gone)
            plain.step("discard", gone, sender)
        plain.step(what, one, sender)

        found = waiting.next_to_go()
        assert found in plain.may_go() if plain.rows else found is None
        assert len(waiting) == len(plain.rows)
        assert all((number in waiting) == any(row[0] == number for row in plain.rows) for number in range(12))


def test_one_that_waits_already_is_counted_once():
    """Whoever is noted twice does not lose its connection as if it had two."""
    waiting = Waiting()
    waiting.add("one", "a", was_answered=False)
    waiting.add("one", "a", was_answered=True)
    for one in ("two", "three"):
        waiting.add(one, "b", was_answered=True)

    assert waiting.next_to_go() == "two"
    waiting.discard("one")
    assert len(waiting) == 2


def test_nobody_gives_way_where_nobody_waits():
    """A server whose connections are all being answered refuses the next one instead of failing."""
    waiting = Waiting()
    assert waiting.next_to_go() is None
    waiting.add("one", "a", was_answered=False)
    waiting.discard("one")

    assert waiting.next_to_go() is None


def test_senders_that_went_are_forgotten():
    """Memory does not grow with every address that ever connected."""
    waiting = Waiting()
    for number in range(100):
        waiting.add(number, f"192.0.2.{number}", was_answered=number % 2 == 0)
        waiting.discard(number)

    assert not waiting._lines
    assert not waiting._senders
