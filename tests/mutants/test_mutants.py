"""The mutants: which mistakes are made, that they are really made, and what a run is green for."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tools.mutants import __main__ as command
from tools.mutants.judging import Verdict, functions_of, put_in
from tools.mutants.making import mutants

SOURCE = '''
"""A module that is judged."""

LIMITS = {"a": True}
PAUSE_S = 5.0
QUERY = "SELECT id FROM lane WHERE due <= ? AND boot IS NULL"


class Box:
    """A box."""

    def put(self, log, item):
        """Put 1 item."""
        log.info("put", number=1)
        self.item = item
        if item > 3:
            log.info("large")

    @property
    def is_full(self):
        """Tell."""
        return self.item > 0 and not self.item == 9


def first(numbers, *, limits=LIMITS):
    """Return the first number that may be."""
    try:
        return min(one + 1 for one in numbers if one)
    except ValueError:
        return -1 if limits["a"] else 0
'''


@pytest.fixture
def path(tmp_path):
    """Write a module."""
    found = tmp_path / "judged.py"
    found.write_text(SOURCE)
    return found


def load(path):
    """Import the module anew."""
    spec = importlib.util.spec_from_file_location("judged", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_mistakes_are_made_where_something_is_decided_stored_or_called(path):
    """Conditions, comparisons, results, effects, flags, numbers and SQL; texts, log lines and waits are left alone."""
    assert [mutant.name for mutant in mutants(path)] == [
        "LIMITS: True -> False",
        "QUERY: SQL ... id FROM lane WHERE due <= ? AND boot IS NULL... -> <",
        "QUERY: SQL ...ROM lane WHERE due <= ? AND boot IS NULL... -> OR",
        "QUERY: SQL ...WHERE due <= ? AND boot IS NULL... -> IS NOT NULL",
        "Box.put: self.item = item -> (nothing)",
        "Box.is_full: return self.item > 0 and (not self.item == 9) -> return None",
        "Box.is_full: self.item > 0 and (not self.item == 9) -> self.item > 0 or not self.item == 9",
        "Box.is_full: self.item > 0 -> self.item <= 0",
        "Box.is_full: self.item > 0 -> self.item >= 0",
        "Box.is_full: 0 -> 1",
        "Box.is_full: not self.item == 9 -> self.item == 9",
        "Box.is_full: self.item == 9 -> self.item != 9",
        "Box.is_full: 9 -> 10",
        "first: return min((one + 1 for one in numbers if one)) -> return None",
        "first: min((one + 1 for one in numbers if one)) -> max((one + 1 for one in numbers if one))",
        "first: one + 1 -> one - 1",
        "first: 1 -> 2",
        "first: if one -> False",
        "first: if one -> True",
        "first: except ValueError -> raise",
        "first: return -1 if limits['a'] else 0 -> return None",
        "first: if limits['a'] -> False",
        "first: if limits['a'] -> True",
        "first: 1 -> 2 #2",
        "first: 0 -> 1",
    ]


def test_names_outlive_lines_that_move(path):
    """An explanation stays good while other parts of the file change."""
    before = [mutant.name for mutant in mutants(path)]
    path.write_text(f"# moved\n\n{SOURCE}")

    assert [mutant.name for mutant in mutants(path)] == before


WRONG = [
    # the mistake; what the module then says of a box that holds 0, of the numbers 5, and of none
    (None, (False, 6, -1)),
    ("Box.put: self.item = item -> (nothing)", (None, 6, -1)),
    ("Box.is_full: self.item > 0 -> self.item >= 0", (True, 6, -1)),
    ("first: one + 1 -> one - 1", (False, 4, -1)),
    ("first: if one -> False", (False, -1, -1)),
    ("LIMITS: True -> False", (False, 6, 0)),
]


@pytest.mark.parametrize(("name", "says"), WRONG)
def test_a_mistake_is_made_where_the_function_stands(path, monkeypatch, name, says):
    """Whoever imported the function before has the wrong one; without the mistake nothing is wrong."""
    module = load(path)
    monkeypatch.setitem(sys.modules, "judged", module)
    first, box = module.first, module.Box()

    for mutant in mutants(path):
        if mutant.name == name:
            put_in(mutant, functions_of({str(path)}))
    box.put(SimpleNamespace(info=lambda *_, **__: None), 0)

    assert (box.is_full if hasattr(box, "item") else None, first([5]), first([])) == says


def test_a_mistake_may_leave_out_the_only_super(path, monkeypatch):
    """The function has a cell for it all the same."""
    path.write_text(f"""{SOURCE}

class Crate(Box):
    def put(self, log, item):
        if super().put(log, item):
            self.is_put = True
""")
    module = load(path)
    monkeypatch.setitem(sys.modules, "judged", module)
    crate = module.Crate()
    (mistake,) = (one for one in mutants(path) if one.name == "Crate.put: if super().put(log, item) -> True")

    put_in(mistake, functions_of({str(path)}))
    crate.put(SimpleNamespace(info=print), 1)

    assert crate.is_put
    assert not hasattr(crate, "item")


CAUGHT, LIVES = Verdict(caught=True, by="a test"), Verdict(caught=False)


@pytest.fixture
def judged(path, monkeypatch):
    """Return a function that reports on a run in which some mutants lived; it gives back the exit code."""
    monkeypatch.setattr(command, "ROOT", Path(path.parent))
    made = mutants(path)

    def report(*lived, explained=(), stale=(), is_sample=False):
        verdicts = [(one, LIVES if number in lived else CAUGHT) for number, one in enumerate(made)]
        reasons = {"judged.py": {made[number].name: "It is the same." for number in explained}}
        return command.report(verdicts, reasons, stale, floor=90, is_sample=is_sample)

    return report


def test_a_run_is_green_when_every_survivor_is_explained(judged, capsys):
    """One that is not is named with its line, one that is counts as known."""
    assert judged() == 0
    assert judged(3, explained=[3]) == 0
    assert "1 explained" in capsys.readouterr().out
    assert judged(3, 4, explained=[3]) == 1
    assert "judged.py:12 lives: Box.put: self.item = item -> (nothing)" in capsys.readouterr().out


def test_a_file_below_the_floor_is_red_however_much_is_explained(judged, capsys):
    """Tests that see too little are no good with reasons either; a sample is too small to tell."""
    lived = range(4)

    assert judged(*lived, explained=lived) == 1
    assert "below the floor" in capsys.readouterr().out
    assert judged(*lived, explained=lived, is_sample=True) == 0


@pytest.mark.parametrize(("drawn", "share", "most"), [(30, 0.1, 7), (200, 0.1, 30), (3, 0.0, 0), (1, 1.0, 1)])
def test_a_sample_is_red_when_chance_does_not_explain_it(drawn, share, most):
    """Of 30 drawn where a tenth lives, 4 are no news: every third sample has as many."""
    assert command.most_by_chance(drawn, share) == most


def test_a_sample_with_too_many_survivors_is_red(judged):
    """Seven of 25 may be chance; most of them are not."""
    assert judged(*range(6), is_sample=True) == 0
    assert judged(*range(15), is_sample=True) == 1


def test_an_explanation_of_what_is_no_mutant_any_more_is_red(judged, path):
    """What was explained has changed: the reason has to be given anew, or taken away."""
    made = mutants(path)
    stale = command.stale({"judged.py": {"first: gone -> gone": "?", made[0].name: "!"}}, [("judged.py", made)])

    assert len(stale) == 1
    assert "first: gone -> gone" in stale[0]
    assert judged(stale=stale) == 1
