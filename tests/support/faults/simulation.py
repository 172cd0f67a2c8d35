"""Random histories of both sides and the connector, and what must hold in each: run, checked, and cut to the shortest.

By hand, `python -m tests.support.faults.simulation 10000` runs that many seeds, and with `--seed 7` it prints one run's
story.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from time import perf_counter

import structlog

from connector_core import EventType, FieldName, IncidentStatus, Priority
from connector_core.contract.errors import ConfigError, ConnectorError, RetryLater, WebhookRejected
from connector_core.contract.field_values import incident_value, ticket_value
from connector_core.contract.merge import Side, Sides, merge
from connector_core.contract.times import is_ahead
from connector_core.polling.reconcile import OK
from connector_core.store import NO_TICKET, LinkState
from connector_core.words.advice import advice_on
from connector_core.words.link_status import reason_of
from connector_core.words.names import Names
from tests.support.faults.simulated_sides import HIDEABLE
from tests.support.faults.simulated_world import SECRET, Broken, PowerCut, World

LONGEST_HISTORY = 60
MOST_INCIDENTS = 4
MOST_ROUNDS = 400

TITLES = ("Offline", "Dark", "Noisy", "A title that is too long for the desk", "Hot")
AGENTS_TITLES = ("Offline", "Dark", "Noisy", "Hot", "Seen to")
DESCRIPTIONS = (None, "on its way", "fixed on site", "waits for parts")


@dataclass(frozen=True)
class Step:
    """One thing that happens; its own seed decides all that is random in it."""

    kind: str
    seed: int


@dataclass(frozen=True)
class Failure:
    """What broke, after which steps, and the story until then."""

    seed: int
    steps: tuple[Step, ...]
    reason: str
    story: tuple[str, ...]
    make: Callable[[int], World] = World


def history(seed):
    """Draw the steps of a run."""
    random = Random(seed)
    kinds = random.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=random.randint(10, LONGEST_HISTORY))
    steps = [Step(kind, random.getrandbits(32)) for kind in ("open", *kinds)]
    steps = _with_comments(steps, Random(f"comments in {seed}"))
    steps = _with_hidden_fields(steps, Random(f"hidden fields in {seed}"))
    steps = _with_renames(steps, Random(f"renames in {seed}"))
    return tuple(_with_restores(steps, Random(f"restores in {seed}")))


def _with_hidden_fields(steps, random):
    """Let administrators hide fields in a third of the histories; the other steps stay as their seed has them."""
    if random.random() < 2 / 3:
        return steps
    for _ in range(random.randint(1, 4)):
        steps.insert(random.randint(0, len(steps)), Step("hide_field", random.getrandbits(32)))
    return steps


def _with_renames(steps, random):
    """Let sites be renamed in a third of the histories, and be looked up; the other steps stay as their seed has them.

    Until a site is looked up, which happens hourly, webhooks name an address that nobody here knows.
    """
    if random.random() < 2 / 3:
        return steps
    for kind in ("rename_site", "rename_site", "look_up_sites", "look_up_sites")[random.randint(0, 1) :]:
        steps.insert(random.randint(1, len(steps)), Step(kind, random.getrandbits(32)))
    return steps


def _with_comments(steps, random):
    """Let people comment in half of the histories; the other steps stay as their seed has them."""
    if random.random() < 0.5:
        return steps
    for _ in range(random.randint(1, 8)):
        kind = random.choice(["comment_incident", "comment_ticket"])
        steps.insert(random.randint(1, len(steps)), Step(kind, random.getrandbits(32)))
    return steps


def _with_restores(steps, random):
    """Let a database of before come back in a third of the histories; the other steps stay as their seed has them."""
    if random.random() < 0.67:
        return steps
    for kind in ("keep_copy", "keep_copy", "restore", "restore")[: random.randint(2, 4)]:
        steps.insert(random.randint(1, len(steps)), Step(kind, random.getrandbits(32)))
    return steps


def play(seed, steps, totals=None, listener=None, make=World):
    """Play a history to its end; return what broke, None when all held. `listener` is told the story."""
    world = make(seed)
    world.meanwhile = lambda: _one(world, world.random.choice(_MEANWHILE))
    try:
        for step in steps:
            world.random = Random(step.seed)
            world.begin_step()
            try:
                _one(world, step.kind)
            except PowerCut:
                world.say("-- power cut, started again")
                world.start_again()
            check_always(world)
        settle(world)
        check_end(world)
    except Broken as exc:
        return Failure(seed, tuple(steps), str(exc), tuple(world.story), make)
    finally:
        world.store.close()
    if listener is not None:
        listener(world.story)
    if totals is not None:
        totals.update(
            incidents=len(world.platform.incidents),
            tickets=sum(len(desk.tickets) for desk in world.desks.values()),
            writes=world.platform.writes + sum(desk.writes for desk in world.desks.values()),
            power_cuts=sum("power cut" in line for line in world.story),
            restores=sum("earlier database" in line for line in world.story),
            renames=sum(len(desk.addresses) - 1 for desk in world.desks.values()),
            takeovers=world.takeovers,
        )
    return None


def shortest(failure):
    """Leave out steps as long as the history still fails in the same way."""
    best, size = failure, len(failure.steps) // 2
    kind = failure.reason.partition(":")[0]
    while size >= 1:
        start = 0
        while start < len(best.steps):
            tried = play(best.seed, best.steps[:start] + best.steps[start + size :], make=best.make)
            if tried is not None and tried.reason.partition(":")[0] == kind:
                best = tried
            else:
                start += size
        size //= 2
    return best


def told(failure):
    """Return a failure as text."""
    lines = [f"seed {failure.seed}: {failure.reason}", "the shortest history that still fails:", *failure.story]
    return "\n".join(lines)


# What happens


def _one(world, kind):
    _DEEDS[kind](world)


def _open(world):
    if len(world.platform.incidents) < MOST_INCIDENTS:
        title, priority = world.random.choice(TITLES), world.random.choice(list(Priority))
        name = world.platform.open(title, description="as opened", priority=priority)
        world.say(f"{name} opened")


def _edit_incident(world):
    if world.platform.incidents:
        name = world.random.choice(list(world.platform.incidents))
        fields = world.random.choice(
            [
                {"title": world.random.choice(TITLES)},
                {"priority": world.random.choice(list(Priority))},
                {"description": world.random.choice(DESCRIPTIONS)},
                {"title": world.random.choice(TITLES), "priority": world.random.choice(list(Priority))},
            ]
        )
        world.platform.change(name, **fields)
        world.say(f"{name} changed by a person: {fields}")


def _resolve(world):
    _set_status(world, IncidentStatus.CLOSED)


def _reopen_incident(world):
    _set_status(world, IncidentStatus.ACTIVE)


def _set_status(world, status):
    names = [name for name, incident in world.platform.incidents.items() if incident.status is not status]
    if names:
        name = world.random.choice(names)
        world.platform.change(name, status=status)
        world.say(f"{name} is {status} by a person")


def _any_desk(world):
    return world.random.choice(list(world.desks.values()))


def _edit_ticket(world):
    desk = _any_desk(world)
    if desk.tickets:
        number = world.random.choice(list(desk.tickets))
        fields = world.random.choice(
            [
                {"title": world.random.choice(AGENTS_TITLES)},
                {"priority": world.random.choice(list(Priority))},
                {"description": world.random.choice(DESCRIPTIONS)},
            ]
        )
        if not desk.unshown.isdisjoint(map(FieldName, fields)):
            return  # what is hidden nobody can edit
        desk.edit(number, **fields)
        world.say(f"{desk.name} T-{number} changed by an agent: {fields}")


def _comment_incident(world):
    if world.platform.incidents:
        name = world.random.choice(list(world.platform.incidents))
        world.say(f"{name} commented on by a person: {world.platform.comment(name, 'words').id}")


def _comment_ticket(world):
    desk = _any_desk(world)
    if desk.tickets:
        number = world.random.choice(list(desk.tickets))
        said = desk.comment(number, "words", internal=world.random.random() < 0.5)
        world.say(f"{desk.name} T-{number} commented on by an agent: {said.id}, internal: {said.internal}")


def _finish(world):
    _set_done(world, done=True)


def _reopen_ticket(world):
    _set_done(world, done=False)


def _set_done(world, *, done):
    desk = _any_desk(world)
    numbers = [number for number, ticket in desk.tickets.items() if ticket.whole.done is not done]
    if numbers:
        number = world.random.choice(numbers)
        desk.edit(number, done=done)
        world.say(f"{desk.name} T-{number} is {'done' if done else 'open'} by an agent")


def _deliver_event(world):
    """Deliver any event that was not acknowledged, not in order, and now and then once more."""
    if not world.platform.outbox:
        return
    event = world.random.choice(world.platform.outbox)
    try:
        accepted = world.store.inbox.accept_events(
            "acme", [event], world.registry.targets("acme"), world.clock.now()
        ).result()
    except RetryLater:
        return
    world.say(f"{event.type} of {event.incident.id} arrived ({event.id}, {event.incident.title!r})")
    if event.comment is not None and accepted.new:
        world.heard.add((event.incident.id, event.comment.id))
    if event.type is EventType.OPENED:
        world.acknowledged.add(event.incident.id)
    if world.random.random() < 0.8:
        world.platform.outbox.remove(event)


def _deliver_webhook(world):
    """Deliver any webhook that is on its way, not in order; some come twice, some never."""
    desk = _any_desk(world)
    if not desk.outbox:
        return
    delivery = world.random.choice(desk.outbox)
    if world.random.random() < 0.8:
        desk.outbox.remove(delivery)
    what = f"webhook of {desk.name} {delivery.tickets[0].key}"
    if world.random.random() < 0.1:
        world.say(f"{what} is lost")
        return
    is_linked = delivery.tickets[0].id in _linked(world, desk)
    request = replace(desk.signed(delivery, SECRET), received_at=world.clock.now())
    try:
        accepted = world.intake.take_webhook(desk.name, request).result()
    except RetryLater:
        return
    except WebhookRejected as exc:
        raise Broken(f"refused: {what} from {delivery.site}: {exc.message}") from exc
    world.say(f"{what} arrived from {delivery.site}: {accepted}")
    _hold(accepted.new or accepted.duplicate or not is_linked, f"unreached: {what} is ignored, and has a link")


def _linked(world, desk):
    return [row[0] for row in world.store.rows(_LINKED, desk.name)]


def _rename_site(world):
    desk = _any_desk(world)
    desk.rename()
    world.say(f"the site of {desk.name} is {desk.url} now")


def _look_up_sites(world):
    """Do what is done hourly; nothing of it may be stored."""
    for name in world.desks:
        with suppress(RetryLater):
            world.site_names.refresh(name)
            world.say(f"{name} is known at {_known_at(world, world.desks[name])}")


def _known_at(world, desk):
    return world.registry.site(world.registry.entry(desk.name)).url


def _hide_ticket(world):
    """Take the connector's right to see a linked ticket away, or give it back."""
    desk = _any_desk(world)
    linked = _linked(world, desk)
    if linked:
        number = world.random.choice(linked)
        desk.tickets[number].hidden = not desk.tickets[number].hidden
        world.say(f"{desk.name} T-{number} is {'hidden' if desk.tickets[number].hidden else 'shown again'}")


