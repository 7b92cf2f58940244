"""ASGI servers: what each does once the peer is gone, and the real ones.

- `models` holds what is known of each server, a module per server: where it says that uvicorn tells a reset as 1005
- `memory` plays one connection as a model says, without a network
- `serve` runs a real server inside a block, with what is in `running`
- `sessions` plays a `script` on a real server; `releases` runs a probe under another release of one
"""
