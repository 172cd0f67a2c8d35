"""What a run of the checks showed, as the table of a plugin."""

from __future__ import annotations

from connector_core.testing.conformance.quality import RULES, Tried, tier_of
from connector_core.testing.conformance.report import LifeReport, page_of
from connector_core.testing.quality import page_with


def all_kept(**changes):
    """Return a life in which each rule was tried, and held but for the changes."""
    outcomes = {check: "passed" for rule in RULES for check in rule.checks}
    return LifeReport("desk", "TestDesk", outcomes={**outcomes, **changes})


def test_the_highest_tier_is_what_all_below_it_allow():
    """A rule that fails, or was never tried, ends the climb; one that cannot be kept with a reason does not."""
    whole = all_kept()
    assert tier_of(Tried(whole.outcomes, {})) == "platinum"
    assert tier_of(Tried({**whole.outcomes, "test_a_limit_creates": "failed"}, {})) == "bronze"
    assert tier_of(Tried({**whole.outcomes, "test_only_what": "failed"}, {})) == ""
    never = {name: how for name, how in whole.outcomes.items() if not name.startswith("test_daemon_")}
    assert tier_of(Tried(never, {})) == "gold"
    exempt = {**whole.outcomes, "test_a_limit_creates": "skipped"}
    assert tier_of(Tried(exempt, {"test_a_limit_creates": "there are none"})) == "platinum"


def test_a_rule_that_one_site_cannot_keep_has_a_limit():
    """Over several lives what held somewhere is done, with the reason why it was left out elsewhere."""
    other = LifeReport("desk", "TestOther", {"test_only_what": "skipped"}, {"test_only_what": "it is read only"})

    page = page_of([all_kept(), other])

    assert "| bronze | Only what was asked for is written | done, with a limit | it is read only |" in page


def test_what_people_wrote_around_the_table_stays():
    """Only what stands between the marks is replaced."""
    page = page_with("# Desk\n\nOur own words.\n", [all_kept()])
    again = page_with(page.replace("TestDesk", "Former") + "Below.\n", [all_kept()])

    assert again.startswith("# Desk\n\nOur own words.\n")
    assert again.endswith("Below.\n")
    assert "Former" not in again
    assert again.count("Tier: **platinum**") == 1
