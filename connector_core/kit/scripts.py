"""Scripts that people paste on the other side, filled in: handed out by a step of set-up."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Unpack

from pydantic import SecretStr

from connector_core.contract.handles import AnyIntegration
from connector_core.contract.setup_steps import CopyValue, SetupStep
from connector_core.kit.steps import StepWords, webhook_step

NOTHING_YET = "Make a secret and press Update: the script to paste is then shown here, filled in."


def script_step(
    script: str, given: Mapping[str, str | SecretStr], *, key: str = "script", name: str, **words: Unpack[StepWords]
) -> SetupStep:
    """Hand out a script to paste on the other side, filled in by `filled_script`; `name` is what it is called there.

    What is given as a `SecretStr` is masked in it until a person asks to see it.

    >>> script_step("send({{ url }})", {"url": integration.webhook_url}, name="Business Rule", title="Script").key
    'script'
    """
    plain = {each: one.get_secret_value() if isinstance(one, SecretStr) else one for each, one in given.items()}
    hidden = [plain[each] for each, one in given.items() if isinstance(one, SecretStr)]
    written = {literal(one)[1:-1] for one in hidden for literal in (_literal, _quoted)}
    shown = CopyValue(name, filled_script(script, plain), tuple(map(SecretStr, sorted(written))))
    values = (*words.get("values", ()), shown)
    named: StepWords = {"title": key.replace("_", " ").title(), "help": "", "optional": True, **words, "values": values}
    return SetupStep(key=key, fields=(), **named)


def handed_out(
    integration: AnyIntegration,
    script: str,
    *,
    name: str,
    as_stored: Callable[[SecretStr], SecretStr] = lambda secret: secret,
) -> tuple[CopyValue, ...]:
    """Fill `{{ url }}` and `{{ secret }}` of a script with those of the webhook; nothing while there is no secret.

    `name` is what the script is called on the other side, `as_stored` the form in which that takes the secret.

    >>> handed_out(integration, "send({{ url }}, {{ secret }})", name="Business Rule")  # there is none yet
    ()
    """
    if not integration.webhook_secrets:
        return ()
    secret = as_stored(integration.webhook_secrets[0])
    given: dict[str, str | SecretStr] = {"url": integration.webhook_url, "secret": secret}
    return script_step(script, given, name=name).values


def scripted_webhook_step(  # noqa: PLR0913 - by keyword
    integration: AnyIntegration,
    script: str,
    *,
    name: str,
    text: str,
    test_event: str,
    hint: str = "It signs what is told. Make one here; it goes into the script.",
    as_stored: Callable[[SecretStr], SecretStr] = lambda secret: secret,
) -> SetupStep:
    """Ask for the secret of a webhook that a script sends, and hand out that script as soon as there is one.

    `text` says where to paste it, `test_event` what to do to have something told; the rest is as in `handed_out`.

    >>> scripted_webhook_step(integration, "send({{ url }})", name="Rule", text="Paste it.", test_event="Save.").key
    'webhook'
    """
    values = handed_out(integration, script, name=name, as_stored=as_stored)
    return webhook_step(
        hint=hint,
        title="Webhook",
        help="Without it, changes are seen when tickets are read again.",
        text=text if values else NOTHING_YET,
        values=values,
        test_event=test_event if values else "",
    )


def filled_script(script: str, given: Mapping[str, str]) -> str:
    """Put values into a script, each as a string literal that JavaScript, JSON, Python and Ruby read alike.

    `{{ name }}` in the script stands for the whole literal, with its quotes. Perl, PHP and shells read signs in such
    literals as variables: there use `{{ name | quoted }}`, a literal in single quotes.

    >>> filled_script("post({{ url }});", {"url": "https://a.test"})
    'post("https://a.test");'

    Raises:
        KeyError: the script asks for what is not given.
    """

    def literal(found: re.Match[str]) -> str:
        return (_quoted if found[2] else _literal)(given[found[1]])

    return re.sub(r"\{\{ *(\w+) *(\| *quoted *)?\}\}", literal, script)


def _literal(value: str) -> str:
    return json.dumps(value).replace("#{", "\\u0023{")


def _quoted(value: str) -> str:
    return "'" + re.sub(r"(['\\])", r"\\\1", value) + "'"