def _hide_field(world):
    """Let an administrator hide fields of a desk's tickets, or show them again."""
    desk = _any_desk(world)
    desk.hide(*(one for one in HIDEABLE if world.random.random() < 0.5))
    world.say(f"{desk.name} hides {sorted(desk.unshown) or 'no field'}")


def _work(world):
    world.work(world.random.randint(1, 4))


def _a_moment(world):
    world.clock.forward(world.random.choice([0.1, 1.0, 5.0]))
    _probe(world)


def _a_while(world):
    world.clock.forward(world.random.choice([30.0, 130.0, 1000.0]))
    _probe(world)


def _probe(world):
    world.for_each_process(lambda: _probe_here(world))


def _probe_here(world):
    try:
        world.store.life.beat(world.clock.now())
        world.clock_watch.look()
        world.breakers.wake_probes()
    except RetryLater:
        return


def _set_clock(world):
    # Where the platform does not tell when our change was made, our clock has to be right.
    seconds = world.random.choice([0, 0, 3600, -3600]) if world.platform.tells_times else 0
    world.clock.wrong_by = timedelta(seconds=seconds)
    world.say(f"the clock is wrong by {world.clock.wrong_by}")


def _reconcile(world):
    _read_tickets(world, full=False)


def _reconcile_all(world):
    _read_tickets(world, full=True)


