"""Tries the checks on mutants of a plugin: each has to be noticed by one of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from connector_core.testing.conformance.checks import Checks
from connector_core.testing.conformance.ground import make_ground
from connector_core.testing.conformance.liar import Liar, Mutant
from connector_core.testing.conformance.mutants import MUTANTS
from connector_core.testing.conformance.source_mutants import SOURCE_MUTANTS
from connector_core.testing.source import SourceLife

# How long a mutant may keep a check waiting for a delivery that it keeps to itself.
PATIENCE_S = 2.0
LONGER_PATIENCE_S = 15.0


@dataclass(frozen=True)
class Trial:
    """One mutant, and the check that noticed it, none where it survived."""

    mutant: str
    noticed_by: str = ""
    why: str = ""


# Puts a class of checks up with a mutant and calls one of them on it.
Call = Callable[[Mutant, Callable[..., Any], dict[str, Any]], None]
HONEST = Mutant("nothing is broken")


def try_mutants(life: type[Checks], mutants: Sequence[Mutant] = MUTANTS) -> list[Trial]:
    """Try all mutants that can be made of the plugin of some checks.

    Raises:
        AssertionError: a check that noticed a mutant fails without one too.
    """
    plugin = life.installed()
    system = life.start(life.make_caller())

    def call(mutant: Mutant, check: Callable[..., Any], arguments: dict[str, Any]) -> None:
        caller = Liar(plugin, mutant)
        if why := life.missing_for(check, plugin, system.desk):
            pytest.skip(why)
        made = life()
        made.ground = make_ground(system, caller, settings=life.settings, reads=life.reads)
        if system.has_catcher:
            system.catcher.patience_s = PATIENCE_S if mutant.is_broken else LONGER_PATIENCE_S
        if mutant.does is not None:
            mutant.does(made.ground.session)
        check(made, **arguments)

    try:
        possible = [mutant for mutant in mutants if mutant.is_of(plugin, life.cannot)]
        return [_try(list(_checks(life)), mutant, call) for mutant in possible]
    finally:
        system.stop()


def try_source_mutants(life: type[SourceLife], mutants: Sequence[Mutant] = SOURCE_MUTANTS) -> list[Trial]:
    """Try all mutants that can be made of a source plugin; as `try_mutants` does."""
    plugin = life.installed()

    def call(mutant: Mutant, check: Callable[..., Any], arguments: dict[str, Any]) -> None:
        if why := life.missing_for(check):
            pytest.skip(why)
        made = life()
        made.ground = life.begin(Liar(plugin, mutant))
        try:
            if mutant.does is not None:
                mutant.does(made.ground.session)
            check(made, **arguments)
        finally:
            made.ground.platform.stop()

    possible = [mutant for mutant in mutants if mutant.is_of(plugin, life.cannot)]
    return [_try(list(_checks(life)), mutant, call) for mutant in possible]


def _try(checks: list[_Check], mutant: Mutant, call: Call) -> Trial:
    for name, check, arguments in sorted(checks, key=lambda named: mutant.seen_by not in named[0]):
        why = _failure(call, mutant, check, arguments)
        if why is not None:
            broken = _failure(call, HONEST, check, arguments)
            assert broken is None, f"{name} fails without a mutant too: {broken}"
            return Trial(mutant.name, name, why)
    return Trial(mutant.name)


def _failure(call: Call, mutant: Mutant, check: Callable[..., Any], arguments: dict[str, Any]) -> str | None:
    """Return how a check fails on a mutant, None where it passes or cannot be made."""
    try:
        call(mutant, check, arguments)
    except pytest.skip.Exception:
        return None
    except (Exception, pytest.fail.Exception) as exc:  # noqa: BLE001 - however it fails, the mutant was noticed
        return f"{type(exc).__name__}: {exc}".splitlines()[0][:200]
    return None


_Check = tuple[str, Callable[..., Any], dict[str, Any]]


def _checks(life: type[object]) -> Iterator[_Check]:
    """Return each check with its name and the arguments that it is tried with."""
    for name, check in inspect.getmembers(life, inspect.isfunction):
        if not name.startswith("test_"):
            continue
        marks = [mark for mark in getattr(check, "pytestmark", []) if mark.name == "parametrize"]
        for values in product(*(mark.args[1] for mark in marks)):
            told = ", ".join(str(getattr(value, "name", value))[:40] for value in values)
            yield f"{name}[{told}]", check, {mark.args[0]: value for mark, value in zip(marks, values, strict=True)}
