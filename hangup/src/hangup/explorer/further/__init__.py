"""What an exploration looks at beside the usual endings: more of them, what they show, and who holds the event loop."""
