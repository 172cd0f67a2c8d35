"""What Prometheus and Grafana are given: valid by their own tools, and it asks for what the daemon measures."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import structlog
import yaml
from prometheus_client import generate_latest

from connector_core.app import build_app
from connector_core.config import read_config
from connector_core.web.server import build_web
from tests.support.needed import require

ROOT = Path(__file__).parents[1]
MONITORING = ROOT / "deploy" / "monitoring"
RULES = MONITORING / "connector.rules.yml"
RULE_TESTS = ROOT / "tests" / "monitoring" / "rules.test.yml"
DASHBOARD = json.loads((MONITORING / "grafana-dashboard.json").read_text())
#: Of Prometheus itself, or of other programs.
OTHERS = {"up", "ALERTS"}
FUNCTIONS = {
    "sum",
    "max",
    "min",
    "count",
    "by",
    "rate",
    "increase",
    "histogram_quantile",
    "max_over_time",
    "label_values",
}
WORDS = {"unless", "and", "on", "or", "le"}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Return the figures of an app that has done nothing yet: the labels of each metric, by its name."""
    path = tmp_path_factory.mktemp("app") / "connector.yaml"
    path.write_text("secret_key: a passphrase that is long enough")
    config, plugins = read_config(path)
    app = build_app(config, plugins, log=structlog.get_logger("test"))
    build_web(app)
    app.metrics.called("desk", "acme-desk", "GET", 200, 0.1)
    app.metrics.ticket_made("desk", 2)
    text = generate_latest(app.metrics.registry).decode()
    app.store.close()
    return text


@pytest.fixture(scope="module")
def names(measured):
    """Return the names that can be asked for: those of histograms have three endings."""
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", measured, re.MULTILINE))
    found = set(kinds)
    for name in (name for name, kind in kinds.items() if kind == "histogram"):
        found |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"}
    return found


def asked_for(expression):
    """Return the names of metrics in an expression."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|(by|on) \([^)]*\)', " ", expression)
    return set(re.findall(r"[a-zA-Z_]\w+", bare)) - FUNCTIONS - WORDS - OTHERS


def alerts():
    """Return the rules of alerts."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panels():
    """Return what is shown, without the headings."""
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions():
    """Return everything that Prometheus is asked by the dashboard, with its variables filled in."""
    found = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [
        one.replace("$__rate_interval", "5m").replace("$instance", ".*").replace("$integration", ".*") for one in found
    ]


def promtool(*words):
    """Run promtool; it has to be content."""
    done = subprocess.run([require("promtool"), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_watch_what_is_measured(names):
    """A metric that was renamed would never wake anybody."""
    assert {name for rule in alerts() for name in asked_for(rule["expr"])} <= names


def test_each_alert_says_how_bad_it_is_and_what_to_do():
    """And none is there twice, by its name or by what it watches."""
    found = alerts()

    assert {rule["labels"]["severity"] for rule in found} == {"critical", "warning", "info"}
    assert all(rule["annotations"]["summary"] and rule["annotations"]["description"] for rule in found)
    assert len({rule["alert"] for rule in found}) == len(found)
    assert len({rule["expr"] for rule in found}) == len(found)


def test_each_alert_is_tested():
    """By figures that make it fire."""
    tested = set(
        re.findall(r'ALERTS\{alertname="(\w+)"\}\n\s+eval_time: \w+\n\s+exp_samples:\n', RULE_TESTS.read_text())
    )

    assert tested == {rule["alert"] for rule in alerts()}


@pytest.mark.extended
def test_promtool_understands_the_rules_and_what_is_scraped():
    """With every check that it has."""
    promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    promtool("check", "config", "--lint=all", "--lint-fatal", MONITORING / "prometheus.yml")


@pytest.mark.extended
def test_alerts_fire_when_they_should_and_once():
    """Also where several daemons say the same, and where one cause shows in several figures."""
    promtool("test", "rules", RULE_TESTS)


@pytest.mark.extended
def test_promtool_understands_the_figures(measured):
    """Names, units and texts are as Prometheus wants them."""
    done = subprocess.run(
        [require("promtool"), "check", "metrics"], input=measured, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.extended
def test_promtool_understands_what_the_dashboard_asks(tmp_path):
    """Each expression, as if it were a rule."""
    rules = [{"record": f"asked:{number}", "expr": one} for number, one in enumerate(expressions())]
    path = tmp_path / "asked.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}))

    promtool("check", "rules", "--lint=none", path)


def test_the_dashboard_shows_what_is_measured(names):
    """Each panel asks for metrics that exist."""
    assert {name for one in expressions() for name in asked_for(one)} <= names


def test_each_panel_has_a_unit_a_text_and_a_place_of_its_own():
    """So that a figure can be read, and none lies above another."""
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    for panel in panels():
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)


def test_the_job_of_the_rules_is_that_of_the_scrape_configuration():
    """Rules and dashboard ask for it by name."""
    scraped = yaml.safe_load((MONITORING / "prometheus.yml").read_text())

    assert [job["job_name"] for job in scraped["scrape_configs"]] == ["connector"]
    assert scraped["rule_files"] == [RULES.name]


def test_histograms_have_labels_that_stay_few(measured):
    """A dozen rows for each plugin, and not for each of thousands of integrations."""
    labels = {
        name: set(re.findall(r'(\w+)="', text))
        for name, text in re.findall(r"^(connector_\w+)_bucket\{(.*)\}", measured, re.MULTILINE)
    }

    assert labels == {
        "connector_call_seconds": {"plugin", "answer", "le"},
        "connector_ticket_seconds": {"plugin", "le"},
    }
