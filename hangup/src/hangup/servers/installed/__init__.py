"""The servers that are installed, in memory: their own code, whatever its release, without sockets and without waiting.

- `transport` is what lies below a server's protocol, `peer` the client across from it
- `connection` puts both together: to the explorer it is a connection like one on a model
- `app` is what stands for the app, which runs in a task of its own
- `leaving` is how that client leaves
- `starting` has a module per server: uvicorn, hypercorn, anycorn, gunicorn; granian and daphne keep their models, for
  the one is not Python, and the other brings a reactor of its own
- `names` says what `installed:uvicorn` stands for, and what is missing
"""
