r"""Further fields of a ticket, typed into one box: a line each, with a template behind the name.

For systems that do not list the fields of their forms; where they do, ask by `field_rows.py`.

    class DeskSettings(Settings):
        new_fields: FieldLines = Field(default_factory=dict, description="Further fields of a new ticket.")

    filled(settings.new_fields, incident, longest=4_000)  # {"u_room": "Lobby"}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from connector_core.contract.models import Incident
from connector_core.contract.setup_steps import FieldKind
from connector_core.contract.templates import mistake_in, render

_LINE = re.compile(r"\s*([A-Za-z0-9_.-]{1,80})\s*=\s*(\S.*)")
_SHOWN = 40


def lines_of(given: str) -> Mapping[str, str]:
    r"""Read fields by name out of a text with a line for each; empty lines count for nothing.

    >>> lines_of("u_room = {{ incident.location.name }}\n\nu_floor = 2")
    {'u_room': '{{ incident.location.name }}', 'u_floor': '2'}

    Raises:
        ValueError: a line is none of a field.
    """
    found = [(line, _LINE.fullmatch(line)) for line in given.splitlines() if line.strip()]
    if wrong := next((line for line, read in found if read is None), None):
        raise ValueError(f"expected lines like u_room = {{{{ incident.location.name }}}}, not {wrong[:_SHOWN]!r}")
    return {read[1]: read[2].strip() for _, read in found if read}


def filled(fields: Mapping[str, str], incident: Incident, longest: int) -> dict[str, str]:
    """Fill fields in for an incident, each at most so long; one that comes out empty is left out.

    >>> filled({"u_room": "{{ incident.location.name }}", "u_none": "{{ '' }}"}, incident, 4_000)
    {'u_room': 'Lobby'}
    """
    texts = {name: render(text, incident, limit=longest) for name, text in fields.items()}
    return {name: text for name, text in texts.items() if text}


def _typed(given: object) -> object:
    return lines_of(given) if isinstance(given, str) else given


def _without_mistake(text: str) -> str:
    if mistake := mistake_in(text):
        raise ValueError(mistake)
    return text


#: A setting that is a template.
Template = Annotated[str, AfterValidator(_without_mistake)]
#: A setting of fields by name: a mapping in the file, lines where it is typed.
FieldLines = Annotated[Mapping[str, Template], BeforeValidator(_typed), FieldKind.LONG_TEXT]
