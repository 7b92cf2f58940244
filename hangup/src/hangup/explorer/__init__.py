"""Ends connections at every moment, in every way: `apps` explores an ASGI app, `clients` a WebSocket client."""