def _read_tickets(world, *, full):
    """Read the tickets of every desk; return whether all could be read."""
    try:
        runs = [world.reconciler.reconcile(name, full=full) for name in world.desks]
    except ConnectorError:
        return False
    for run in runs:
        world.say(f"tickets of {run.integration_id} read: {run.outcome}, {run.seen} seen, {run.changed} changed")
    return all(run.outcome == OK for run in runs)


def _power_cut(_):
    raise PowerCut


def _keep_copy(world):
    world.keep_copy()
    world.say("the database is copied")


def _restore(world):
    way = world.random.choice(["backup", "files", "machine", "lost"])
    world.say(f"-- an earlier database comes back: {way}")
    world.restore(way)


def _outage(world):
    side = world.random.choice(list(world.down))
    world.down[side] = not world.down[side]
    world.say(f"the {side} is {'down' if world.down[side] else 'up'}")


def _authorize(world):
    try:
        for name in world.desks:
            world.store.integrations.note_problem(name, "", "")
            world.store.lanes.wake_all(name, world.clock.now())
    except RetryLater:
        return


def _retry(world):
    try:
        for link in world.operations.failed():
            if link.status.state is LinkState.CONFLICT:
                _resolve_conflict(world, link)
            else:
                world.operations.retry(link)
    except RetryLater:
        return


