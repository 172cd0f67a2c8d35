"""Lets the site of the docs have pages whose files are elsewhere in the repository: mkdocs calls this file.

Pages link to the README of a plugin, to a source file, to a folder, as they are in the repository. On the site each of
these is a page, too: README files and their like have a place of their own, all else is shown as it is in `source/`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
#: Files of the repository that are pages of the site.
PLACES = {
    **{
        f"plugins/{name}/{file}": f"helpdesks/{name}{suffix}.md"
        for name in ("jira_jsm", "servicenow", "request_tracker")
        for file, suffix in (("README.md", ""), ("quality.md", "-quality"))
    },
    "plugins/xyte/README.md": "platforms/xyte.md",
    "plugins/xyte/quality.md": "platforms/xyte-quality.md",
    "examples/roundup/README.md": "helpdesks/roundup.md",
    "examples/roundup/quality.md": "helpdesks/roundup-quality.md",
    "deploy/README.md": "containers.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
#: A link, or code, in which nothing is one.
LINK = re.compile(
    r"(?P<code>^(```|~~~).*?^\2|`[^`\n]+`)|\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)", re.MULTILINE | re.DOTALL
)
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".sh": "bash", ".json": "json", ".toml": "toml"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each file elsewhere that a page links to, and for those that have a place of their own."""
    waiting = [f"docs/{file.src_uri}" for file in files.documentation_pages()] + list(PLACES)
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if not path.startswith("docs/"):
            inclusion = InclusionLevel.UNDEFINED if path in PLACES else InclusionLevel.NOT_IN_NAV
            files.append(File.generated(config, place_of(path), content=shown(path), inclusion=inclusion))
        if path.endswith(".md"):
            waiting += [found for found in linked(path) if not found.startswith("docs/")]
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - by name
    """Lead links to where their files are on the site."""
    here = next((path for path in PLACES if place_of(path) == page.file.src_uri), f"docs/{page.file.src_uri}")

    def led(link: re.Match[str]) -> str:
        path = _resolved(here, link["target"]) if link["target"] else None
        if path is None or (here.startswith("docs/") and path.startswith("docs/")):
            return link[0]
        target = posixpath.relpath(place_of(path), posixpath.dirname(page.file.src_uri) or ".")
        return f"]({target}{link['anchor'] or ''})"

    return LINK.sub(led, markdown)


def linked(path: str) -> Iterator[str]:
    """Return the files of the repository that one of its pages links to."""
    for link in LINK.finditer((ROOT / path).read_text()):
        if link["target"] and (found := _resolved(path, link["target"])):
            yield found


def place_of(path: str) -> str:
    """Return where a file of the repository is on the site."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return PLACES.get(path) or f"source/{path}{'' if path.endswith('.md') else '.md'}"


def shown(path: str) -> str:
    """Return a page that shows a file, or what is in a folder."""
    place = ROOT / path
    if place.is_dir():
        names = sorted(one.name for one in place.iterdir() if one.suffix in {".py", ".md", ".toml"})
        return "\n".join([f"# {path}\n", *(f"* `{name}`" for name in names)])
    text = place.read_text()
    return text if place.suffix == ".md" else f"# {path}\n\n````{_LANGUAGES.get(place.suffix, 'text')}\n{text}\n````\n"


def _resolved(page: str, target: str) -> str | None:
    """Return the file that a link of a page leads to, if it is one of the repository; of a folder its README."""
    if re.match(r"[a-z]+:", target):
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), target))
    if path.startswith("..") or not (ROOT / path).exists():
        return None
    readme = f"{path}/README.md"
    return readme if (ROOT / readme).is_file() else path
