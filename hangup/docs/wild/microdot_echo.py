"""microdot 2.7.0: the echo of its documentation.

    hangup explore microdot_echo.py:app --script microdot_echo.py

What comes out: an empty answer to a text on hypercorn; every rule holds on the others.
"""

from microdot.asgi import Microdot, Request, WebSocket, with_websocket

from hangup import Expect, Send

app = Microdot()


@app.route("/echo")
@with_websocket
async def echo(request: Request, ws: WebSocket) -> None:
    while True:
        await ws.send(await ws.receive())


path = "/echo"
script = [Send("hi"), Expect("hi"), Send("ho"), Expect("ho")]