def _resolve_conflict(world, link):
    for name in FieldName:
        winner = world.random.choice(["incident", "ticket"])
        with suppress(ConfigError):  # the field is not, or no longer, in conflict
            world.operations.resolve(link, name, winner)
            world.say(f"a person decides: the {winner}'s {name} of {link.incident_id}")


_FROM_INCIDENT = "SELECT their_id FROM comment WHERE link_id = ? AND side = 'incident'"
_LINKED = "SELECT ticket_id FROM link WHERE integration_id = ? AND ticket_id IS NOT NULL ORDER BY id"
_WEIGHTS = {
    "open": 2,
    "edit_incident": 6,
    "resolve": 1,
    "reopen_incident": 0.3,
    "edit_ticket": 6,
    "finish": 1,
    "reopen_ticket": 0.3,
    "deliver_event": 12,
    "deliver_webhook": 8,
    "work": 14,
    "a_moment": 8,
    "a_while": 3,
    "hide_ticket": 0.3,
    "set_clock": 0.5,
    "reconcile": 1,
    "reconcile_all": 0.5,
    "power_cut": 0.7,
    "outage": 1,
    "authorize": 1,
    "retry": 1,
}
_DEEDS = {
    "open": _open,
    "edit_incident": _edit_incident,
    "resolve": _resolve,
    "reopen_incident": _reopen_incident,
    "edit_ticket": _edit_ticket,
    "comment_incident": _comment_incident,
    "comment_ticket": _comment_ticket,
    "finish": _finish,
    "reopen_ticket": _reopen_ticket,
    "deliver_event": _deliver_event,
    "deliver_webhook": _deliver_webhook,
    "work": _work,
    "a_moment": _a_moment,
    "a_while": _a_while,
    "hide_ticket": _hide_ticket,
    "hide_field": _hide_field,
    "rename_site": _rename_site,
    "look_up_sites": _look_up_sites,
    "set_clock": _set_clock,
    "reconcile": _reconcile,
    "reconcile_all": _reconcile_all,
    "power_cut": _power_cut,
    "keep_copy": _keep_copy,
    "restore": _restore,
    "outage": _outage,
    "authorize": _authorize,
    "retry": _retry,
}
_MEANWHILE = ("edit_incident", "edit_ticket", "deliver_event", "deliver_webhook", "finish", "resolve", "a_moment")


