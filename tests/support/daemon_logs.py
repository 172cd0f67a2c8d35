"""What daemons wrote, shown with a test that failed: a run elsewhere leaves nothing else behind."""

from __future__ import annotations

LONGEST = 12_000  # characters of each log, from its end


def show(report, item):
    """Add the logs below the folder of a test that failed to its report; return the report."""
    folder = item.funcargs.get("tmp_path") if report.failed and report.when == "call" else None
    if folder is not None:
        for log in sorted(folder.rglob("*.log")):
            report.sections.append((f"{log.relative_to(folder)}, its end", log.read_text(errors="replace")[-LONGEST:]))
    return report
