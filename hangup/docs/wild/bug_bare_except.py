"""A bare `except:` around the loop of a handler takes its cancellation for the end of the connection, and returns.

Seen in fastapi-websocket-rpc 0.1.29 (main_loop), python-engineio 4.15.1 (AsyncSocket._websocket_handler; so in
python-socketio 5.18.1, nicegui 3.18.0 and chainlit 2.12.0) and marimo 0.25.2: a timeout or a task group around such a
handler is told that all went well. Their users see that where they wrap the app; a server alone does not mind.
Not found reported.
"""

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from hangup import Expect, Send


async def calls(websocket):
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except:  # noqa: E722  # the fault that is shown
        return


app = Starlette(routes=[WebSocketRoute("/", calls)])
SCRIPT = [Send("hi"), Expect("hi")]
RULE = "a handler that is cancelled while it works ends, and lets CancelledError through"
SCHEDULE = "uvicorn/cancel@await#3"
