"""Checks of what comes in: deliveries as they are, forged, spoiled, old, doubled and in another order."""

from __future__ import annotations

import re
from collections.abc import Callable

from connector_core.contract.errors import WebhookRejected
from connector_core.contract.models import Delivery
from connector_core.testing.conformance.catcher import Caught
from connector_core.testing.conformance.checks import Checks, needs
from connector_core.testing.conformance.ground import OTHER_SECRET, Opened
from connector_core.testing.conformance.system import WEBHOOK_SECRET

DAY_S = 86_400.0
#: What a delivery is known by.
NAMED = "delivery with the title, the key or the id of the ticket"


class Deliveries(Checks):
    """The vendor tells of changes."""

    @needs("webhook")
    def test_a_delivery_tells_of_its_ticket(self) -> None:
        """It is believed as it came: it shows the ticket as it is, or says that it is to be read."""
        opened, caught = self._told()

        delivery = self._read(caught)

        assert isinstance(delivery, Delivery), "a delivery of the vendor's is not understood"
        told = {ticket.id for ticket in delivery.tickets} | delivery.hints
        assert opened.ticket.id in told
        for ticket in delivery.tickets:
            assert not ticket.done
            assert ticket.title in {"", self.ground.read(opened.ticket.id).title}

    @needs("webhook")
    def test_a_finished_ticket_is_told_of(self) -> None:
        """The delivery of a finish shows that it is done, or says that the ticket is to be read."""
        opened, _ = self._told()
        before = len(self.ground.system.catcher.all())
        self.ground.desk.finish_ticket(opened.ticket.id)

        assert self._comes(before, opened, lambda one: any(ticket.done for ticket in one.tickets) or bool(one.hints))

    @needs("webhook", "delete_ticket")
    def test_a_deleted_ticket_is_told_of(self) -> None:
        """The delivery of a deletion names the ticket: as deleted, or as one to be read."""
        opened, _ = self._told()
        before = len(self.ground.system.catcher.all())
        self.ground.desk.delete_ticket(opened.ticket.id)

        assert self._comes(before, opened, lambda one: opened.ticket.id in one.deleted | one.hints)

    @needs("signed_webhook")
    def test_another_secret_is_not_believed(self) -> None:
        """What was signed with another secret than ours is nobody's, or rejected."""
        _, caught = self._told()

        assert self._read(caught, OTHER_SECRET) is None

    @needs("signed_webhook")
    def test_one_of_two_secrets_is_enough(self) -> None:
        """While secrets are changed, either is taken, and it is said which one it was."""
        _, caught = self._told()

        delivery = self._read(caught, OTHER_SECRET, WEBHOOK_SECRET)

        assert isinstance(delivery, Delivery)
        assert delivery.signed_by == 1

    @needs("signed_webhook")
    def test_a_changed_body_is_not_believed(self) -> None:
        """One letter of the body, one more, and no body at all: each is refused."""
        _, caught = self._told()
        assert self._read(caught) is not None
        another_number = re.sub(rb"\d", lambda found: b"%d" % (9 - int(found[0])), caught.body, count=1)
        for body in (another_number, caught.body + b" ", caught.body[:-1], b""):
            assert body != caught.body
            assert self._read(caught.with_body(body)) is None, "a body is believed that was not signed"

    @needs("signed_webhook")
    def test_a_spoiled_header_is_refused_and_nothing_else(self) -> None:
        """Without what proves the sender nothing is believed; and no header leads to another error."""
        _, caught = self._told()
        assert self._read(caught) is not None, "a delivery of the vendor's is not understood"
        spoiled = [name for name in caught.telling_headers if self._read(caught.spoiled(name)) is None]
        left_out = [name for name in caught.telling_headers if self._read(caught.without(name)) is None]

        assert spoiled, "nothing of what goes with a delivery proves who sent it"
        believed = ", ".join(sorted(set(spoiled) - set(left_out)))
        assert not believed, f"a delivery without {believed} is believed: no signature is as good as a right one"

    @needs("webhook")
    def test_a_delivery_has_one_name(self) -> None:
        """The same delivery once more has the same id, so that it counts once; another has another."""
        _, caught = self._told()
        _, other = self._told()

        first, again, another = self._read(caught), self._read(caught), self._read(other)

        assert isinstance(first, Delivery)
        assert isinstance(again, Delivery)
        assert isinstance(another, Delivery)
        assert first.id
        assert first.id == again.id != another.id

    @needs("webhook")
    def test_an_old_delivery_undoes_nothing(self) -> None:
        """A day later it is refused, or has the name that it had: one that came before is known by it."""
        _, caught = self._told()
        today = self._read(caught)

        later = self._read(caught, ahead_s=DAY_S)

        assert isinstance(today, Delivery)
        assert later is None or later.id == today.id

    @needs("webhook", "edit_title")
    def test_an_older_delivery_is_known_as_older(self) -> None:
        """Read in another order, the later one is told apart by its time, or both only say that a look is needed."""
        opened, _ = self._told()
        one, two = (self._edited(opened, word) for word in ("one", "two"))

        later, earlier = self._read(two), self._read(one)

        assert isinstance(earlier, Delivery)
        assert isinstance(later, Delivery)
        if not self.ground.plugin.info.times_are_exact:
            return  # the core reads them, and goes by no time
        for old in earlier.tickets:
            for new in later.tickets:
                assert old.updated is not None, "snapshots without a time cannot be put in order: hints can"
                assert new.updated is not None
                assert old.updated <= new.updated
                if old.updated == new.updated:
                    assert old.title == new.title, "two states with one time cannot be put in order: hints can"

    @needs("webhook")
    def test_a_delivery_of_nobodys_ticket_is_no_error(self) -> None:
        """What is readable and shows nothing that we know is taken quietly."""
        _, caught = self._told()

        assert not isinstance(self._read(caught.with_body(b'{"event": "ping"}')), Exception)

    @needs("signed_webhook")
    def test_who_sent_it_is_found_before_it_is_read(self) -> None:
        """`find_signature` says the same as reading does."""
        if not self.ground.plugin.implements("find_signature"):
            return
        _, caught = self._told()
        request = caught.request(self.ground.system.clock.now())

        signature = self.ground.caller.call("find_signature", request=request)

        secrets = {secret.get_secret_value(): secret for secret in self.ground.handle.webhook_secrets}
        assert signature.is_given
        assert signature.is_by(secrets[WEBHOOK_SECRET])
        spoiled = caught.with_body(caught.body + b" ").request(self.ground.system.clock.now())
        assert not self.ground.caller.call("find_signature", request=spoiled).is_by(secrets[WEBHOOK_SECRET])

    def _told(self) -> tuple[Opened, Caught]:
        """Open a ticket, with which a webhook comes."""
        catcher = self.ground.system.catcher  # registered before anything happens
        before = len(catcher.all())
        opened = self.ground.open()
        return opened, catcher.next_of(lambda caught: is_about(caught, opened), after=before, what=NAMED)

    def _edited(self, opened: Opened, word: str) -> Caught:
        """Have a person change the title; return what comes of it, whether it tells the title or not."""
        before, title = len(self.ground.system.catcher.all()), f"{opened.incident.title} {word}"
        self.ground.desk.edit_ticket(opened.ticket.id, title=title)
        return self.ground.system.catcher.next_of(lambda caught: is_about(caught, opened), after=before, what=NAMED)

    def _comes(self, before: int, opened: Opened, wanted: Callable[[Delivery], bool]) -> bool:
        """Return whether, after so many deliveries, one of a ticket comes that is wanted."""

        def is_it(caught: Caught) -> bool:
            delivery = self._read(caught) if is_about(caught, opened) else None
            return delivery is not None and wanted(delivery)

        return self.ground.system.catcher.comes(is_it, after=before)

    def _read(self, caught: Caught, *secrets: str, ahead_s: float = 0.0) -> Delivery | None:
        """Hand a delivery to the plugin; a rejection is as good as nothing."""
        try:
            delivery: Delivery | None = self.ground.receive(
                caught, secrets=secrets or (WEBHOOK_SECRET,), ahead_s=ahead_s
            )
        except WebhookRejected as exc:
            status = exc.status
        else:
            return delivery
        assert status in range(400, 500), f"a stranger is told {status}"
        return None


def is_about(caught: Caught, opened: Opened) -> bool:
    """Return whether a delivery names a ticket: by its title, its key, or its id, which may be a number there."""
    ticket_id, words = opened.ticket.id, (opened.incident.title, opened.ticket.key, f'"{opened.ticket.id}"')
    is_number = ticket_id.isdecimal() and re.search(rb":\s*%s\s*[,}]" % ticket_id.encode(), caught.body) is not None
    return is_number or any(caught.mentions(word) for word in words if word)
