"""A ticketing plugin whose access is authorized with answers, at the customer's own address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field, SecretStr

from connector_core import (
    AuthError,
    AuthorizationStart,
    FieldKind,
    Grant,
    PluginInfo,
    Redirect,
    Settings,
    SetupField,
    SetupStep,
    Site,
    hookimpl,
)
from connector_core.testing import MemoryDesk
from tests.support.served import Served

ANSWERS = {"address": "https://acme.example.test", "token": "a good token"}


class OwnDeskSettings(Settings):
    """A desk at an address of the customer's own."""

    address: str = Field(description="Address of the site.")
    token: SecretStr = Field(description="Token.")
    desk: str = Field(description="ID of the desk.")
    close_status: str = Field("Done", description="Status of a ticket whose incident is over.")


class OwnDesk(MemoryDesk):
    """Is authorized with a token, or with consent through an app of the customer's own."""

    #: Whether people consent in a browser.
    consents = False

    @hookimpl
    def describe_plugin(self):
        """Say who this is."""
        return PluginInfo(name="desk", title="Desk", settings=OwnDeskSettings)

    @hookimpl
    def authorize(self, integration, request):
        """Go by the answers, also before they are settings."""
        address = integration.answers["address"]
        token = integration.secret_answers["token"].get_secret_value()
        if self.consents and isinstance(request, AuthorizationStart):
            return Redirect(url=f"{address}/consent?client={token}&state={request.state}")
        if token == "bad":
            raise AuthError("The token is not accepted.")
        return Grant(headers={}, account_id=token, account_name="Agent", site=Site(id=address, name="", url=address))

    @hookimpl
    def configure_steps(self, integration):
        """Ask for the desk, and for what access is authorized with, which the core puts first."""

        def desks():
            if integration.core.grant() is None:
                raise AuthError("Nobody has authorized access yet.")
            return self._choices()

        address = SetupField("address", "Address", "Of the site.", needs_again=frozenset({"token"}))
        token = SetupField("token", "Token", "It lets us in.", FieldKind.SECRET)
        desk = SetupField("desk", "Desk", "It gets the tickets.", FieldKind.CHOICE, load=desks)
        status = SetupField("close_status", "Status", "Of tickets that are over.")
        return (
            SetupStep("desk", "Select Desk", "One.", (desk,)),
            SetupStep("status", "Status", "Its name.", (status,)),
            SetupStep("site", "Your Site", "Where it is.", (address, token), before_authorization=True),
        )


@contextmanager
def two_drafts(folder: Path) -> Iterator[Served]:
    """Serve drafts of two organizations, whose access is authorized with answers."""
    opened = Served(folder, points=[OwnDesk().entry_point()])
    for name, organization in (("helpdesk", "acme"), ("other", "globex")):
        opened.app.setup.create(name, organization, "desk")
    yield opened
    opened.stop()
