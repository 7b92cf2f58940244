"""A module per server, whose `start` lets its installed code take a connection in memory and returns its shutdown."""
