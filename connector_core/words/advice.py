"""What someone can do, in the words of each surface: a command for a terminal, a link or button for a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from connector_core.contract.advice import Advice, Remedy
from connector_core.store.records import DISCARDED, REPLACEABLE, Link, LinkState

#: The command of each action; `{target}` is what it is about.
COMMANDS: Mapping[Remedy, str] = {
    Remedy.RETRY: "connector retry {target}",
    Remedy.RECREATE: "connector recreate {target}",
    Remedy.UNLINK: "connector unlink {target} --yes",
    Remedy.DISCARD: "connector discard {target} --yes",
    Remedy.RESOLVE: "connector resolve {target} {step} incident|ticket",
    Remedy.SEE_TIMELINE: "connector explain {target}",
    Remedy.AUTHORIZE: "connector integrations authorize {target}",
    Remedy.ACTIVATE: "connector integrations enable {target}",
    Remedy.SET_UP: "connector integrations setup {target}",
    Remedy.DISCARD_DRAFT: "connector integrations setup {target} --discard-draft",
    Remedy.RETRY_ALL: "connector retry --integration {target}",
    Remedy.SEE_FAILED: "connector links --failed --integration {target}",
    Remedy.CHECK: "connector doctor",
    Remedy.SEND_TEST: "connector integrations test {target} --wait",
    Remedy.LIST_UNSENT: "connector routing unsent {target}",
    Remedy.SEND_INCIDENT: "connector routing send {target} {step} INTEGRATION",
    Remedy.SET_UP_SOURCE: "connector sources setup {target}",
    Remedy.REMOVE_SOURCE: "connector sources remove {target}",
    Remedy.START: "connector run",
    Remedy.MIGRATE: "connector db migrate",
    Remedy.CHECK_DATABASE: "connector db check",
    Remedy.LIST_NODES: "connector nodes",
    Remedy.CHECK_CONFIG: "connector config check",
    Remedy.MAKE_HASH: "connector console hash-password",
    Remedy.LIST_NOTIFIERS: "connector notifications list",
    Remedy.LIST_LINKS: "connector links",
    Remedy.LIST_INTEGRATIONS: "connector integrations list",
    Remedy.APPLY_CONFIG: "connector config apply",
    Remedy.FORGET_SECRETS: "connector db forget-secrets",
}

#: What a button or link says, and where it leads. What is not here cannot be done in a browser.
PLACES: Mapping[Remedy, tuple[str, str]] = {
    Remedy.RETRY: ("Retry", "/links/{target}"),
    Remedy.RECREATE: ("Create a new ticket", "/links/{target}"),
    Remedy.UNLINK: ("Unlink", "/links/{target}"),
    Remedy.DISCARD: ("Discard", "/links/{target}"),
    Remedy.RESOLVE: ("Choose a value", "/links/{target}"),
    Remedy.SEE_TIMELINE: ("See the timeline", "/links/{target}"),
    Remedy.AUTHORIZE: ("Authorize again", "/integrations/{target}/setup/authorize"),
    Remedy.ACTIVATE: ("Activate", "/integrations/{target}/setup/enable"),
    Remedy.SET_UP: ("Finish setup", "/integrations/{target}/setup"),
    Remedy.DISCARD_DRAFT: ("Finish setup", "/integrations/{target}/setup"),
    Remedy.RETRY_ALL: ("Needs attention", "/unfinished?integration={target}"),
    Remedy.SEE_FAILED: ("Needs attention", "/unfinished?integration={target}"),
    Remedy.LIST_NOTIFIERS: ("Notifications", "/notifications"),
    Remedy.CHECK: ("See what is wrong", "/integrations/{target}"),
    Remedy.SEND_TEST: ("See the test", "/integrations/{target}/test"),
    Remedy.LIST_UNSENT: ("Unsent incidents", "/routing/{target}"),
    Remedy.SEND_INCIDENT: ("Unsent incidents", "/routing/{target}"),
    Remedy.SET_UP_SOURCE: ("Connect a source", "/sources/{target}/setup"),
    Remedy.REMOVE_SOURCE: ("Open the source", "/sources/{target}"),
    Remedy.LIST_LINKS: ("All links", "/links"),
    Remedy.LIST_INTEGRATIONS: ("All integrations", "/"),
}

_STEP = "/integrations/{target}/setup/step/{step}"


@dataclass(frozen=True)
class Way:
    """A link or a button of a page."""

    label: str
    address: str


def for_terminal(advice: Iterable[Advice]) -> str:
    """Return what to run, in one line; empty without advice.

    >>> for_terminal([Advice(Remedy.RETRY, "7")])
    'Run: connector retry 7'
    """
    commands = [_command(one) for one in advice]
    if len(commands) > 1:
        return f"Choose one: {'; '.join(commands)}"
    return f"Run: {commands[0]}" if commands else ""


def _command(advice: Advice) -> str:
    answers = "".join(f" --set {key}=..." for key in advice.answers)
    return COMMANDS[advice.action].format(target=advice.target, step=advice.step).strip() + answers


class Mendable(Protocol):
    """What has something to do about it: an error, a finding, the status of a source."""

    @property
    def fix(self) -> str:
        """What to do in another system."""
        ...

    @property
    def advice(self) -> Advice | None:
        """What to do in the product."""
        ...


def fix_in_terminal(problem: Mendable) -> str:
    """Return what to do about something: elsewhere, and by which command."""
    return joined(problem.fix, for_terminal(() if problem.advice is None else (problem.advice,)))


def joined(*sentences: str) -> str:
    """Put what is not empty in a row."""
    return " ".join(filter(None, sentences))


def for_browser(advice: Iterable[Advice]) -> list[Way]:
    """Return where to go; what cannot be done in a browser is left out, and so is what leads nowhere."""
    ways = []
    for one in advice:
        if one.action not in PLACES:
            continue
        label, address = PLACES[one.action]
        if one.action is Remedy.SET_UP and one.step:
            address = _STEP
        if one.target or "{target}" not in address:
            ways.append(Way(label, address.format(target=one.target, step=one.step)))
    return ways


_ABOUT_GONE = (Remedy.RETRY, Remedy.RECREATE, Remedy.UNLINK, Remedy.DISCARD)
_BY_CODE: Mapping[str, tuple[Remedy, ...]] = {
    **dict.fromkeys(REPLACEABLE, _ABOUT_GONE),
    DISCARDED: (Remedy.RETRY,),
    "integration_not_active": (Remedy.ACTIVATE,),
    "settings_incomplete": (Remedy.SET_UP,),
    "too_many_changes": (Remedy.SEE_TIMELINE, Remedy.RETRY),
    "write_not_kept": (Remedy.RETRY, Remedy.DISCARD),
}
_BY_STATE: Mapping[LinkState, tuple[Remedy, ...]] = {
    LinkState.BLOCKED: (Remedy.RETRY,),
    LinkState.CONFLICT: (Remedy.RESOLVE,),
    LinkState.GONE: _ABOUT_GONE,
    LinkState.PAUSED: (Remedy.AUTHORIZE,),
}
_ON_INTEGRATION = frozenset({Remedy.ACTIVATE, Remedy.AUTHORIZE, Remedy.SET_UP})


def advice_on(link: Link) -> tuple[Advice, ...]:
    """Return what someone can do about a link, by its code, else by its state."""
    acts = _BY_CODE.get(link.status.code) or _BY_STATE.get(link.status.state, ())
    field = next(iter(link.both_changed), "FIELD")
    return tuple(
        Advice(
            act,
            link.integration_id if act in _ON_INTEGRATION else str(link.id),
            step=field if act is Remedy.RESOLVE else "",
        )
        for act in acts
    )
