"""Everything durable, noun by noun."""

from __future__ import annotations

from connector_core.store.attaching import Attaching
from connector_core.store.audit import Audit
from connector_core.store.authorizations import Authorizations
from connector_core.store.breakers import Breakers
from connector_core.store.checkups import Checkups
from connector_core.store.comments import Comments
from connector_core.store.configuration import Configuration
from connector_core.store.delivery_log import DeliveryLogs
from connector_core.store.display_names import DisplayNames
from connector_core.store.duties import Duties
from connector_core.store.exporting import Exporting
from connector_core.store.figures import OverTime
from connector_core.store.forgetting import Forgetting
from connector_core.store.grants import Grants
from connector_core.store.inbox import Inbox
from connector_core.store.integrations import Integrations
from connector_core.store.knowledge import Knowledge
from connector_core.store.lanes import Lanes
from connector_core.store.life import Life
from connector_core.store.link_settings import LinkSettings
from connector_core.store.links import Links
from connector_core.store.nodes import Nodes
from connector_core.store.notifiers import Notifiers
from connector_core.store.nouns import StoreDatabase
from connector_core.store.overview import Overview
from connector_core.store.removal import Removals
from connector_core.store.replays import Replays
from connector_core.store.round_trips import RoundTrips
from connector_core.store.routing import Routings
from connector_core.store.runs import Runs
from connector_core.store.secrets import Secrets
from connector_core.store.sessions import Sessions
from connector_core.store.setup_links import SetupLinks
from connector_core.store.sources import Sources
from connector_core.store.timeline import Timelines
from connector_core.store.webhooks import Webhooks


class Store:
    """The nouns of one database; `open_store` makes it."""

    def __init__(self, database: StoreDatabase) -> None:
        self.database = database
        self.inbox = Inbox(database)
        self.lanes = Lanes(database)
        self.nodes = Nodes(database)
        self.duties = Duties(database)
        self.breakers = Breakers(database)
        self.links = Links(database)
        self.round_trips = RoundTrips(database)
        self.attaching = Attaching(database)
        self.display_names = DisplayNames(database)
        self.link_settings = LinkSettings(database)
        self.routing = Routings(database)
        self.comments = Comments(database)
        self.timelines = Timelines(database)
        self.integrations = Integrations(database)
        self.grants = Grants(database)
        self.audit = Audit(database)
        self.delivery_log = DeliveryLogs(database)
        self.replays = Replays(database)
        self.authorizations = Authorizations(database)
        self.webhooks = Webhooks(database)
        self.knowledge = Knowledge(database)
        self.checkups = Checkups(database)
        self.sources = Sources(database)
        self.notifiers = Notifiers(database)
        self.runs = Runs(database)
        self.overview = Overview(database)
        self.figures = OverTime(database)
        self.sessions = Sessions(database)
        self.setup_links = SetupLinks(database)
        self.configuration = Configuration(database)
        self.life = Life(database)
        self.secrets = Secrets(database)
        self.forgetting = Forgetting(database)
        self.removals = Removals(database)
        self.exporting = Exporting(database)

    @property
    def can_open_secrets(self) -> bool:
        """Return whether there is a key for what is sealed."""
        return self.database.box.has_key

    def close(self) -> None:
        """Finish what is under way, then close every connection."""
        self.database.close()
