"""The example of a configuration file: every key with a comment. It is a file beside the code, also in the wheel."""

from __future__ import annotations

from pathlib import Path

_NAME = "connector.example.yaml"
_OF_PLUGINS = "# What all integrations of a plugin share"
_TENANT = """# The tenants. Nothing of one is ever visible to another. Their sources and integrations are made in the
# console, with commands, or written here: examples are below, commented out.
organizations:
  acme:
    name: Acme Inc.
"""


def example() -> str:
    """Return the whole example."""
    beside, of_checkout = Path(__file__).parent / _NAME, Path(__file__).parents[2] / "config" / _NAME
    return (beside if beside.exists() else of_checkout).read_text(encoding="utf-8")


def beginning() -> str:
    """Return a file to begin with: as the example, but what it shows of plugins and tenants is commented out."""
    text = example().split("\n", 1)[1].removeprefix("#\n")  # its first line names the schema, which is not there
    of_core, mark, rest = text.partition(_OF_PLUGINS)
    shown = "".join(f"# {line}" if line.strip() else line for line in f"{mark}{rest}".splitlines(keepends=True))
    return f"{of_core}{_TENANT}\n{shown}"
