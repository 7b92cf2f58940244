"""The explorer of WebSocket clients: faults at every frame, between a real client and a scripted server."""
