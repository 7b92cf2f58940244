"""What lesson 08 plays with, under one name: a server to come back to, a storm of clients, an outbox."""

from helpers.props.outbox import Outbox
from helpers.props.station import deploy, station, visit
from helpers.props.storm import chart, doubling, storm, table

__all__ = ["Outbox", "chart", "deploy", "doubling", "station", "storm", "table", "visit"]
