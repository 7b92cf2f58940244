"""Microdot (ASGI): the echo of its documentation."""

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