# What must hold


def check_always(world):
    """Hold the guarantees that must be true at any moment."""
    markers = Counter(ticket.marker for desk in world.desks.values() for ticket in desk.tickets.values())
    _hold(all(count == 1 for count in markers.values()), f"doubled: {markers}")
    reopened = sum(desk.reopened_by_us for desk in world.desks.values())
    _hold(not reopened, "reopened: a ticket was opened again by the connector")
    overwritten = sum(desk.overwritten for desk in world.desks.values())
    _hold(not overwritten, "touched: a ticket that was done was written by the connector")
    invented = [taken for taken in world.platform.taken if not world.was_on_a_ticket(*taken)]
    world.platform.taken.clear()
    _hold(not invented, f"invented: {invented} was on no ticket")
    links = _links(world)
    missing = {(name, desk) for name in world.acknowledged for desk in world.desks} - links.keys()
    _hold(not missing, f"lost: {missing} acknowledged, not linked")
    lanes = {row["link_id"]: row for row in world.store.rows("SELECT * FROM lane")}
    tripped = {breaker.key for breaker in world.store.breakers.every()}
    for link in links.values():
        _check_forward(world, link)
        _check_address(world, link)
        waiting = [one.their_id for one in world.operations.waiting_comments(link)]
        _check_visible(link, lanes[link.id], tripped, world.rules, waiting)


def _links(world):
    return {(link.incident_id, link.integration_id): link for link in world.store.links.find()}


def _check_forward(world, link):
    """Hold that what is known of a ticket and of an incident never goes back in time.

    But where our clock was set back, nobody can tell whether it was wrong then or is now: news count, late ones too.
    """
    now = (link.incident_at, link.ticket.updated if link.ticket else None)
    before = world.known_until.get(link.id, now)
    was_set_back = is_ahead(before[0], world.clock.now())
    _hold(now[0] >= before[0] or was_set_back, f"backwards: link {link.id} knows an older incident")
    _hold(before[1] is None or now[1] >= before[1], f"backwards: link {link.id} knows an older ticket")
    world.known_until[link.id] = now


def _check_address(world, link):
    """Hold that a ticket's address follows that of its site, and never goes back to one of before."""
    if link.ticket is None or link.ticket.url is None:
        return
    addresses = world.desks[link.integration_id].addresses
    now = addresses.index(link.ticket.url.removesuffix(f"/{link.ticket.key}"))
    before = world.known_at.get(link.id, now)
    _hold(now >= before, f"flapping: link {link.id} is at {addresses[now]} again, and was at {addresses[before]}")
    world.known_at[link.id] = now


def _check_visible(link, lane, tripped, rules, comments):
    """Hold that nothing stands still without saying why and what ends it."""
    name, status = f"link {link.id}", link.status
    goes_on = lane["due_at"] is not None or lane["boot"] is not None or lane["breaker"] is not None
    _hold(lane["breaker"] is None or lane["breaker"] in tripped, f"stuck: {name} is parked on a breaker that is reset")
    if status.state is LinkState.WAITING:
        _hold(goes_on, f"stuck: {name} is waiting for nothing")
        _hold(reason_of(link, Names()), f"silent: {name} waits without a reason")
    elif not status.state.is_settled:
        _hold(reason_of(link, Names()) and status.code, f"silent: {name} is {status.state} without a reason")
        _hold(advice_on(link) or goes_on, f"stuck: {name} is {status.state} ({status.code}) without a way out")
    elif link.status.code == NO_TICKET:
        _hold(link.ticket is None and reason_of(link, Names()), f"silent: {name} has no ticket, without a reason")
    elif not goes_on:
        undone = merge(link.base, Sides(link.incident, link.incident_at, link.ticket), rules)
        _hold(not undone, f"forgotten: {name} is in sync and at rest, but {undone} is to do")
        _hold(not comments, f"forgotten: {name} is in sync and at rest, but {comments} wait")


