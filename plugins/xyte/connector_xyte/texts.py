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
ALREADY_OPEN = "What happens to incidents that are open at the first look. Without a choice they are left."
OPEN_CHOICES = (
    Choice("leave", "Leave them", note="Only incidents opened from the activation on become requests."),
    Choice("create", "Create requests for them", note="Every incident that is open becomes a request at once."),
)
BASE_URL = "Leave it empty for {hub}."
INCIDENTS = "Which incidents become requests. Without an answer: all, at once."
MINIMUM_PRIORITY = "Incidents of a lower priority are left out. Without a choice all matter."
PRIORITY_NOTES = {
    Priority.CRITICAL: "Only the most urgent ones.",
    Priority.PLANNING: "All incidents.",
}
OPEN_AFTER = "How long an incident has to be open before it becomes a request, like 2m. A shorter one never does."
POLL_EVERY = "How often Xyte is asked, like 30s, which is the default; 10s is the least."
SPACES = (
    "What is said of a space holds for all below it, unless one of those says otherwise. Once any is included, only "
    "those are. The list shows the highest {most}; others are named in the configuration file."
)
SPACE_CHOICES = (Choice(INCLUDE, "include"), Choice(EXCLUDE, "leave out"))
