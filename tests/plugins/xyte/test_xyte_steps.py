"""The steps of set-up, and a first look that comes after others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import SecretStr

import connector_xyte
from connector_core import ConfigError, FieldName, Incident
from connector_xyte.settings import PLUGIN, SpaceChoice, XyteSettings
from connector_xyte.steps import MOST_ROWS, MOST_SPACES
from tests.support.xyte.handles import Reader, make_reader, make_source_of


def field_of(source, step, key):
    """Return one question of a step."""
    steps = {one.key: one for one in connector_xyte.configure_source(source)}
    return next(asked for asked in steps[step].fields if asked.key == key)


def test_nothing_is_fetched_before_it_is_asked_for(sandbox, clock):
    """Listing the steps calls nobody, connected or not."""
    source = make_source_of(sandbox, clock)
    connector_xyte.configure_source(source)
    connector_xyte.configure_source(replace(source, settings=None))

    assert sandbox.api.calls == []


def test_the_preview_says_whose_key_it_is(sandbox, clock):
    """With the number of open incidents; before there is a key there is none."""
    source = make_source_of(sandbox, clock)
    sandbox.open("Display offline")

    connect, _ = connector_xyte.configure_source(source)
    unfinished, _ = connector_xyte.configure_source(replace(source, settings=None))

    assert connect.preview is not None
    assert [remark.text for remark in connect.preview()] == ["Connected to Acme. 1 open incident."]
    assert unfinished.preview is None


def test_spaces_are_asked_one_by_one(sandbox, clock):
    """By their path; without a key that is said, instead of failing."""
    source = make_source_of(sandbox, clock)

    rows = field_of(source, "incidents", "spaces").rows()

    assert [row.label for row in rows][:2] == ["Acme", "Acme/Berlin"]
    assert {choice.value for choice in rows[0].load()} == {"include", "exclude"}
    assert [row.unanswered for row in rows][:2] == ["", "as above"]
    sandbox.organization.spaces.clear()
    none = field_of(source, "incidents", "spaces")
    assert (none.rows(), none.when_empty) == ([], "Xyte shows no spaces: all incidents are included.")
    with pytest.raises(ConfigError, match="not connected yet"):
        field_of(replace(source, settings=None), "incidents", "spaces").rows()


def test_of_very_many_spaces_the_highest_are_shown(sandbox, clock):
    """A page stays usable, and what decides for most is on it."""
    tree = sandbox.organization.spaces
    root = min(tree)
    tree.update({9000 + n: {**tree[root], "id": 9000 + n, "name": f"Room {n}", "parent_id": root} for n in range(200)})

    rows = field_of(make_source_of(sandbox, clock), "incidents", "spaces").rows()

    assert len(rows) == MOST_SPACES
    assert str(root) in {row.key for row in rows}


def test_a_choice_for_a_space_leads_to_those_below(sandbox, clock):
    """So any of thousands can be chosen, step by step; what is chosen stays on the page, whose length is limited."""
    tree, root = sandbox.organization.spaces, min(sandbox.organization.spaces)

    def add(number, name, parent):
        tree[number] = {**tree[root], "id": number, "name": name, "parent_id": parent, "path": None}

    for n in range(100):
        add(9000 + n, f"Building {n:03}", root)
    add(9500, "Floor", 9099)
    for n in range(300):
        add(10_000 + n, f"Room {n:03}", 9500)

    def listed(**spaces):
        source = make_source_of(sandbox, clock)
        settings = source.settings.model_copy(update={"spaces": SpaceChoice(**spaces)})
        rows = field_of(replace(source, settings=settings), "incidents", "spaces").rows()
        assert len(rows) <= MOST_ROWS
        return {row.key for row in rows}

    assert not {"9099", "9500"} & listed()
    assert "9099" in listed(include=(str(root),))
    assert {"9099", "9500"} <= listed(include=("9099",))
    rooms = listed(exclude=("9500",))
    assert {"9099", "9500", "10000"} <= rooms
    assert "10299" not in rooms
    assert "10299" in listed(exclude=("9500",), include=("10299",))


def test_spaces_of_set_up_mean_the_same_as_those_of_the_file():
    """Space by space, or as two lists."""
    key = SecretStr("k")
    by_space = XyteSettings(organization_key=key, spaces={"3210": "include", "7": "exclude", "8": "include"})
    listed = XyteSettings(organization_key=key, spaces={"include": ["3210", "8"], "exclude": ["7"]})

    assert by_space.spaces == listed.spaces


@pytest.mark.parametrize("spaces", [{"3210": "maybe"}, {"include": "3210"}, {"3210": ["include"]}, "3210"])
def test_other_words_for_spaces_are_refused(spaces):
    """Whatever it is, it is no choice of spaces."""
    with pytest.raises(ValueError, match="spaces"):
        XyteSettings(organization_key=SecretStr("k"), spaces=spaces)


def test_a_first_look_that_comes_after_others_follows_what_has_a_ticket(sandbox, clock):
    """What has one is told when it changes and closes; what has none is left, as at any first look."""
    known, gone, other = (sandbox.open(title) for title in ("Known", "Closed meanwhile", "Other"))
    source = make_source_of(sandbox, clock)
    tickets = [Incident(id=name, title="As it was", opened_at=clock.now()) for name in (known, gone)]
    sandbox.resolve(gone)
    clock.forward(60)

    anew = Reader(replace(source, followed=lambda: tickets))
    first = anew.look()
    clock.forward(60)
    second = anew.look()
    sandbox.resolve(known)
    sandbox.resolve(other)
    clock.forward(60)

    assert first == [("updated", known)]
    assert second == [("resolved", gone)]
    assert anew.look() == [("resolved", known)]


def test_without_a_reset_nobody_is_asked_what_has_a_ticket(sandbox, clock):
    """Only a first look needs it."""
    reader = make_reader(sandbox, clock)
    asked = []

    def followed():
        asked.append(1)
        return []

    reader.source = replace(reader.source, followed=followed)
    reader.look()

    assert asked == []


def test_without_a_gateway_xyte_accepts_no_change_but_closing():
    """Set-up says so before anybody waits for a title that never comes."""
    key = {"organization_key": "key"}
    gateway = {"changes_url": "https://gateway.example.com/incidents", "changes_secret": "a secret of many letters"}
    words = {FieldName.TITLE, FieldName.DESCRIPTION, FieldName.PRIORITY}

    assert PLUGIN.not_accepted(XyteSettings.model_validate(key)) == words
    assert PLUGIN.not_accepted(XyteSettings.model_validate({**key, **gateway})) == frozenset()
