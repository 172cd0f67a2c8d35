"""People by name or e-mail address, looked up at a site over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from connector_core import Choice, ConfigError
from connector_jira_jsm.checks.checkup import check
from connector_jira_jsm.setup.users import find_user, find_users
from connector_jira_jsm_sandbox.profile import DEFAULT
from tests.support.jira.at_sandbox import Place, place

AVERY, HANA, HILL = (one.account_id for one in DEFAULT.people)


@pytest.fixture(scope="module")
def site() -> Iterator[Place]:
    """Share one site among the tests."""
    with place() as made:
        yield made


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("agent@example.test", "Avery Agent"),
        ("AVERY", "Avery Agent"),
        ("hana helper", "Hana Helper"),
        ("Hill", "Hana Hill"),
        (f" {HANA} ", "Hana Helper"),
    ],
)
def test_one_hit_is_taken(site: Place, typed: str, name: str):
    """By the beginning of a name or address, exactly, or by account id; one call."""
    before = site.sandbox.call_count()

    (found,) = find_user(site.integration, typed)

    assert found.label == name
    assert found.value in {AVERY, HANA, HILL}
    assert site.sandbox.call_count() - before == 1


def test_several_hits_are_a_choice(site: Place):
    """Each with something to tell it by."""
    found = find_user(site.integration, "Hana")

    assert [(one.value, one.label) for one in found] == [(HANA, "Hana Helper"), (HILL, "Hana Hill")]
    assert len({one.note for one in found}) == 2


def test_whoever_is_called_exactly_so_is_meant():
    """Others whose names only begin alike are no choice then."""
    namesake = replace(DEFAULT.person, account_id="712020:5a1c0f1e-0004", display_name="Hana")
    with place(profile=replace(DEFAULT, others=(namesake,))) as site:
        assert [one.value for one in find_user(site.integration, "hana")] == [namesake.account_id]


def test_a_list_is_settled_one_after_another(site: Place):
    """Who is unclear is a choice of whole lists; what comes after is looked up with the next answer."""
    unclear = find_users(site.integration, "Avery, Hana, Hill")
    settled = find_users(site.integration, unclear[0].value)

    assert [one.value for one in unclear] == [f"{AVERY}, {HANA}, Hill", f"{AVERY}, {HILL}, Hill"]
    assert settled == [Choice(f"{AVERY}, {HANA}, {HILL}", "Avery Agent, Hana Helper, Hana Hill")]


@pytest.mark.parametrize("typed", ["Nobody", "nobody@example.test", "712020:5a1c0f1e-0009", "a" * 5000, "\x00"])
def test_nobody_is_said(site: Place, typed: str):
    """What to do then is said too."""
    with pytest.raises(ConfigError, match="knows nobody called") as caught:
        find_user(site.integration, typed)

    assert "Browse users" in caught.value.fix
    assert len(caught.value.message) < 200


def test_a_template_is_left_as_it_is(site: Place):
    """Nobody is asked about it."""
    before = site.sandbox.call_count()
    text = "{{ incident.device.other.owner }}"

    assert find_users(site.integration, text) == [Choice(text, text)]
    assert site.sandbox.call_count() == before


def test_without_the_permission_nobody_is_found():
    """Jira answers with an empty list, not with a refusal."""
    profile = replace(DEFAULT, denied=frozenset({"USER_PICKER"}))
    with place(profile=profile) as site, pytest.raises(ConfigError, match="knows nobody"):
        find_user(site.integration, "Hana")


def test_the_check_names_people_of_the_file():
    """So that pages show who is meant by an account id."""
    with place(more={"raise_on_behalf_of": HANA, "participants": [AVERY, HILL]}) as site:
        check(site.integration)

    assert site.core.labels["raise_on_behalf_of", HANA] == "Hana Helper"
    assert site.core.labels["participants", f"{AVERY}, {HILL}"] == "Avery Agent, Hana Hill"
