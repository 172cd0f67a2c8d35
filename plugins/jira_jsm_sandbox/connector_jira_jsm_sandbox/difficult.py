"""A site as people really have them: renamed, translated, with fields that must be filled in and steps in between.

From "Neu" it takes three transitions to "Geschlossen", the last through a screen. There are three done statuses, one
status that only sounds like done, a transition that is listed for administrators only, a validator that demands a field
which nobody calls required, a priority scheme of the project's own, and no priority on the edit screen.
"""

from __future__ import annotations

from dataclasses import replace

from connector_jira_jsm_sandbox.profile import (
    DEFAULT,
    DESCRIPTION,
    PRIORITY,
    SUMMARY,
    Desk,
    FieldKind,
    NamedValue,
    Option,
    Priority,
    RequestField,
    RequestType,
    Status,
    Transition,
)

ROOM = RequestField("customfield_10101", "Raum", required=True)
SITUATION = RequestField("customfield_10102", "Lage", kind=FieldKind.LONG_TEXT)
AFFECTED = RequestField("customfield_10103", "Betroffene", required=True, kind=FieldKind.NUMBER)
SEEN_ON = RequestField("customfield_10104", "Festgestellt am", required=True, kind=FieldKind.DATE)
DUE_AT = RequestField("customfield_10105", "Frist", kind=FieldKind.DATE_TIME)
BUILDING = RequestField(
    "customfield_10106",
    "Standort",
    required=True,
    kind=FieldKind.SELECT,
    options=(Option("10110", "Berlin"), Option("10111", "Köln"), Option("10112", "Zürich, Bahnhof")),
)
SERVICES = RequestField(
    "customfield_10107",
    "Dienste",
    required=True,
    kind=FieldKind.MULTI_SELECT,
    options=(Option("10120", "Ton"), Option("10121", "Bild"), Option("10122", "Netz")),
)
CATEGORY = RequestField(
    "customfield_10108",
    "Kategorie",
    required=True,
    kind=FieldKind.CASCADING,
    options=(
        Option("10130", "Gerät", (Option("10131", "Bildschirm"), Option("10132", "Kamera"))),
        Option("10133", "Raumtechnik"),
    ),
)
CONTACT = RequestField("customfield_10109", "Ansprechperson", required=True, kind=FieldKind.USER)
TAGS = RequestField("labels", "Stichwörter", required=True, kind=FieldKind.LABELS)
CHANNEL = RequestField("customfield_10113", "Meldeweg", required=True, preset=("Konnektor",))
ASSET = RequestField("customfield_10114", "Anlage", required=True, kind=FieldKind.ASSET)
CAUSE = RequestField(
    "customfield_10115",
    "Ursache",
    kind=FieldKind.SELECT,
    options=(Option("10140", "Hardware"), Option("10141", "Bedienung")),
)

_SUMMARY = replace(SUMMARY, name="Zusammenfassung")
_DESCRIPTION = replace(DESCRIPTION, name="Beschreibung")
_PRIORITY = replace(PRIORITY, name="Dringlichkeit")

# What the connector has to be told so that it can work on this site.
SETTINGS: dict[str, object] = {
    "request_fields": {
        ROOM.field_id: "{{ incident.location.name or 'unbekannt' }}",
        AFFECTED.field_id: "1",
        SEEN_ON.field_id: "{{ incident.opened_at or '2026-01-01' }}",
        BUILDING.field_id: "10110",
        SERVICES.field_id: "Bild, 10120",
        CATEGORY.field_id: "Gerät > Bildschirm",
        CONTACT.field_id: DEFAULT.person.account_id,
        TAGS.field_id: "connector, {{ incident.issue }}",
    },
    "close_fields": {"resolution": "Behoben", CAUSE.field_id: "Hardware"},
}

DIFFICULT = replace(
    DEFAULT,
    name="difficult",
    desks=(
        Desk(
            "10",
            "10000",
            "STOER",
            "Störungsstelle",
            (
                RequestType(
                    "25",
                    "Störung melden",
                    "Etwas ist kaputt.",
                    (
                        _SUMMARY,
                        _DESCRIPTION,
                        _PRIORITY,
                        ROOM,
                        SITUATION,
                        AFFECTED,
                        SEEN_ON,
                        DUE_AT,
                        BUILDING,
                        SERVICES,
                        CATEGORY,
                        CONTACT,
                        TAGS,
                        CHANNEL,
                    ),
                ),
                RequestType("26", "Anlage prüfen", "", (_SUMMARY, _DESCRIPTION, ASSET)),
                RequestType("27", "Frage stellen", "", (_SUMMARY, _DESCRIPTION)),
            ),
            priority_ids=("10200", "10201", "10202", "10203"),
        ),
    ),
    statuses=(
        Status("10300", "Neu", "new", customer_name="Eingegangen"),
        Status("10301", "In Prüfung", "indeterminate"),
        Status("10302", "In Arbeit", "indeterminate"),
        Status("10303", "Wartet", "indeterminate"),
        Status("10304", "Erledigt", "indeterminate"),  # sounds like done
        Status("10305", "Geschlossen", "done"),
        Status("10306", "Abgelehnt", "done"),
        Status("10307", "Doppelt", "done"),
        Status("10308", "Eskaliert", "indeterminate"),  # a dead end
    ),
    priorities=(
        Priority("10200", "Notfall", "critical"),
        Priority("10201", "Dringend", "high"),
        Priority("10202", "Normal", "moderate"),
        Priority("10203", "Kann warten", "low"),
        Priority("3", "Medium", "medium"),
    ),
    transitions=(
        Transition("11", "Prüfen", "10301", frozenset({"10300", "10303"})),
        Transition("21", "Bearbeiten", "10302", frozenset({"10301"})),
        Transition("31", "Warten", "10303", frozenset({"10301", "10302"})),
        Transition(
            "41",
            "Schließen",
            "10305",
            frozenset({"10302", "10304"}),
            required_fields=("resolution",),
            validated_fields=("customfield_10115",),
        ),
        Transition("51", "Als erledigt melden", "10304", frozenset({"10302"})),
        Transition("61", "Ablehnen", "10306", frozenset({"10301"}), required_fields=("resolution",)),
        Transition("71", "Sofort schließen", "10305", frozenset({"10300"}), condition="ADMINISTER_PROJECTS"),
        Transition("81", "Wieder öffnen", "10300", frozenset({"10305", "10306", "10307"}), clears_resolution=True),
        Transition("91", "Eskalieren", "10308", frozenset({"10300", "10301", "10302"})),
    ),
    resolutions=(NamedValue("10400", "Behoben"), NamedValue("10401", "Nicht behoben")),
    issue_types=(NamedValue("10010", "[System] Störung"),),
    default_priority="10202",
    close_status="10305",
    edit_screen=frozenset({"summary", "description", "labels", "customfield_10115"}),
    screen_fields=(CAUSE,),
    denied=frozenset({"ADMINISTER_PROJECTS", "ADMINISTER"}),
    settings=SETTINGS,
)
