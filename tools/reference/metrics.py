"""The page about metrics, made from the registry that /metrics shows."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from tools.reference.markdown import code, plain, table

INTRO = """\
# Metrics

What `GET /metrics` shows, by name, as the daemon itself describes it. What to watch, alert rules and how Prometheus
gets in: [monitoring](../monitoring.md). Counters have the suffix `_total`; each also has a series `…_created`.
"""


def page(registry: CollectorRegistry) -> str:
    """Return the whole page."""
    found = {}
    for collector in list(registry._collector_to_names):  # noqa: SLF001 - families without a sample show no labels otherwise
        own = getattr(collector, "_labelnames", ())
        for family in collector.collect():
            labels = own or getattr(family, "_labelnames", ())
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = (code(name), family.type, ", ".join(map(code, labels)), plain(family.documentation))
    rows = [found[name] for name in sorted(found)]
    return f"{INTRO}\n{table(('Metric', 'Type', 'Labels', 'Meaning'), rows)}"
