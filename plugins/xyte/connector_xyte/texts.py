"""What people read in the steps of set-up."""

from __future__ import annotations

from connector_core import Choice, Priority
from connector_xyte.settings import EXCLUDE, INCLUDE

CONNECT = "Paste the key of your Xyte organization. It is tried out before it is saved."
CONNECT_TEXT = (
    "1. Log in to Xyte as an admin of the organization, and open Settings > API Keys.\n\n"
    "2. Make a key for the connector and copy it.\n\n"
    "3. Paste it here and click Update."
)
KEY = "From Xyte, Settings > API Keys. It is never shown again."
OTHER_KEY = (
    "With a key of another organization, incidents are read from the beginning and those that are open there are left."
)
ALREADY_OPEN = "What to do with incidents that are open already."
OPEN_CHOICES = (
    Choice("leave", "Ignore them", note="Only incidents opened from the activation on become requests."),
    Choice("create", "Create requests for them", note="Every incident that is open becomes a request at once."),
)
BASE_URL = "Leave it empty for {hub}."
INCIDENTS = "Choose which incidents create requests. By default, all of them, immediately."
MINIMUM_PRIORITY = "Lower priorities are ignored. Default: all."
PRIORITY_NOTES = {
    Priority.CRITICAL: "Only the most urgent ones.",
    Priority.PLANNING: "All incidents.",
}
OPEN_AFTER = "Wait before creating a request, e.g. 2m. Incidents closed sooner create none."
POLL_EVERY = "How often Xyte is asked, like 30s, which is the default; 10s is the least."
SPACES = (
    "A setting applies to all spaces below it. If you include any space, all others are excluded. "
    "Of more than {most} spaces, the highest {most} are listed: save a choice for one to list those right below it."
)
NO_SPACES = "Xyte shows no spaces: all incidents are included."
SPACE_ABOVE = "as above"
SPACE_CHOICES = (Choice(INCLUDE, "include"), Choice(EXCLUDE, "leave out"))
