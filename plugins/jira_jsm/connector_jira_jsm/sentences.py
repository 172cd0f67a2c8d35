"""Sentences for people that are longer than a line of code."""

from __future__ import annotations

BOTH_PRODUCTS = (
    "Authorization requires a site with both Jira and Jira Service Management. If your account only has Jira Service "
    "Management, Atlassian responds with Access denied on the consent screen: ask a workspace admin to enable a Jira "
    "product on the site, or to grant your user access to one."
)
DECLINED = "Access was denied on Atlassian's consent screen."

NOT_LISTED = (
    "Not in the list? Verify that there are no limiting permissions on the Jira side for the authorized account "
    "(Project settings > People or Permissions), then click Reload."
)
NO_DESKS = (
    "Jira shows only service desks that the authorized account may see: the site needs Jira Service Management, and "
    "the account a role in the project (Project settings > People). Ask a Jira admin, then click Reload."
)
NO_REQUEST_TYPES = (
    "The service desk has no request type that the authorized account may see. Add one in Project settings > Request "
    "types, then click Reload."
)
SERVICE_DESK_HELP = "Select the service desk where incidents become requests."
REQUEST_TYPE_HELP = "Select the request type to use when new incidents are detected."
CLOSE_STATUS_HELP = "Select the status that a request gets when its incident is resolved."
CLOSE_STATUS_TEXT = (
    "At least one transition of the workflow must be able to move a request from any open state to closed, otherwise "
    "it stays open. Select Do not auto-close to manage the status of tickets entirely from Jira."
)
FIELDS_HELP = "Values for the request's other fields. Required ones need a value."
FIELDS_TEXT = (
    "A value is a constant, an entry of the field's list, or a template over the incident, such as "
    "{{ incident.device.name }} or {{ incident.location.name or 'unknown' }}."
)
FIELDS_GROUP = "Read from the request type; click Reload after a change in Jira."
FIELDS_COMPLETE = "Every required field has a value."
SAMPLE_BELOW = "Below is the request as it would be created."
SUMMARY_TEMPLATE = (
    "Instead of the incident's title, like [{{ incident.location.name }}] {{ incident.title }}. If someone edits the "
    "summary in Jira, the incident's title changes too, without what the template puts around it."
)
ONE_WAY = (
    "{setting}: changes made in Jira are not synced back, because the incident's {field} cannot be told from what this "
    "template makes. Put {{{{ incident.{field} }}}} into it once, without a filter or a condition, to sync both ways."
)
DESCRIPTION_TEMPLATE = "Instead of the incident's description; the details of incident and device follow in any case."
NOTIFY_USERS = (
    "Whether Jira mails watchers when the connector changes a title, description or priority. Default: it does. "
    "Comments and transitions follow Jira's notification scheme."
)
ON_BEHALF = (
    "The customer that requests are raised for: a name, an e-mail address or an account ID. Default: the authorized "
    "account."
)
PARTICIPANTS = (
    "People who take part in every request: names, e-mail addresses or account IDs, with commas between them."
)
PERSON_FIX = (
    "Type the beginning of a name or the e-mail address, or paste the account ID from the address of the profile: "
    "customers who only use the portal are not found by name, and nobody is without the global permission Browse users "
    "and groups."
)
PRIORITIES_HELP = "Priority mapping. Unmapped priorities are matched by name, then by order."
PRIORITY_GROUP = "The list is the one of the request type's project."
NO_PRIORITIES = (
    "The request type has no field Priority: new tickets get Jira's default, and only the default names come back."
)
CLOSE_FIELDS = "Fields Jira asks for during the transition, such as a resolution."
CLOSE_FALLBACK = "What to try, in this order. Default: everything. After that, the incident waits for you."
FALLBACKS = {
    ("other_path", "other_done", "comment"): (
        "Try another transition, then another Done status, then leave an internal comment"
    ),
    ("other_path", "other_done"): "Try another transition, then another Done status",
    ("other_path", "comment"): "Try another transition, then leave an internal comment",
    ("comment",): "Leave an internal comment that asks someone to close the ticket",
}

TEST_EVENT = "Change the summary of any request in the project of this service desk, or comment on one."
WEBHOOK_HELP = "Syncs changes from Jira back to the incident platform. Optional; you can do this later."

