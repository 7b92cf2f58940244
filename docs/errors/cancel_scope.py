"""An async generator is left in the middle, with a task group open in it. The event loop closes it, in another task."""

import asyncio

import anyio
from starlette.websockets import WebSocket

from hangup import Expect, run


async def ticks():
    async with anyio.create_task_group():
        for number in range(100):
            yield number


async def app(scope, receive, send):
    websocket = WebSocket(scope, receive, send)
    await websocket.accept()
    async for number in ticks():
        await websocket.send_text(str(number))
        await websocket.receive_text()  # raises when the peer leaves


async def main():
    found = asyncio.Queue()
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: found.put_nowait(context))
    await run(app, [Expect()])
    context = await found.get()  # nobody awaits that task: its error is logged
    return str(context["exception"])


if __name__ == "__main__":
    print(asyncio.run(main()))
