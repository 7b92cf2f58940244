"""The models tell the truth: the same probes on each real server, on its code in memory and on its model log the same.

A server that behaves unlike its model makes these tests fail, never hang: see `support.playing`.
"""

import asyncio
import difflib
import os
import re
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import hangup
from hangup import SERVERS, connect, replay, serve
from hangup.cli import main
from hangup.servers.installed.names import CODE, PREFIX
from hangup.servers.models import ENDINGS, EXPLORED, MODELS, explored
from hangup.servers.models.doubts import installed
from hangup.servers.releases import NoEnvironmentError, isolated
from hangup.servers.script import Expect, Send, Step
from hangup.servers.sessions import run_anew
from support.apps import app
from support.commands import ROOT, shutdown
from support.daphne import RELEASE
from support.playing import LEAVE, drawn, logs, picture
from support.playing_in_memory import CODES, in_memory
from support.probes import ENDS, PROBES, ends

Logs = dict[tuple[str, str], list[str]]
assert set(CODES) < set(LEAVE)

OTHERWISE: dict[tuple[str, str, str], str] = {}
"""Server, probe and ending where its code in memory logs something else than on a network, and why. There is none."""


@pytest.fixture(scope="module", params=SERVERS)
def on_the_server(request) -> tuple[str, Logs]:
    """Run all probes on a real server, once; return its name and the logs."""
    server = request.param
    found = asyncio.run(logs(server, shutdown=False))
    if server == "granian":  # when `serve` stops it, hangup.servers.serve cancels the apps itself
        return server, found
    return server, found | asyncio.run(logs(server, shutdown=True))


def assert_same(name: str, modelled: dict[str, list[str]], real: dict[str, list[str]]) -> None:
    """Fail with the model's releases, and the lines that differ, the model's marked with - and the server's with +."""
    mine, its = ([line for ending in each for line in (f"{ending}:", *each[ending])] for each in (modelled, real))
    if mine != its:
        model = MODELS[name]
        release = RELEASE.replace("==", " ") if name == "daphne" else f"{model.package} {installed(model.package)}"
        about = f"The model {name} is true of {model.package} {model.releases}; this is {release}."
        diff = "\n".join(difflib.ndiff(mine, its))
        pytest.fail(f"{about}\nThe model (-) and its server (+) differ:\n{diff}", pytrace=False)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.__name__)
def test_a_model_does_what_its_server_does(on_the_server, probe):
    server, found = on_the_server
    real = {ending: log for (name, ending), log in found.items() if name == probe.__name__}
    assert_same(server, {ending: in_memory(server, probe, ending) for ending in real}, real)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.__name__)
def test_a_servers_code_does_in_memory_what_it_does_on_a_network(on_the_server, probe):
    server, found = on_the_server
    if (code := f"{PREFIX}{server}") not in CODE:
        pytest.skip(f"{server} is not written in Python")
    real = {ending: log for (name, ending), log in found.items() if name == probe.__name__}
    memory = {ending: in_memory(code, probe, ending) for ending in real}
    differ = {(server, probe.__name__, ending) for ending in real if memory[ending] != real[ending]}
    assert differ == {case for case in OTHERWISE if case[:2] == (server, probe.__name__)}


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("raises", [False, True], ids=["returns", "raises"])
def test_a_task_that_an_app_leaves_behind_hears_of_the_end_that_the_server_makes(server, raises):
    """The client stays, and the server closes the connection of an app that has ended."""
    told: list[int] = []
    begun = asyncio.Event()
    readers: list[asyncio.Task[None]] = []

    async def handler(websocket):
        async def read():
            while (message := await websocket.receive())["type"] != "websocket.disconnect":
                pass
            told.append(message["code"])

        await websocket.accept()
        readers.append(asyncio.create_task(read()))
        await asyncio.sleep(0)
        begun.set()
        if raises:
            raise LookupError

    async def on_the_server():
        async with serve(app(handler), server=server) as url, connect(url, close_timeout=0.1):
            await asyncio.wait_for(begun.wait(), 30)
            await asyncio.wait(readers, timeout=30)

    asyncio.run(on_the_server())
    real = told.copy()
    told.clear()
    assert not replay(app(handler), f"{server}/close@end", [Expect()], closer=True).left_for_good
    assert told[:1] == real != []  # more sessions follow


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("accept", [False, True], ids=["before accept", "after accept"])
@pytest.mark.parametrize("how", ENDS, ids=lambda how: how.__name__)
def test_a_replay_draws_what_the_client_sees(server, accept, how):
    app = ends(how, accept=accept)
    modelled = drawn(replay(app, f"{server}/close@end", []).trace)
    assert_same(server, {"picture": modelled}, {"picture": asyncio.run(picture(server, app))})


@pytest.fixture(scope="module")
def of_the_commands() -> dict[tuple[str, bool], dict[str, list[str]]]:
    """Stop each server's own command, with an app that has a lifespan and one that has none; all at once."""

    async def stop_all() -> list[dict[str, list[str]]]:
        return await asyncio.gather(*(shutdown(server, lifespan=lifespan) for server, lifespan in cases))

    cases = [(server, lifespan) for server in SERVERS for lifespan in (True, False)]
    return dict(zip(cases, asyncio.run(stop_all()), strict=True))


