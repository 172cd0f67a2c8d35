"""One small bad file per mistake; what is said about it stands beside it.

After a deliberate change of the sentences: `WRITE_EXPECTED=1 pytest tests/core/test_config_mistakes.py`, then read the
difference.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

import pytest
from pydantic import SecretStr, field_validator, model_validator

from connector_core import PluginInfo, Settings
from connector_core.config import ConfigInvalid, read_config
from tests.support.fake_plugins import (
    FakeEntryPoint,
    broken_entry_point,
    desk_entry_point,
    module_of,
    on_incident_event,
    platform_entry_point,
)

FOLDER = Path(__file__).parent / "bad_configs"
ENVIRON = {"KEY": "a-key-that-is-long-enough", "SECRET": "the-hidden-value", "EMPTY": ""}
HIDDEN = (*filter(None, ENVIRON.values()), "hunter22", "123456789", "tooshort")


@pytest.fixture
def in_folder(monkeypatch):
    """Work in the folder of bad files, so that mistakes name them briefly."""
    monkeypatch.chdir(FOLDER)


@pytest.mark.usefixtures("in_folder")
@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml")))
def test_bad_file_is_refused_with_place_reason_and_fix(name):
    """All mistakes are reported at once with file, line, column and key path, and never with a value."""
    entry_points = [desk_entry_point(), platform_entry_point(), broken_entry_point()]

    with pytest.raises(ConfigInvalid) as caught:
        read_config(Path(f"{name}.yaml"), entry_points, ENVIRON)

    said = "".join(f"{mistake}\n" for mistake in caught.value.mistakes)
    if os.environ.get("WRITE_EXPECTED"):
        Path(f"{name}.txt").write_text(said)
    assert said == Path(f"{name}.txt").read_text()
    assert not [value for value in HIDDEN if value in str(caught.value)]


def test_missing_file(tmp_path):
    """A file that is not there is a mistake like any other."""
    path = tmp_path / "connector.yaml"

    with pytest.raises(ConfigInvalid) as caught:
        read_config(path, [], ENVIRON)

    assert str(caught.value.mistakes[0]) == (
        f"{path}:1:1 the file cannot be read: No such file or directory"
        " — create it with connector config init, or name another one with --config"
    )


def test_file_that_is_no_text(tmp_path):
    """Bytes that are not UTF-8 are refused in words."""
    path = tmp_path / "connector.yaml"
    path.write_bytes(b"secret_key: \xff\n")

    with pytest.raises(ConfigInvalid, match="not UTF-8"):
        read_config(path, [], ENVIRON)


def test_heading_counts_the_mistakes(tmp_path):
    """The message is fit to be printed as it is."""
    path = tmp_path / "connector.yaml"
    path.write_text("secret_key: ${env:KEY}\nserver: {port: x, host: 1}\n")

    with pytest.raises(ConfigInvalid) as caught:
        read_config(path, [], ENVIRON)

    lines = caught.value.message.splitlines()
    assert lines[0] == "The configuration has 2 mistakes:"
    assert lines[1].startswith(f"{path}:2:10 server.port: ")
    assert caught.value.code == "config_invalid"


class TalkativeSettings(Settings):
    """Settings whose author puts values into sentences."""

    desk: str
    token: SecretStr

    @field_validator("desk")
    @classmethod
    def _no_desk_is_good(cls, value: str) -> str:
        raise ValueError(f"{value} is no desk — choose another one")


class TalkativeTogether(Settings):
    """Settings whose author gives away another field's value."""

    token: SecretStr

    @model_validator(mode="after")
    def _no_token_is_good(self) -> Self:
        raise ValueError(f"{self.token.get_secret_value()} is no token.")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (TalkativeSettings, ["helpdesk.desk: *** is no desk — choose another one"]),
        (TalkativeTogether, ["helpdesk: *** is no token"]),
    ],
)
def test_values_in_the_sentences_of_plugins_are_masked(tmp_path, model, said):
    """A careless plugin does not get a secret into the list of mistakes."""
    path = tmp_path / "connector.yaml"
    desk = "desk: ${env:SECRET}," if model is TalkativeSettings else ""
    path.write_text(
        "secret_key: ${env:KEY}\n"
        f"organizations: {{a: {{integrations: {{helpdesk: {{plugin: chat, {desk} token: ${{env:SECRET}}}}}}}}}}\n"
    )
    info = PluginInfo(name="chat", title="Chat", settings=model)

    with pytest.raises(ConfigInvalid) as caught:
        read_config(path, [FakeEntryPoint("chat", lambda: module_of(on_incident_event, info=info))], ENVIRON)

    assert [str(mistake).split("integrations.")[1] for mistake in caught.value.mistakes] == said
