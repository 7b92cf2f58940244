"""What an app or a client leaves behind that does not end holds no process at its exit."""

import os
import subprocess
import sys

import pytest

SWALLOWS = """
import asyncio
from hangup import explore, explore_client

async def swallows():
    while True:
        try:
            await asyncio.sleep(3600)
        except:
            pass

async def app(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    await swallows()

async def client(url):
    await swallows()

async def server(websocket):
    async for message in websocket:
        pass
"""


@pytest.mark.parametrize("call", ["explore(app)", "explore_client(client, lambda: server, seconds=2)"])
def test_a_process_ends_that_explored_what_swallows_even_the_end_of_its_coroutine(call):
    code = f"{SWALLOWS}\ntry:\n    {call}\nexcept BaseException as error:\n    print(error)\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=os.environ)
    assert (done.returncode, done.stdout.strip()) == (0, "the event loop runs on"), done.stderr
