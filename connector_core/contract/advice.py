"""What someone can do about a problem in the product, as a fact: which action, on what.

How that is done is said by each surface, see `connector_core.words.advice`: a terminal names a command, a page has a
link or a button. What has to be done in another system stands in an error's or a finding's `fix`, in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Remedy(StrEnum):
    """An action that mends something."""

    # On a link
    RETRY = "retry"
    RECREATE = "recreate"
    UNLINK = "unlink"
    DISCARD = "discard"
    RESOLVE = "resolve"
    SEE_TIMELINE = "see_timeline"

    # On an integration
    AUTHORIZE = "authorize"
    ACTIVATE = "activate"
    SET_UP = "set_up"
    DISCARD_DRAFT = "discard_draft"
    RETRY_ALL = "retry_all"
    SEE_FAILED = "see_failed"
    CHECK = "check"
    SEND_TEST = "send_test"

    # On an organization
    LIST_UNSENT = "list_unsent"
    SEND_INCIDENT = "send_incident"
    SET_UP_SOURCE = "set_up_source"
    REMOVE_SOURCE = "remove_source"

    # On everything
    START = "start"
    MIGRATE = "migrate"
    CHECK_DATABASE = "check_database"
    LIST_NODES = "list_nodes"
    CHECK_CONFIG = "check_config"
    MAKE_HASH = "make_hash"
    LIST_NOTIFIERS = "list_notifiers"
    LIST_LINKS = "list_links"
    LIST_INTEGRATIONS = "list_integrations"
    APPLY_CONFIG = "apply_config"
    FORGET_SECRETS = "forget_secrets"


@dataclass(frozen=True)
class Advice:
    """One thing that someone can do.

    >>> Advice(Remedy.SET_UP, "helpdesk", step="close_status").target
    'helpdesk'
    """

    #: What to do.
    action: Remedy
    #: On what: the number of a link, the id of an integration or of an organization. A plugin leaves it open: the core
    #: knows which integration it is about.
    target: str = ""
    #: The step of set-up that it is about, by its key; the field, of `RESOLVE`.
    step: str = ""
    #: The keys of the answers that are missing.
    answers: tuple[str, ...] = ()
