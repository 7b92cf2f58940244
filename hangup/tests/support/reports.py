"""What tests read from a report."""

from hangup.explorer.report import Report


def found(report: Report) -> dict[str, set[str]]:
    """Return for each broken rule what happened instead."""
    broken: dict[str, set[str]] = {}
    for each in report.broken:
        broken.setdefault(each.rule, set()).add(each.got)
    return broken
