"""Who talks to an app while it is explored: the clients of a script, as far as the app lets them, and their company."""
