"""More rows: servers that `serve` does not run, and older releases of those that it does."""
