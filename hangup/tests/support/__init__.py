"""What tests share, of hangup and of the course: apps, probes, servers' own commands, a look at what a run leaves."""
