"""What happened in a run: events, the Trace that orders them, and what shows them: a picture, a table, a chart."""

from hangup.trace.chart import Chart
from hangup.trace.events import Event
from hangup.trace.table import Table
from hangup.trace.trace import Trace

__all__ = ["Chart", "Event", "Table", "Trace"]
