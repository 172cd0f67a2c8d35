"""The frame and the looks of all pages of the sandbox: plain HTML, one style element, no script."""

from __future__ import annotations

from html import escape

_STYLE = """
:root { color-scheme: light; --line: #dcdfe4; --ink: #172b4d; --soft: #626f86; --blue: #0c66e4; }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: #f7f8f9; }
header { background: #fff; border-bottom: 1px solid var(--line); padding: .7rem 1rem; display: flex; flex-wrap: wrap;
  gap: .4rem 1.2rem; align-items: center; }
header b { margin-right: auto; }
main { max-width: 62rem; margin: 0 auto; padding: 1rem; }
main.narrow { max-width: 30rem; }
section { background: #fff; border: 1px solid var(--line); border-radius: 6px; padding: 1rem; margin: 0 0 1rem; }
h1 { font-size: 1.35rem; margin: .5rem 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 0 0 .6rem; }
a { color: var(--blue); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .45rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; font-size: .8rem; }
td { overflow-wrap: anywhere; }
td.key, td.when { white-space: nowrap; }
label { display: block; margin: 0 0 .7rem; font-weight: 600; font-size: .85rem; }
label.tick { font-weight: 400; display: inline-flex; gap: .4rem; margin-right: 1rem; align-items: center; }
input[type=text], input[type=url], select, textarea { display: block; width: 100%; margin-top: .2rem; padding: .5rem;
  border: 1px solid #8590a2; border-radius: 4px; font: inherit; background: #fff; color: inherit; }
textarea { min-height: 6rem; }
button { font: inherit; padding: .45rem .9rem; border: 1px solid transparent; border-radius: 4px; background: #e9ebee;
  color: var(--ink); cursor: pointer; margin: 0 .4rem .4rem 0; white-space: nowrap; }
button.main { background: var(--blue); color: #fff; }
button.danger { background: #fff; border-color: #ae2e24; color: #ae2e24; }
:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; }
.lozenge { display: inline-block; padding: 0 .4rem; border-radius: 3px; font-size: .72rem; font-weight: 700;
  text-transform: uppercase; white-space: nowrap; background: #dcdfe4; color: #44546f; }
.lozenge.indeterminate { background: #cce0ff; color: #0055cc; }
.lozenge.done { background: #baf3db; color: #216e4e; }
.soft { color: var(--soft); font-size: .85rem; }
.bad { color: #ae2e24; }
.text { overflow-wrap: anywhere; }
.text pre { overflow-x: auto; background: #f7f8f9; padding: .6rem; }
"""


def page(title: str, body: str, *, is_narrow: bool = False) -> str:
    """Return a whole page; `body` is HTML that has been escaped already."""
    main = '<main class="narrow">' if is_narrow else "<main>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        '<header><b>Jira Service Management sandbox</b><a href="/">Requests</a>'
        '<a href="/plugins/servlet/webhooks">WebHooks</a></header>'
        f"{main}{body}</main></body></html>"
    )
