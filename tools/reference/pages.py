"""All generated pages."""

from __future__ import annotations

from pathlib import Path

from tools.reference import code_page, commands, configuration, http, metrics
from tools.reference.running import connector

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
NOTE = "<!-- Made by `make reference` from the code; do not edit. -->\n\n"


def pages() -> dict[str, str]:
    """Return every generated page by its name."""
    with connector() as (app, web):
        made = {"http.md": http.page(web), "metrics.md": metrics.page(app.metrics.registry)}
    made["codes.md"] = code_page.page()
    made["commands.md"] = commands.page()
    made["configuration.md"] = configuration.page()
    return {name: f"{NOTE}{text.rstrip()}\n" for name, text in sorted(made.items())}
