"""What broke is played once more on an app that had no session before: `apart` asks, `alone` plays in a process."""
