"""Exploring an app needs Python and nothing else; what needs more says so when it is asked for."""

import subprocess
import sys

import pytest

WITHOUT = """
import sys

class Missing:
    def find_spec(name, path=None, target=None):
        if name in "websockets wsproto uvicorn granian hypercorn starlette anyio uvloop pytest".split():
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing)
"""
EXPLORES = """
import hangup

async def echo(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": message["text"]})

report = hangup.explore(echo)
print(report.ok, report.explored > 20, hangup.replay(echo, "uvicorn/close@end").ended)
"""


def run(code: str) -> str:
    """Return what the code prints in a Python that has none of the extras."""
    done = subprocess.run([sys.executable, "-c", WITHOUT + code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


def test_an_app_is_explored_without_any_other_package():
    assert run(EXPLORES) == "True True returned\n"


@pytest.mark.parametrize("module", ["trace", "record.rules", "explorer.report", "time", "network", "network.ports"])
def test_a_room_that_exploring_needs_is_imported_without_any_other_package(module):
    assert run(f"import hangup.{module}\nprint('imported')") == "imported\n"


@pytest.mark.parametrize(("name", "package"), [("connect", "websockets"), ("proxy", "wsproto"), ("run", "websockets")])
def test_a_name_that_needs_more_says_what_to_install(name, package):
    code = f"""
import hangup
try:
    hangup.{name}
except ModuleNotFoundError as error:
    print(error)
"""
    assert run(code) == f"hangup.{name} needs the package {package}: pip install 'hangup[client]'\n"
