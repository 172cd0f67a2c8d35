"""The description of our HTTP surface is complete and true to routes, models and limits."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import structlog
from openapi_spec_validator import validate
from ruamel.yaml import YAML
from starlette.routing import Route

from connector_core.app import build_app
from connector_core.config import read_config
from connector_core.config.models import LimitSettings
from connector_core.contract import models
from connector_core.health.refusals import SEARCH_LIMIT
from connector_core.http_source import event_wire
from connector_core.http_source.signatures import TOLERANCE_S
from connector_core.inbound import senders
from connector_core.web import receive
from connector_core.web.server import build_web

PATH = Path(__file__).parents[1] / "docs" / "openapi.yaml"
DESCRIPTION = YAML(typ="safe").load(PATH)

# First parts of addresses that are pages for people. They are no interface and are not described.
PAGES = {
    "",
    "account",
    "activity",
    "audit",
    "deliveries",
    "hand-over",
    "setup_link",
    "integrations",
    "links",
    "login",
    "logout",
    "notifications",
    "overview",
    "routing",
    "sources",
    "static",
    "unfinished",
}


def test_the_description_is_valid():
    """It keeps to OpenAPI 3.1."""
    validate(json.loads(json.dumps(DESCRIPTION)))


def test_every_route_is_described_and_no_other(tmp_path):
    """Addresses and methods are those of the running server, but for its pages; HEAD goes with GET."""
    path = tmp_path / "connector.yaml"
    path.write_text("{database: 'sqlite:///connector.db', secret_key: a passphrase that is long enough}")
    app = build_app(*read_config(path), log=structlog.get_logger())
    routes = [route for route in build_web(app).routes if isinstance(route, Route)]
    app.store.close()

    served = {
        (route.path, method.lower())
        for route in routes
        for method in (route.methods or set()) - {"HEAD"}
        if route.path.split("/")[1] not in PAGES
    }
    assert served == {(path, method) for path, methods in DESCRIPTION["paths"].items() for method in methods}


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("IncidentEvent", models.IncidentEvent),
        ("Incident", models.Incident),
        ("Comment", models.Comment),
        ("Device", models.Device),
        ("Location", models.Location),
    ],
)
def test_the_described_event_is_the_one_that_is_read(name, model):
    """Keys, and which of them must be there, are those of the models."""
    described = DESCRIPTION["components"]["schemas"][name]
    real = model.model_json_schema()

    assert list(described["properties"]) == list(real["properties"])
    assert described.get("required", []) == real.get("required", [])
    assert "additionalProperties" not in described  # what is not named is left out, and counted
    assert real["additionalProperties"] is False


def test_the_described_limits_are_real():
    """Sizes, counts and times in the description are those in the code."""
    text = PATH.read_text()
    events = DESCRIPTION["paths"]["/v1/sources/{source}/events"]["post"]["requestBody"]
    many = events["content"]["application/json"]["schema"]["oneOf"][1]

    assert (many["minItems"], many["maxItems"]) == (1, event_wire.MAX_EVENTS)
    assert f"At most {receive.MAX_EVENTS_BYTES // 1024**2} MiB" in text
    assert f"at most {receive.MAX_WEBHOOK_BYTES // 1024**2} MiB" in text
    assert f"within {LimitSettings().request_within.seconds} seconds" in text
    assert f"at most {TOLERANCE_S} off our clock" in text


@pytest.mark.parametrize("path", ["/external/{route}/webhook", "/external/{route}/webhook/{integration}"])
def test_the_limit_on_looking_for_who_signed_is_described(path):
    """Where it is answered, and with figures that are those in the code; how to get on is in the answer."""
    answers = DESCRIPTION["paths"][path]["post"]["responses"]
    limited = DESCRIPTION["components"]["responses"][answers["429"]["$ref"].rsplit("/", 1)[1]]
    told = (PATH.parent / "operations.md").read_text()

    assert list(limited["headers"]) == ["Retry-After"]
    assert f"{senders.SEARCH_BYTES_PER_S // 1024**2} MiB of hashing a second" in told
    assert f"{senders.SEARCH_BURST_BYTES // 1024**2} MiB after a pause" in told
    assert f"429 with `Retry-After` (`{SEARCH_LIMIT}`" in told


def test_operations_name_no_vendor():
    """The core's surface is the same whichever plugins are installed."""
    assert not re.search(r"(?i)jira|atlassian|\bjsm\b|xyte", PATH.read_text())