def settle(world):
    """End all trouble, let people do what they are asked to, and let the connector finish."""
    world.say("-- all trouble ends")
    world.faults = False
    world.meanwhile = lambda: None
    world.down.update(dict.fromkeys(world.down, False))
    for desk in world.desks.values():
        desk.hide()
        for ticket in desk.tickets.values():
            ticket.hidden = False
    world.clock.wrong_by = timedelta()
    is_known_at = False
    for _ in range(MOST_ROUNDS):
        while world.platform.outbox:
            _deliver_event(world)
        while any(desk.outbox for desk in world.desks.values()):
            _deliver_webhook(world)
        check_always(world)
        _authorize(world)
        _retry(world)
        world.breakers.wake_probes()
        world.work(8)
        if _is_quiet(world) and _read_tickets(world, full=True):
            world.work(8)
            check_always(world)
            if is_known_at and _is_quiet(world):
                return
            _look_up_sites(world)  # once all is in sync without
            is_known_at = True
        world.clock.forward(20.0)
    states = [(link.status.state, link.status.code) for link in world.store.links.find()]
    raise Broken(f"restless: not quiet after {MOST_ROUNDS} rounds: {states}")


def _is_quiet(world):
    waits = world.store.rows("SELECT 1 FROM lane WHERE due_at IS NOT NULL OR boot IS NOT NULL OR breaker IS NOT NULL")
    stopped = world.operations.failed()
    return not (waits or stopped or world.platform.outbox or any(desk.outbox for desk in world.desks.values()))


def check_end(world):
    """Hold that both sides show the same, and that the connector knows it."""
    check_always(world)
    links = _links(world)
    for name, incident in world.platform.incidents.items():
        for desk in world.desks.values():
            _hold((name, desk.name) in links, f"lost: {name} has no link to {desk.name}")
            _check_link(world, links[name, desk.name], incident, desk)
            _check_comments(world, links[name, desk.name], desk)
    if world.weather.is_calm and not world.takeovers:  # who takes over may write what was written already
        idle = sum(desk.idle_writes for desk in world.desks.values())
        _hold(not idle, "echo: a ticket was written with what it showed already")
        # A database of before knows an older incident than there is, and may write what a lost life wrote already.
        quiet = world.restored or not world.platform.idle_writes
        _hold(quiet, "echo: an incident was written with what it showed already")


def _check_link(world, link, incident, desk):
    name = f"{link.incident_id} at {desk.name}"
    ticket = next((ticket for ticket in desk.tickets.values() if ticket.marker == link.marker), None)
    _hold(ticket is not None, f"lost: {name} has no ticket")
    _hold(link.status.state.is_settled, f"unfinished: {name} is {link.status.state} {link.status.code}")
    _check_agree(world, link, incident, ticket.shown)
    for field in FieldName:
        stored, real = incident_value(link.incident, field), incident_value(incident, field)
        if field is not FieldName.STATUS or not (
            incident.id in world.platform.reopened or link.ticket.id in desk.reopened
        ):
            _hold(stored == real, f"misremembered: {name} {field}: {stored!r}, but it is {real!r}")
    _hold(link.ticket == ticket.shown, f"misremembered: {name}: {link.ticket}, but it is {ticket.shown}")
    timeline = world.store.timelines.read(link.id)
    _hold(not any("url" in entry.values for entry in timeline), f"timeline: {name} tells of an address as of a change")
    entries = Counter(entry.kind for entry in timeline)
    births = entries["ticket_created"] + entries["ticket_found"]
    _hold(births == 1, f"timeline: {name} tells of {births} births")
    _hold(link.to_ticket_since is None, f"age: {name} still waits to be carried to its ticket")
    _hold(link.to_incident_since is None, f"age: {name} still waits to be carried to its incident")


