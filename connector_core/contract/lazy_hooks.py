"""Hooks that are named by where they are, and imported when they are called first.

Every command of the connector imports every plugin, and few call one. So the module of the entry point names its hooks,
and `implements` has a type checker hold each function against the specification, where it is written.

    # connector_my_desk/__init__.py
    hook = LazyHooks(__name__)
    describe_plugin = hook(hookspecs.describe_plugin, "settings:describe")
    fetch_tickets = hook(hookspecs.fetch_tickets, "reading:fetch")

    # connector_my_desk/reading.py
    @implements(hookspecs.fetch_tickets)
    def fetch(integration: MyDesk, query: TicketQuery) -> Sequence[TicketSnapshot]: ...
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache, update_wrapper
from operator import attrgetter
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from connector_core.contract.handles import AnyIntegration, AnySource, Integration, Source
from connector_core.contract.hookspecs import hookimpl
from connector_core.contract.plugin_info import Settings

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=Settings)
N = TypeVar("N", bound=Settings | None)

IMPLEMENTATION = "connector_implementation"


@overload
def implements(  # type: ignore[overload-overlap]  # the first that fits is meant
    specification: Callable[Concatenate[AnyIntegration, P], R],
) -> Callable[
    [Callable[Concatenate[Integration[N | None], P], R]], Callable[Concatenate[Integration[N | None], P], R]
]: ...


@overload
def implements(
    specification: Callable[Concatenate[Integration, P], R],
) -> Callable[[Callable[Concatenate[Integration[S], P], R]], Callable[Concatenate[Integration[S], P], R]]: ...


@overload
def implements(  # type: ignore[overload-overlap]  # as above
    specification: Callable[Concatenate[AnySource, P], R],
) -> Callable[[Callable[Concatenate[Source[N | None], P], R]], Callable[Concatenate[Source[N | None], P], R]]: ...


@overload
def implements(
    specification: Callable[Concatenate[Source, P], R],
) -> Callable[[Callable[Concatenate[Source[S], P], R]], Callable[Concatenate[Source[S], P], R]]: ...


@overload
def implements(specification: Callable[P, R]) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def implements(specification: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a function as the implementation of a hook, so that a type checker compares both.

    A handle has the plugin's own settings; where set-up may be unfinished, they may be None.
    """
    del specification
    return lambda function: function


class LazyHooks:
    """Makes the hooks of a package, from where in it they are implemented: `module:function`."""

    def __init__(self, package: str) -> None:
        self._package = package

    def __call__(self, specification: Callable[P, R], where: str) -> Callable[P, R]:
        """Return a hook that imports its implementation when it is called first; the name may have dots in it."""
        module, _, name = where.partition(":")

        @cache
        def implementation() -> Callable[P, R]:
            found: Callable[P, R] = attrgetter(name)(importlib.import_module(f"{self._package}.{module}"))
            return found

        def hook(*args: P.args, **named: P.kwargs) -> R:
            return implementation()(*args, **named)

        # pluggy asks what is wrapped for the names of the arguments.
        update_wrapper(hook, specification, ("__name__", "__doc__", "__annotations__"), ())
        setattr(hook, IMPLEMENTATION, implementation)
        return hookimpl(hook)


def implementation_of(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Return what a hook calls: itself, unless it is imported later."""
    load = getattr(hook, IMPLEMENTATION, None)
    return hook if load is None else load()
