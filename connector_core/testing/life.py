"""The life of a ticket as tests: hooks against a stand-in or a real server, with faults in the session; no daemon."""

from __future__ import annotations

from connector_core.testing.conformance.commenting import Commenting
from connector_core.testing.conformance.deliveries import Deliveries
from connector_core.testing.conformance.editing import Editing
from connector_core.testing.conformance.marking import Marking
from connector_core.testing.conformance.opening import Opening
from connector_core.testing.conformance.reading import Reading
from connector_core.testing.conformance.setting_up import SettingUp


class TicketingLife(Opening, Reading, Editing, Commenting, Marking, Deliveries, SettingUp):
    """What every ticketing plugin has to get through: inherit, name the plugin, and run pytest.

    class TestMyDesk(TicketingLife):
        plugin = "my_desk"
        cannot = {"edit_description": "the first comment cannot be changed"}

    `plugin` is the name of its entry point; the stand-in is found by the same name, unless `open_system` starts another
    one or reaches a real server. `settings` are answers beside those that the stand-in gives for a working integration.
    `cannot` has a reason for each ability that the plugin or its vendor lacks: its checks are skipped with it, and the
    report shows it; see `connector_core.testing.conformance.checks.ABILITIES`. `reads` are patterns of calls that ask
    with POST and change nothing. Where `shares_clock` is set the stand-in goes by the clock given to `open_system`, and
    no check has to wait; beside another one, such as a real server, a check waits `longest_wait_s` at a time.
    """
