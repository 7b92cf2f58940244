"""The server's grace is over while the app cleans up: the cleanup is cancelled, and its next line does not run."""

import asyncio

from hangup import connect, note, serve


async def app(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    try:
        await receive()
    finally:
        try:
            await asyncio.Event().wait()  # a write to a database that is slow today
            note("saved")
        except BaseException as error:
            note(f"the cleanup is left by {type(error).__name__}")
            raise


async def main():
    async with serve(app, graceful_timeout=0.1) as url, connect(url) as client:
        await client.close()
    return str(url.trace)


if __name__ == "__main__":
    print(asyncio.run(main()))
