"""Ends connections at every moment, in every way: `apps` explores an ASGI app, `clients` a WebSocket client.

The ways themselves, the endings, stand in `hangup.servers.models.model`, beside what each server does in them.
"""
