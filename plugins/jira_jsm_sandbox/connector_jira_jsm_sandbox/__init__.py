"""A local stand-in for one Atlassian site, for demos and tests. It keeps everything in memory."""

from connector_jira_jsm_sandbox.difficult import DIFFICULT
from connector_jira_jsm_sandbox.faults import Fault, FaultPlan, WebhookFault, rate_limited
from connector_jira_jsm_sandbox.profile import DEFAULT, SiteProfile
from connector_jira_jsm_sandbox.recorder import RecordedCall
from connector_jira_jsm_sandbox.server import JiraSandbox, open_sandbox

__all__ = [
    "DEFAULT",
    "DIFFICULT",
    "Fault",
    "FaultPlan",
    "JiraSandbox",
    "RecordedCall",
    "SiteProfile",
    "WebhookFault",
    "open_sandbox",
    "rate_limited",
]
