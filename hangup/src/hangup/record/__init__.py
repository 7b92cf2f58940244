"""Records an app's connections as Sessions; the rules, and the evidence, by which they are judged."""
