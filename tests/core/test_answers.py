"""What answers weigh, and who may hold how much of them."""

from __future__ import annotations

import json
import threading
import tracemalloc

import pytest
import requests
import requests_mock as mocking
from hypothesis import given
from hypothesis import strategies as st

from connector_core import RetryLater
from connector_core.http.answers import MIB, MOST, UNCOUNTED, AnswerBudget, Holding, weight
from connector_core.http.session import HTTPSession

HERE = "https://desk.example.test/rest"
COUNT = 20_000
UNITS = [
    *("{}", "[]", "1.5", "12345678901", '"ab"', "null", '{"a":{}}', '{"a":1}', '[{"b":[]}]'),
    *('{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6}', '"\\u00e9\\u0100x"', '"\\ud83d\\ude00 and some more"'),
    *('"é and some more"', '"😀 and some more"', '"€ and some more"'),
]


def taken(body):
    """Return how much is taken by reading a body as requests does."""
    response = requests.Response()
    tracemalloc.start()
    try:
        response._content = bytes(bytearray(body))
        kept = response.json()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept
    return peak


@pytest.mark.cases_in_test(5)
@pytest.mark.parametrize("unit", UNITS)
def test_an_answer_weighs_at_least_what_it_takes(unit):
    """Of whatever it is made, as many as there may be."""
    body = ("[" + ",".join([unit] * COUNT) + "]").encode()

    assert taken(body) <= weight(body) + 2 * 8 * COUNT  # while a list grows it is there twice


def test_an_object_of_many_keys_weighs_at_least_what_it_takes():
    """Each key is a text of its own, and is remembered while the answer is read."""
    body = json.dumps({f"{number:x}": 1 for number in range(COUNT)}, separators=(",", ":")).encode()

    assert taken(body) <= weight(body) + 2 * 8 * COUNT


@pytest.mark.parametrize("tail", ["x", "é", "€", "😀", "\\u0100", "\\ud83d\\ude00"])
def test_a_long_text_weighs_at_least_what_it_takes(tail):
    """One wide character makes all of them wide."""
    body = ('["' + "x" * 300_000 + tail + '"]').encode()

    assert taken(body) <= weight(body) + 10_000


@given(st.lists(st.integers(0, 40), max_size=30), st.integers(1, 12))
def test_nobody_holds_more_than_the_square_of_what_is_free(wanted, sessions):
    """But for the one that holds for longest, so that all together are bounded; and all of it comes back."""
    budget = AnswerBudget(total=100 * MIB, patience_s=0)
    held = []
    for number, want in enumerate(wanted):
        holding = Holding(budget, number % sessions)
        others = sum(size for one, size in held[1:] if one.whose != holding.whose)
        own = sum(size for one, size in held if one.whose == holding.whose)
        fits = own + want * MIB <= (100 * MIB - others) ** 2 // (100 * MIB)

        assert holding.grow(want * MIB) == (not held or fits or not want)
        if want and (not held or fits):
            held.append((holding, want * MIB))
    assert budget.held <= 140 * MIB
    for holding, _ in held:
        holding.let_go()
    assert budget.held == 0


def test_those_that_grow_together_do_not_wait_for_each_other():
    """Whoever began first comes to its end, whatever the others hold."""
    budget = AnswerBudget(total=8 * MIB, patience_s=0)
    holdings = [Holding(budget, number) for number in range(8)]
    begun = [holding.grow(MIB) for holding in holdings]

    assert holdings[0].grow(MOST)
    assert begun[0]
    holdings[0].let_go()
    assert holdings[begun.index(True, 1)].grow(MOST)


def test_one_that_waits_gets_its_room():
    """As soon as another lets go."""
    budget = AnswerBudget(total=8 * MIB, patience_s=60)
    first, second, third = (Holding(budget, number) for number in range(3))
    assert first.grow(7 * MIB)
    assert second.grow(7 * MIB)
    got = []
    waiting = threading.Thread(target=lambda: got.append(third.grow(7 * MIB)))
    waiting.start()
    second.let_go()
    waiting.join(60)

    assert got == [True]


@pytest.mark.parametrize(
    ("body", "weighs"),
    [
        (b"", 0),
        (b"abcd", 12),
        ("é".encode(), 2 * 5),
        ("\u20ac".encode(), 3 * 5),
        ("\U0001f600".encode(), 4 * 9),
        (b"\\u00e9", 6 * 9),
        (b"[]", 64 + 6),
        (b"{}", 100 + 6),
        (b":", 120 + 3),
        (b",", 60 + 3),
    ],
)
def test_what_a_body_weighs(body, weighs):
    """As bytes, as a text whose widest letter makes all of them wide, and its values."""
    assert weight(body) == weighs


def test_who_comes_too_late_does_not_wait():
    """Where there is no room and no patience; what is not counted waits for nobody."""
    budget = AnswerBudget(total=8 * MIB, patience_s=0)
    first, second = Holding(budget, 1), Holding(budget, 2)
    assert first.grow(7 * MIB)
    assert second.grow(8 * MIB)

    third = Holding(budget, 3)
    assert third.grow(UNCOUNTED)
    assert not third.grow(UNCOUNTED + 1)
    assert budget.held == 15 * MIB


def test_what_was_let_go_counts_anew():
    """From the first byte that is worth counting, also of one that held more before."""
    budget = AnswerBudget(total=8 * MIB, patience_s=0)
    holding = Holding(budget, 1)
    assert holding.grow(4 * MIB)
    holding.let_go()
    holding.let_go()
    assert budget.held == 0

    assert holding.grow(MIB)

    assert budget.held == MIB


@pytest.fixture
def full():
    """Make a budget that another session has used up."""
    budget = AnswerBudget(patience_s=0)
    assert Holding(budget, "first").grow(MIB)
    assert Holding(budget, "another").grow(budget.total)
    return budget


@pytest.mark.parametrize(("method", "unknown"), [("GET", False), ("POST", True)])
def test_where_there_is_no_room_a_large_answer_is_to_come_again(full, method, unknown):
    """The site is not to blame, and what may have been done is said; a small answer is read all the same."""
    session = HTTPSession("test", answers=full)
    with mocking.Mocker() as site:
        site.register_uri(method, HERE, content=b'["' + b"x" * UNCOUNTED + b'"]')
        with pytest.raises(RetryLater) as caught:
            session.request(method, HERE)
        site.register_uri(method, HERE, json={"id": "1"})

        assert session.request(method, HERE).json() == {"id": "1"}
    assert (caught.value.code, caught.value.outcome_unknown, caught.value.after_s) == ("answers_too_many", unknown, 5)
    assert caught.value.scope.name == "LINK"


def test_an_answer_too_heavy_for_its_size_is_refused(requests_mock):
    """A few MiB of empty objects would take twenty times as much."""
    requests_mock.get(HERE, content=json.dumps([{}] * 1_000_000).encode())

    with pytest.raises(RetryLater) as caught:
        HTTPSession("test").get(HERE)

    assert caught.value.code == "answer_too_large"


def test_pages_one_after_the_other_count_as_their_heaviest(requests_mock):
    """A hook that reads a thousand pages holds one at a time; closing lets go of it."""
    budget = AnswerBudget(patience_s=0)
    session = HTTPSession("test", answers=budget)
    held = []
    for size in (1, 5, 2):
        requests_mock.get(HERE, content=b'["' + b"x" * size * MIB + b'"]')
        session.get(HERE)
        held.append(budget.held // MIB)
    session.close()

    assert held == [3, 15, 15]
    assert budget.held == 0