NO_PATH = 'No way leads here from "{status}", where ticket {key} is now.'
NOT_DONE = "Not a Done status: tickets here still count as open."
KEEP_OPEN = "Do not auto-close"
KEEP_OPEN_NOTE = "Tickets are closed by people in Jira only."

WORKFLOW_FIX = (
    "In Jira, Project settings > Workflows: add a transition from this status towards the close status and let the "
    "authorized account use it (Transition issues permission). Then retry."
)
SCREEN_FIX = (
    "Give them values under close_fields (set-up, step Close Status), or in Jira, Project settings > Workflows: take "
    "them off the transition's screen or make them optional. Then retry."
)
MAKE_AGENT = (
    "Make the account an agent of the service desk (Project settings > People) and authorize again; or let customers "
    "see them: comments.to_ticket: public."
)
PLEASE_CLOSE = (
    "The incident of this request is resolved, but the request could not be closed automatically: {reason} "
    "Please close it."
)

PATH_THERE = '"{status}" → {steps}.'
PATH_BEFORE = '"{status}" → {steps}: this path has been used before.'
PATH_BARRED = 'From "{status}" to "{target}" there is a way, but fields of its screens have no value: {fields}.'
PATH_UNKNOWN = '"{status}" → "{target}": will be checked with the first ticket in that status.'
OTHER_PATH = 'No way leads from "{status}" to "{target}"; "{other}" is of the category Done too and is taken instead.'
NO_PATH_FROM = (
    'No way leads from "{status}" to "{target}" or to any other status of the category Done: tickets that stand there '
    "cannot be closed."
)
STATUS_GONE = "The chosen status is no longer in the workflow of the request type."

WEBHOOK = """\
Without this step, changes made in Jira are picked up with a delay. With it, changes of summary, \
description and priority come back at once as far as the platform takes them, and a ticket that is moved to a status \
of the category Done closes its incident. You need site-admin permissions in Jira; \
if you don't have them, hand this step to your Jira admin.

1. In Jira, navigate to Settings (cog icon) → System → WebHooks (under Advanced), or open \
{site}/plugins/servlet/webhooks.

2. Click + Create a WebHook. Name: Connector, or any other. Status: Enabled. URL: {url}

3. Issues – JQL: leave it blank to receive events for all issues, or scope it to the project, like {jql}. Issue \
related events: check updated.

4. In the section Secret click Generate secret, and copy the value now: Jira hides it permanently after you save. If \
you'd rather supply your own, generate one here and paste it there.

5. Click Save in Jira. Then paste the secret below and click Update.

The connector can register the webhook itself instead; then nobody has to be an administrator of the site. Select that \
below and click Update.\
"""  # noqa: RUF001 - the dash is the one on the form in Jira

WEBHOOK_BY_ITSELF = "The connector registers it"
WEBHOOK_NOTE = "Nobody has to be an administrator of the site. Needs consent with the scope manage:jira-webhook."
WEBHOOK_NEEDS_OAUTH = "Jira lets only OAuth apps register webhooks; this integration uses an API token."
WEBHOOK_SCOPE_HELD = "The present authorization has the scope manage:jira-webhook."
WEBHOOK_SCOPE_UNKNOWN = "Whether the present authorization has the scope manage:jira-webhook is not known."
WEBHOOK_SCOPE_LACKS = (
    "The present authorization lacks the scope manage:jira-webhook. Add it to the app in the developer console "
    "(Permissions > Jira API), select The connector registers it, click Update, and do the step Authorize access again."
)
WEBHOOK_MANAGED = """\
The connector registers a webhook in Jira once the integration is active, renews it before it ends, and removes it \
when the integration is disabled. No secret needed: the connector reads the ticket itself.

1. In Atlassian's developer console open the app → Permissions → Jira API, and add manage:jira-webhook.

2. Do the step Authorize access again: the consent asks for that scope from now on.

3. Activate. If the integration is active already, the webhook is registered within a minute.\
"""

CONSENT = """1. Log in with a user that has administrative privileges on your Jira instance.

2. Review and approve the requested permissions. You are redirected back here to complete the set-up."""
