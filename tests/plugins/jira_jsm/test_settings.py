"""Settings: what is refused before anything is done, and how the plugin is found."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
from pydantic import ValidationError

import connector_jira_jsm
from connector_jira_jsm.settings import JiraSettings, PluginSettings

BASE = {"service_desk": "10", "request_type": "25", "close_status": "10002"}


@pytest.mark.parametrize(
    "more",
    [
        {"email": "a@example.test"},
        {"api_token": "x", "site": "https://example.test"},
        {"email": "a@example.test", "api_token": "x"},
        {"email": "a@example.test", "api_token": "x", "site": "cloud-1"},
        {"service_desk": 10},
        {"service_desk": ""},
        {"unknown": "x"},
    ],
)
def test_incomplete_or_unknown_settings_are_refused(more: dict[str, object]):
    """Half a token, a token without a URL, numbers and unknown keys are mistakes."""
    with pytest.raises(ValidationError):
        JiraSettings.model_validate({**BASE, **more})


@pytest.mark.parametrize("name", ["auth_url", "api_url"])
@pytest.mark.parametrize("address", ["https://me:s3cret@api.example", "https://api.example?token=x", "ftp://x", "x"])
def test_addresses_that_hold_a_secret_or_are_none_are_refused(name: str, address: str):
    """They are shown, in the console and by commands."""
    with pytest.raises(ValidationError) as caught:
        PluginSettings.model_validate({name: address})

    assert "expected an address like" in str(caught.value)


def test_digits_stay_text():
    """An id is text, also when it starts with a zero."""
    assert JiraSettings.model_validate({**BASE, "service_desk": "010"}).service_desk == "010"


def test_secrets_are_not_shown():
    """Neither representation shows the token or the client secret."""
    settings = JiraSettings.model_validate(
        {**BASE, "email": "a@example.test", "api_token": "hush", "site": "https://example.test"}
    )
    plugin = PluginSettings.model_validate({"oauth": {"client_id": "c", "client_secret": "hush"}})

    assert "hush" not in repr(settings) + repr(plugin) + settings.model_dump_json()


@pytest.mark.parametrize("model", [JiraSettings, PluginSettings])
def test_every_setting_is_described(model: type[JiraSettings | PluginSettings]):
    """Help and reference are made from the descriptions."""
    assert all(field.description for field in model.model_fields.values())


def test_plugin_is_found_under_its_name():
    """The entry point, the description and the settings key agree."""
    (entry,) = entry_points(group="connector_core.plugins", name="jira_jsm")

    assert entry.load() is connector_jira_jsm
    assert connector_jira_jsm.describe_plugin().name == "jira_jsm"