def _check_comments(world, link, desk):
    """Hold that each comment was synced once, that none came back, and that internal ones stayed if they were to."""
    name = f"{link.incident_id} at {desk.name}"
    on_ticket = desk.tickets[link.ticket.id].comments
    written = Counter(one.draft.comment.id for one in on_ticket if one.draft)
    known = {row["their_id"] for row in world.store.rows(_FROM_INCIDENT, link.id)}
    back = [comment for comment in known if comment.startswith(f"{desk.name}:")]
    _hold(not back, f"echo: {name}: {back} came back to the ticket that they are from")
    heard = {comment for incident, comment in world.heard if incident == link.incident_id}
    lost = {comment for comment in heard if not comment.startswith(f"{desk.name}:")} - known
    _hold(not lost, f"lost: {name}: {lost} acknowledged, not known")
    once = Counter(written.keys()) if world.restored else Counter(known)  # a life that is not known wrote more
    _hold(written == once and known <= written.keys(), f"comments: {name} has {written}, and should have {known}")
    there = [one.id for one in world.platform.comments.get(link.incident_id, ())]
    told = Counter(one for one in there if one.startswith(f"{desk.name}:"))
    people = [one.shown for one in on_ticket if not one.draft]
    wanted = [one for one in people if not (one.internal and world.to_incident == "public")]
    _hold(told == Counter(f"{desk.name}:{one.id}" for one in wanted), f"comments: {name}: {told}, not {wanted}")


def _check_agree(world, link, incident, ticket):
    name = incident.id
    reopened = name in world.platform.reopened or any(desk.reopened for desk in world.desks.values())
    # What was to be synced to a ticket that somebody had finished by then is known to be still to be synced.
    moved = {
        one
        for one, was in link.base.items()
        if was.pending is Side.TICKET
        or was.incident != incident_value(incident, one)
        or was.incident != was.ticket  # both changed it, or nobody remembered: each was left as it is
    }
    # Where both changed a finished ticket's field each was left as it is, also if an agent opens the ticket again.
    left = {one for one, was in link.base.items() if was.incident != was.ticket}
    held = moved if ticket.done else left if reopened else set()
    if FieldName.TITLE not in held:
        title = incident.title if ticket.title == incident.title else incident.title[:12]
        _hold(title == ticket.title, f"diverged: {name} title {incident.title!r}, {ticket.title!r}")
    if FieldName.PRIORITY not in held:
        _hold(incident.priority == ticket.priority, f"diverged: {name} priority {incident.priority}, {ticket.priority}")
    if FieldName.DESCRIPTION not in held and name not in world.platform.described and len(world.desks) == 1:
        same = (incident.description or None) == (ticket.description or None)
        _hold(same, f"diverged: {name} description {incident.description!r}, {ticket.description!r}")
    if not reopened:
        closed, done = incident_value(incident, FieldName.STATUS), ticket_value(ticket, FieldName.STATUS)
        _hold(closed == done, f"diverged: {name} is {closed}, its ticket {done}")


def _hold(truth, otherwise):
    if not truth:
        raise Broken(otherwise)


def campaign(seeds, make=World):
    """Run seeds; return their failures and the totals of all runs."""
    totals = Counter()
    failures = [failure for seed in seeds if (failure := play(seed, history(seed), totals, make=make)) is not None]
    return failures, totals


def quiet_logs():
    """Say nothing of what is logged: thousands of runs would drown everything else."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def main(arguments):
    """Run from the command line."""
    quiet_logs()
    if arguments[:1] == ["--seed"]:
        seed = int(arguments[1])
        failure = play(seed, history(seed))
        print("held" if failure is None else told(shortest(failure)))
        return
    started = perf_counter()
    first = int(arguments[1]) if len(arguments) > 1 else 0
    failures, totals = campaign(range(first, first + int(arguments[0])))
    kinds = Counter(failure.reason.partition(":")[0] for failure in failures)
    took_s = perf_counter() - started
    print(f"{arguments[0]} seeds from {first} in {took_s:.0f} s: {dict(totals)}, failed: {dict(kinds)}")
    for failure in failures[:5]:
        print(told(shortest(failure)))


if __name__ == "__main__":
    main(sys.argv[1:])
