"""Texts that are made to spoil a page, on a phone: nothing of them is run, and nothing leaves its card."""

from __future__ import annotations

import re

import pytest

from connector_core.store import Actor, Via
from connector_core.store.acting import acting
from tests.console import test_hostile_texts as stored
from tests.support.served import ADMIN, Visitor

WIDTH = 390
#: What is bounded where it comes in; a file takes no control characters besides.
SHORT = frozenset({"organization", "desk", "incident-id", "device", "location", "account", "site", "ticket-key"})
OUTSIDE = """
() => {
  const held = (one) => {
    for (let at = one.parentElement; at && !at.matches('.card, main'); at = at.parentElement)
      if (getComputedStyle(at).overflowX !== 'visible') return true;
    return false;
  };
  const found = [];
  if (document.documentElement.scrollWidth > innerWidth) found.push('page: ' + document.documentElement.scrollWidth);
  for (const one of document.querySelectorAll('main *')) {
    const card = one.closest('.card, main'), box = one.getBoundingClientRect();
    if (!one.offsetParent || box.width < 2 || one.closest('.hidden') || held(one)) continue;
    if (box.right > card.getBoundingClientRect().right + 1)
      found.push(`${one.tagName.toLowerCase()}.${one.className}: ${Math.round(box.right)}`);
  }
  return [window.pwned ?? null, found.slice(0, 5)];
}
"""


def hostile(place):
    """Return a text with markup, a word without an end, letters that turn the direction, and others that do harm."""
    harm = "" if place == "organization" else "\x07\x1b[31m\x7f\x85"
    turned = "\u202e\u2066\u200f\U0001f468\u200d\U0001f469"
    word = "W" * (120 if place in SHORT else 10_000)
    return f"<{stored.TAG} id={place}></td></script><script>pwned=1</script>{turned}{harm}{word}"


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Serve organizations whose texts are all like that."""
    monkeypatch.setattr(stored, "hostile", hostile)
    for made in stored.serve_hostile(tmp_path, monkeypatch):
        with acting(Actor(hostile("person"), Via.CONSOLE, made.clock.now())):
            made.app.display_names.integration("acme-desk", "W" * 60)
        yield made


@pytest.mark.extended
def test_no_text_of_others_spoils_a_page_on_a_phone(served, browser):
    """One page of each kind, with markup, ten thousand letters without a blank and marks of direction everywhere."""
    reader = Visitor(served.url)
    reader.log_in("ada", ADMIN)
    starts = ["/", "/links", "/unfinished", "/activity", "/audit", "/overview", "/deliveries", "/routing/acme"]
    starts += ["/notifications/acme", "/integrations/acme-desk/link-ticket", "/integrations/acme-desk/test", "/account"]
    starts += [
        "/integrations/acme-desk/rules",
        "/integrations/acme-desk/open-incidents",
        "/integrations/acme-desk/name",
    ]
    starts += ["/integrations/acme-desk/setup/enable", "/integrations/acme-desk/setup/step/desk", "/sources/acme"]
    (number, *_) = re.findall(r'href="/links/(\d+)"', reader.get("/links").text)
    context = browser.new_context(viewport={"width": WIDTH, "height": 800})
    cookies = [{"name": one.name, "value": one.value, "url": served.url} for one in reader.session.cookies]
    context.add_cookies(cookies)
    page = context.new_page()

    found = {}
    for path in [*starts, f"/links/{number}"]:
        page.goto(served.url + path, wait_until="load")
        found[path] = page.evaluate(OUTSIDE)
    context.close()

    assert [f"{path} {what}" for path, what in found.items() if what != [None, []]] == []
