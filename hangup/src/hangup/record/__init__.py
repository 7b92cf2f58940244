"""An app's connections as Sessions: the wrapper that records them, the rules that judge them, the report that tells."""
