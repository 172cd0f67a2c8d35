"""Replays: deliveries that are fed in again, by the filters of the list, with how far each has come."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.responses import Response

from connector_core.contract.errors import ConfigError
from connector_core.health.delivery_words import replay_failure
from connector_core.store import Replay
from connector_core.store.replays import MOST_AT_ONCE
from connector_core.web.console.confirm import Confirmation, ask
from connector_core.web.console.deliveries_page import asked_of, wanted_of
from connector_core.web.console.visits import NotVisible, Visit, go

_DIGITS = 18
_LATEST = 50


def ask_replay(visit: Visit) -> Response:
    """Ask before what the filters give is fed in again."""
    if not visit.user.is_admin:
        raise NotVisible("Replays are for administrators.")
    ids, is_cut = visit.app.store.replays.select(wanted_of(visit))
    asked = asked_of(visit.query)
    crumbs = (("Deliveries", f"/deliveries?{urlencode(asked)}" if asked else "/deliveries"),)
    if not ids:
        question = Confirmation(
            "Replay", "None of these deliveries can be replayed: they were refused, or their bodies are no longer kept."
        )
        return ask(visit, question, crumbs, kept={})
    question = Confirmation(
        f"Replay {len(ids):,} {'delivery' if len(ids) == 1 else 'deliveries'}",
        f"{f'Of these, only the latest {MOST_AT_ONCE:,}. ' if is_cut else ''}Each is processed again as if it arrived "
        "now. What is in sync already does not change. Refused deliveries, and those whose bodies are no longer kept, "
        "are left out.",
        is_safe=True,
    )
    return ask(visit, question, crumbs, action="replay", kept=asked)


def begin(visit: Visit) -> Response:
    """Have what the filters give fed in again."""
    if visit.form.get("sure") != "yes":
        return go("/deliveries")
    ids, _ = visit.app.store.replays.select(wanted_of(visit, visit.form))
    if not ids:
        raise ConfigError(
            "None of these deliveries can be replayed.",
            code="nothing_to_replay",
            fix="Choose accepted deliveries whose bodies are still kept, or have them sent again.",
        )
    asked = asked_of(visit.form)
    return go(f"/deliveries/replays/{visit.app.replaying.begin(ids, visit.user.organizations, asked, visit.user.name)}")


def list_all(visit: Visit) -> Response:
    """List the latest replays."""
    found = [one for one in visit.app.store.replays.latest(_LATEST) if _sees(visit, one)]
    return visit.page("replays.html", replays=found)


def show(visit: Visit) -> Response:
    """Show how far a replay has come, and how it ended."""
    replay = _replay(visit)
    return visit.page("replay.html", replay=replay, asked=_asked(replay), why=_why(replay))


def stop(visit: Visit) -> Response:
    """Stop a replay; what was fed in stays."""
    replay = _replay(visit)
    visit.app.replaying.stop(replay.id)
    return go(f"/deliveries/replays/{replay.id}")


def _replay(visit: Visit) -> Replay:
    number = visit.named("replay")
    is_number = number.isascii() and number.isdecimal() and len(number) <= _DIGITS
    found = visit.app.store.replays.get(int(number)) if is_number else None
    if found is None or not _sees(visit, found):
        raise NotVisible("There is no such replay.")
    return found


def _sees(visit: Visit, replay: Replay) -> bool:
    """Return whether a replay is of organizations that this person sees, all of them."""
    allowed = visit.user.organizations
    return allowed is None or (replay.organizations is not None and allowed.issuperset(replay.organizations))


_FILTERS = {"way": "direction", "q": "incident or ticket", "kept": "samples", "since": "from", "until": "to"}


def _asked(replay: Replay) -> Mapping[str, str]:
    """Return the filters that deliveries were chosen by, as the form names them."""
    return {_FILTERS.get(name, name): str(value) for name, value in replay.wanted.get("asked", {}).items()}


def _why(replay: Replay) -> Mapping[str, int]:
    return {replay_failure(code): number for code, number in replay.why.items()}