def at_shutdown(server: str, *, lifespan: bool) -> dict[str, list[str]]:
    """Return what the model says of a server's command that is told to stop, in the lines of tests/commands.py."""
    model = MODELS[server]
    told = [*model.told.get("shutdown", ()), *[model.forever] * 3] if "shutdown" in model.told else []
    end = ["is cancelled"] if model.cancels == "always" or (model.cancels == "lifespan" and lifespan) else []
    seen = model.shuts_down or model.ends["cancelled"]
    listens = [f"websocket.disconnect {code}" for code in told[:3] if code is not None]
    last = f"client sees {seen.open}"
    return {"/listens": [*listens, *end, last], "/runs": [*end, last], "server": ["ends"]}


@pytest.mark.parametrize("lifespan", [True, False], ids=["lifespan", "no lifespan"])
@pytest.mark.parametrize("server", SERVERS)
def test_a_model_shuts_down_as_the_servers_own_command_does(of_the_commands, server, lifespan):
    real, modelled = of_the_commands[server, lifespan], at_shutdown(server, lifespan=lifespan)
    if server == "hypercorn" and sys.version_info >= (3, 12):  # asyncio's Server.wait_closed() waits for the clients:
        modelled["/listens"] = ["websocket.disconnect 1006", "is cancelled", "client sees None"]
        modelled["/runs"] = ["is cancelled", "client sees None"]
    if server == "granian" and len(real["/listens"]) == 2:  # its process ends, and the app runs once more or does not
        assert real["/listens"].pop(0) == "websocket.disconnect 1005"
    assert_same(server, modelled, real)


@pytest.fixture(scope="module")
def on_daphne() -> dict[str, Any] | NoEnvironmentError:
    """Do all of the above on daphne, in an environment of its own, or return why there is none."""
    folders = [str(ROOT), str(Path(hangup.__file__).parent.parent)]
    under = [RELEASE, *(f"{name}=={version(name)}" for name in ("websockets", "wsproto"))]
    program = f"import runpy, sys; sys.path[:0] = {folders!r}; runpy.run_module('support.daphne', None, '__main__')"
    try:
        run = isolated(program, under=under, timeout=180)
    except NoEnvironmentError as error:
        return error
    found: dict[str, Any] = run.values[-1]
    return found


@pytest.mark.filterwarnings("default:daphne was not probed")
def test_the_model_of_daphne_does_what_daphne_does(on_daphne):
    """Where no environment can be made, this says so in the summary; on CI it fails."""
    if isinstance(on_daphne, NoEnvironmentError):
        if os.environ.get("CI"):
            raise on_daphne
        warnings.warn(f"daphne was not probed: no environment: {on_daphne}", stacklevel=1)
        pytest.skip(str(on_daphne))
    probes = {probe.__name__: probe for probe in PROBES}
    how = {end.__name__: end for end in ENDS}
    real = {f"{name}, {ending}": log for name, ending, log in on_daphne["logs"]}
    modelled = {f"{name}, {ending}": in_memory("daphne", probes[name], ending) for name, ending, _ in on_daphne["logs"]}
    for name, accept, shown in on_daphne["pictures"]:
        real[f"{name}, {accept}"] = shown
        modelled[f"{name}, {accept}"] = drawn(replay(ends(how[name], accept=accept), "daphne/close@end", []).trace)
    assert_same("daphne", modelled | at_shutdown("daphne", lifespan=False), real | on_daphne["shutdown"])


def test_every_server_that_is_run_or_installed_is_explored():
    assert EXPLORED[: len(SERVERS)] == SERVERS
    assert explored(lambda _: None) == SERVERS
    assert explored({"daphne": "4.2.3", "gunicorn": "23.0.0"}.get) == (*SERVERS, "daphne")
    assert explored(lambda package: MODELS[package].measured) == tuple(MODELS)


def test_the_table_can_be_read(capsys):
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.split("  +", lines[2]) == ["true of these releases", *(model.releases for model in MODELS.values())]
    assert lines[-1].startswith("Older releases have rows of their own, for --server NAME==RELEASE: uvicorn 0.39.0 to ")
    told = next(line for line in lines if line.startswith("the client closes: "))
    assert re.split("  +", told)[1:] == [
        "its code, 1005, waits",
        "its code, 1005 for ever",
        "its code, 1005, waits",
        "its code, 1005 for ever",
        "1006, waits",
        "its code, waits",
        "its code, waits",
        "its code, waits",
    ]


def test_every_ending_is_probed():
    assert set(ENDINGS) <= {ending for endings in PROBES.values() for ending in endings}


@pytest.mark.parametrize("server", SERVERS)
def test_a_message_has_the_keys_that_its_server_gives_it(server):
    """Who takes `message.get("bytes", message["text"])` gets None where both keys are there.

    A server that loses a message is asked again.
    """
    heard: list[tuple[str, ...]] = []

    def fresh():
        heard.clear()
        return app(handler)

    async def handler(websocket):
        await websocket.accept()
        while (message := await websocket.receive())["type"] == "websocket.receive":
            heard.append(tuple(sorted(message)))
            await websocket.send_text("so")

    script: list[Step] = [Send("hi"), Expect(), Send(b"ho"), Expect()]
    asyncio.run(run_anew(fresh, script, server=server))
    real = heard.copy()
    heard.clear()
    replay(app(handler), f"{server}/close@end", script)
    assert heard == real
    assert len(real) == 2
