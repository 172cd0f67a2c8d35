"""Sentences for people that are longer than a line of code."""

from __future__ import annotations

BOTH_PRODUCTS = (
    "The account must have access to a site that has both Jira and Jira Service Management. Ask an administrator of "
    "the site to enable a Jira product there, or to give the account access to one."
)
DECLINED = "Access was denied on Atlassian's consent screen."

NOT_LISTED = (
    "Not in the list? Check in Jira that the authorized account may see it (Project settings > People or "
    "Permissions), then reload."
)
CLOSE_STATUS_HELP = (
    "The status that a ticket gets when its incident is resolved. The workflow must lead there from every open "
    "status, or the ticket stays open."
)
NO_WAY = 'No transition leads here from "{status}", where ticket {key} is now.'
NOT_DONE = "Not of the category Done: Jira, and this connector, will still see the ticket as open."
KEEP_OPEN = "Do not auto-close"
KEEP_OPEN_NOTE = "Tickets are closed by people in Jira only."

WEBHOOK = """\
Without this step changes travel to Jira only. With it, changes of summary, description and priority come back, and a \
ticket that is moved to a status of the category Done closes its incident.

1. In Jira, as a site administrator: Settings (cog) > System > WebHooks (under Advanced), or open \
{site}/plugins/servlet/webhooks. Click "Create a WebHook".

2. Name: Connector. Status: Enabled. URL: {url}

3. Issue related events: check Issue > updated, nothing else is needed. JQL: project = {project}, so that other \
projects' events are not sent.

4. Secret: click "Generate secret" and copy it now, before saving: Jira never shows it again. Save the webhook.

5. Paste the secret here. To change it later without losing events, add the new one here first, then change it in Jira.\
"""
