"""The steps of plugins as set-up works with them: their lists are fetched later, by whoever shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from connector_core.contract.handles import AnyIntegration, AnySource
from connector_core.contract.setup_steps import SetupField, SetupStep
from connector_core.relay import let_go


def letting_go(steps: Sequence[SetupStep], about: AnyIntegration | AnySource) -> list[SetupStep]:
    """Return the steps that a plugin listed; what their lists and previews ask for is worked off when they end."""
    return [
        replace(
            step, fields=tuple(_field(asked, about) for asked in step.fields), preview=_letting_go(step.preview, about)
        )
        for step in steps
    ]


def _field(asked: SetupField, about: AnyIntegration | AnySource) -> SetupField:
    rows = _letting_go(asked.rows, about)
    return replace(
        asked,
        load=_letting_go(asked.load, about),
        find=_letting_go(asked.find, about),
        rows=None if rows is None else partial(_rows, rows, about),
    )


def _rows(fetch: Callable[[], Sequence[SetupField]], about: AnyIntegration | AnySource) -> list[SetupField]:
    return [_field(row, about) for row in fetch()]


def _letting_go(call: Callable[..., Any] | None, about: AnyIntegration | AnySource) -> Callable[..., Any] | None:
    if call is None:
        return None

    def called(*given: object) -> Any:  # noqa: ANN401 - as what is called
        try:
            return call(*given)
        finally:
            let_go(about)

    return called
