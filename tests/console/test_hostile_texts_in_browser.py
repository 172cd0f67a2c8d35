"""Texts that are made to be run, in front of a real browser: on every page it is watched for what it must not do."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.console import test_hostile_texts as stored
from tests.support.served import ADMIN, Visitor


def hostile(place):
    """Return a text that runs, or calls elsewhere, as soon as one page shows it as anything but text."""
    return (
        f"<{stored.TAG} id={place}></title></textarea></script>'\"--><script>pwned=1;alert(1)</script>"
        "<img src=//evil.test onerror=pwned=1><svg onload=pwned=1><a href=javascript:pwned=1>go</a>"
    )


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Serve organizations whose texts are all hostile, as for the pages that are read without a browser."""
    monkeypatch.setattr(stored, "hostile", hostile)
    yield from stored.serve_hostile(tmp_path, monkeypatch)


@pytest.mark.extended
def test_a_browser_runs_no_text_of_others_on_any_page(served, browser):
    """No script of theirs, no dialog, nothing that the policy had to stop, and no call that leaves this machine."""
    reader = Visitor(served.url)
    reader.log_in("ada", ADMIN)
    starts = ["/", "/links", "/unfinished", "/sources/acme", "/integrations/new"]
    paths = [
        path for path, answer in stored.crawl(reader, starts).items() if "text/html" in answer.headers["content-type"]
    ]
    seen = {"dialogs": [], "complaints": [], "away": [], "ran": []}
    context = browser.new_context()
    context.add_init_script(
        "window.violated=[];document.addEventListener('securitypolicyviolation',"
        "e=>window.violated.push(e.violatedDirective+' '+e.blockedURI))"
    )
    cookies = [{"name": one.name, "value": one.value, "url": served.url} for one in reader.session.cookies]
    context.add_cookies(cookies)
    page = context.new_page()

    def dismiss(shown):
        seen["dialogs"].append(shown.message)
        shown.dismiss()

    page.on("dialog", dismiss)
    page.on("pageerror", lambda error: seen["complaints"].append(str(error)))
    page.on("console", lambda said: seen["complaints"].extend([said.text] if "Content Security" in said.text else []))
    page.on("request", lambda sent: seen["away"].extend([] if is_here(sent.url, served) else [sent.url]))

    shown = 0
    for path in paths:
        page.goto(served.url + path, wait_until="load")
        found = page.evaluate(
            "[window.pwned, window.violated, document.documentElement.textContent.includes('pwned=1')]"
        )
        shown += found[2]
        if found[:2] != [None, []]:
            seen["ran"].append((path, found))
    context.close()

    assert len(paths) > 20
    assert shown > 10
    assert seen == {"dialogs": [], "complaints": [], "away": [], "ran": []}


def is_here(address, served):
    """Return whether a request goes to the console; what is in the address itself goes nowhere."""
    return address.startswith("data:") or urlsplit(address).netloc == urlsplit(served.url).netloc
