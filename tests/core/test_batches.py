"""Deliveries that wait are stored together, and what one of them does meets no other."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from datetime import UTC, datetime

import pytest

from connector_core import RetryLater
from connector_core.inbound.intake import Given
from connector_core.store import Accepted
from connector_core.web.batches import MOST, MOST_WAITING, Batches

AT = datetime(2026, 11, 23, tzinfo=UTC)


class Inbox:
    """Stores when it is told to; a delivery named `bad` cannot be stored."""

    def __init__(self):
        self.stored = []
        self.futures = []

    def accept_requests(self, organization, requests):
        """Begin to store several."""
        return self._begin((organization, [given for given, _ in requests]))

    def accept_deliveries(self, organization, given, at):
        """Begin to store one."""
        assert at == AT
        return self._begin(("", [given]))

    def _begin(self, what):
        self.stored.append(what)
        self.futures.append((Future(), what))
        return self.futures[-1][0]

    def finish(self):
        """Bring to disk what was begun."""
        begun, self.futures = self.futures, []
        for future, (organization, names) in begun:
            if "bad" in names:
                future.set_exception(RetryLater("Not this one."))
            else:
                done = [Accepted(new=1) for _ in names]
                future.set_result(done if organization else done[0])


def given(name, organization="acme"):
    """Return a delivery."""
    return Given(organization, name, AT)


async def tried(batches, *deliveries):
    """Begin to store some, and let them get as far as they can."""
    tasks = [asyncio.ensure_future(batches.accept(one)) for one in deliveries]
    await settled()
    return tasks


async def settled():
    """Let everything run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_what_comes_meanwhile_is_stored_together_next():
    """The first one goes at once; nobody waits for a timer."""

    async def run():
        inbox = Inbox()
        batches = Batches(inbox)
        tasks = await tried(batches, given("a"), given("b"), given("c"))
        assert inbox.stored == [("acme", ["a"])]
        inbox.finish()
        await settled()
        assert inbox.stored[1:] == [("acme", ["b", "c"])]
        inbox.finish()
        assert await asyncio.gather(*tasks) == [Accepted(new=1)] * 3
        await tried(batches, given("d"))
        assert inbox.stored[2:] == [("acme", ["d"])]

    asyncio.run(run())


def test_organizations_do_not_wait_for_each_other():
    """Each has its own line."""

    async def run():
        inbox = Inbox()
        await tried(Batches(inbox), given("a"), given("b", "globex"), given("c"))
        assert inbox.stored == [("acme", ["a"]), ("globex", ["b"])]

    asyncio.run(run())


def test_one_that_cannot_be_stored_fails_alone():
    """The others of its batch are stored one by one."""

    async def run():
        inbox = Inbox()
        batches = Batches(inbox)
        tasks = await tried(batches, given("a"), given("b"), given("bad"), given("c"))
        for _ in range(3):
            inbox.finish()
            await settled()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one).__name__ for one in outcomes] == ["Accepted", "Accepted", "RetryLater", "Accepted"]
        assert inbox.stored[1:] == [("acme", ["b", "bad", "c"]), ("", ["b"]), ("", ["bad"]), ("", ["c"])]

    asyncio.run(run())


def test_whoever_went_away_stops_nobody():
    """A sender that hangs up is not there any more when its delivery is on disk."""

    async def run():
        inbox = Inbox()
        batches = Batches(inbox)
        tasks = await tried(batches, given("a"), given("b"), given("c"))
        for task in tasks[:2]:
            task.cancel()
        for _ in range(3):
            inbox.finish()
            await settled()
        assert await tasks[2] == Accepted(new=1)
        assert [names for _, names in inbox.stored] == [["a"], ["b", "c"]]

    asyncio.run(run())


def test_whoever_goes_away_while_each_is_stored_alone_is_no_error():
    """A sender that hangs up after its neighbour failed leaves no trace in the log, stored or not."""

    async def run():
        inbox, errors = Inbox(), []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        tasks = await tried(Batches(inbox), given("a"), given("b"), given("bad"))
        for _ in range(2):
            inbox.finish()
            await settled()
        assert inbox.stored[2:] == [("", ["b"]), ("", ["bad"])]
        for task in tasks[1:]:
            task.cancel()
        await settled()
        inbox.finish()
        await settled()
        assert errors == []

    asyncio.run(run())


def test_what_would_wait_too_long_is_told_to_come_again():
    """The line is bounded, and so is what one transaction stores; the sender is told to come in five seconds."""

    async def run():
        inbox = Inbox()
        batches = Batches(inbox)
        tasks = await tried(batches, *(given(str(number)) for number in range(MOST_WAITING + 2)))
        with pytest.raises(RetryLater) as refused:
            await tasks[-1]
        assert (refused.value.code, refused.value.after_s) == ("store_busy", 5)
        inbox.finish()
        await settled()
        assert len(inbox.stored[1][1]) == MOST
        for task in tasks[:-1]:
            task.cancel()
        await asyncio.gather(*tasks[:-1], return_exceptions=True)

    asyncio.run(run())


def test_one_that_fails_alone_is_not_tried_again():
    """What it is told is what the store said; whoever went away is told nothing."""

    async def run():
        inbox = Inbox()
        batches = Batches(inbox)
        (task,) = await tried(batches, given("bad"))
        (gone,) = await tried(batches, given("bad", "globex"))
        gone.cancel()
        inbox.finish()
        await settled()
        assert isinstance(task.exception(), RetryLater)
        assert inbox.stored == [("acme", ["bad"]), ("globex", ["bad"])]

    asyncio.run(run())


def test_two_of_which_one_fails_are_stored_one_by_one():
    """Also when nobody waits any more for one of them."""

    async def run():
        inbox = Inbox()
        batches = Batches(inbox)
        tasks = await tried(batches, given("a"), given("bad"), given("b"), given("c"))
        inbox.finish()
        await settled()
        inbox.finish()
        await settled()
        tasks[1].cancel()
        tasks[2].cancel()
        inbox.finish()
        await settled()
        assert await tasks[3] == Accepted(new=1)
        assert [names for _, names in inbox.stored[2:]] == [["bad"], ["b"], ["c"]]

    asyncio.run(run())
