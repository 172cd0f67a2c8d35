"""A local stand-in for the incident table of one ServiceNow instance, for demos and tests. All is in memory."""

from connector_servicenow_sandbox.business_rules import Attempt, RuleScheme, small_body
from connector_servicenow_sandbox.difficult import DIFFICULT
from connector_servicenow_sandbox.faults import Fault, FaultPlan, rate_limited
from connector_servicenow_sandbox.profile import DEFAULT, ExtraField, InstanceProfile, Person, State
from connector_servicenow_sandbox.recorder import RecordedCall
from connector_servicenow_sandbox.server import ServiceNowSandbox, open_sandbox
from connector_servicenow_sandbox.writing import Change

__all__ = [
    "DEFAULT",
    "DIFFICULT",
    "Attempt",
    "Change",
    "ExtraField",
    "Fault",
    "FaultPlan",
    "InstanceProfile",
    "Person",
    "RecordedCall",
    "RuleScheme",
    "ServiceNowSandbox",
    "State",
    "open_sandbox",
    "rate_limited",
    "small_body",
]
