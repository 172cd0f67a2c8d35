"""The stand-in of a stage, with what only this one can do."""

from __future__ import annotations

from connector_core.demo.stage import Stage
from connector_jira_jsm_sandbox import JiraSandbox


def sandbox_of(stage: Stage) -> JiraSandbox:
    """Return the stand-in that a stage was opened with."""
    assert isinstance(stage.sandbox, JiraSandbox)
    return stage.sandbox
