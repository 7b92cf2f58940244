"""Who holds the event loop is named, with the line and the schedule; the command ends whatever an app does."""

import contextlib
import logging
import subprocess
import sys
import textwrap
import threading

import pytest

from hangup.explorer.apps.explore import explore, replay
from hangup.explorer.apps.lifespan import NotStarted
from hangup.record.threads import raise_in
from hangup.time import held

HOLDS = "the handler does not hold the event loop"


@pytest.fixture(autouse=True)
def sooner(monkeypatch):
    """Have less patience than a user has."""
    monkeypatch.setattr(held, "COMPUTES", 0.3)
    monkeypatch.setattr(held, "WAITS", 1.0)


async def goes_on(scope, receive, send):
    """Logs whatever fails, and goes on."""
    await receive()
    await send({"type": "websocket.accept"})
    told = 0
    while True:
        try:
            if told:
                raise RuntimeError("there is no connection")
            told = (await receive())["type"] == "websocket.disconnect"
        except Exception as error:
            str(error)


async def only_on_reset(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    while message["code"] == 1005:
        pass


async def echo(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        try:
            await send({"type": "websocket.send", "text": message["text"]})
        except OSError:
            return


def test_a_loop_that_is_never_given_back_is_named_with_its_schedule_and_its_line():
    report = explore(goes_on, models=["uvicorn"])
    first = report.broken[0]
    assert first.rule == HOLDS
    assert first.schedule in {"uvicorn/close@end", "uvicorn/close@receive#2"}  # undisturbed, or the first of the plan
    assert "it was still at test_held.py, line " in first.got
    assert ", in goes_on, when it was ended" in first.got
    assert "and then stopped, because it holds the event loop" in str(report)
    assert "it was still at test_held.py" in replay(goes_on, first.schedule).facts["held"]


def test_for_an_app_that_holds_the_loop_at_once_no_second_client_is_tried():
    report = explore(goes_on, models=["uvicorn"], beside=True)
    assert report.company == "client a is explored alone: its first session already holds the event loop"
    assert report.company in str(report)


def test_the_exploration_goes_on_after_a_schedule_that_holds_the_loop():
    report = explore(only_on_reset, models=["granian", "uvicorn"], endings=["close", "fin"])
    held = report.schedules_breaking(HOLDS)
    assert held
    assert 0 < len(held) < report.explored
    assert "uvicorn/close@end" not in held


def test_after_a_loop_that_was_held_other_apps_are_explored_as_before():
    before = explore(echo)
    explore(goes_on, models=["uvicorn"], endings=["close"])
    assert explore(echo) == before


def test_a_call_that_cannot_be_ended_is_named_and_the_rest_is_not_known(tmp_path):
    app = """
        import time
        async def app(scope, receive, send):
            time.sleep(60)
        """
    done = command(tmp_path, app, "explore", "someapp:app")
    assert done.returncode == 1
    assert f"✗ {HOLDS}: it was still at someapp.py, line 4, in app, and could not be ended" in done.stdout
    assert "not explored, because uvicorn/close@end could not be ended" in done.stdout


def test_a_thread_of_a_pool_that_never_ends_does_not_hold_the_command(tmp_path):
    app = """
        import asyncio, queue, threading
        inbox = queue.Queue()
        threads = []
        def kernel():
            async def main():
                await asyncio.to_thread(inbox.get)
            asyncio.run(main())
        async def app(scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            if not threads:
                threads.append(threading.Thread(target=kernel, name="kernel", daemon=True))
                threads[0].start()
            while (message := await receive())["type"] == "websocket.receive":
                try:
                    await send({"type": "websocket.send", "text": message["text"]})
                except OSError:
                    return
        """
    done = command(tmp_path, app, "explore", "someapp:app")
    assert (done.returncode, done.stderr) == (0, "")
    assert "; 0 break a rule\n" in done.stdout


@pytest.mark.parametrize(
    ("does", "sentence"),
    [
        ("await asyncio.Event().wait()", "it does not answer lifespan.startup"),
        (
            "await send({'type': 'lifespan.startup.failed', 'message': 'no disk'})",
            "it said lifespan.startup.failed, 'no disk'",
        ),
    ],
)
def test_a_lifespan_that_does_not_start_is_a_sentence_and_2(tmp_path, does, sentence):
    app = f"""
        import asyncio
        async def app(scope, receive, send):
            await receive()
            {does}
        """
    done = command(tmp_path, app, "explore", "someapp:app", "--lifespan", "on")
    assert done.returncode == 2
    assert done.stderr.endswith(f"the app did not start: {sentence}.\n")


def test_a_lifespan_that_does_not_start_raises():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed"})

    with pytest.raises(NotStarted, match=r"^The app did not start: it said lifespan\.startup\.failed\.$"):
        explore(app, lifespan=True)


def command(folder, app, *arguments):
    """Run the command in a folder with this app."""
    (folder / "someapp.py").write_text(textwrap.dedent(app))
    line = [sys.executable, "-m", "hangup", *arguments]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False, timeout=180)


def test_what_is_kept_where_the_loop_was_held_is_not_asked():
    """Who was ended has let go of nothing, and each more session takes long."""
    kept, sessions = [], []

    async def keeps(scope, receive, send):
        kept.append(send)
        sessions.append(scope)
        await goes_on(scope, receive, send)

    session = replay(keeps, "uvicorn/close@end", closer=True)
    assert session.facts["held"]
    assert "kept" not in session.facts
    assert len(sessions) == 1


class Halt(BaseException):
    """Ends a thread."""


def test_who_is_ended_while_it_logs_leaves_no_lock_that_nobody_gives_back():
    """Whoever logs next waits for it: every later check of a process held the event loop, and its end hung."""

    def logs():
        with contextlib.suppress(Halt):
            began.set()
            while True:
                logging.getLogger("nobody")

    for _ in range(30):
        began = threading.Event()
        thread = threading.Thread(target=logs, daemon=True)
        thread.start()
        began.wait()
        assert thread.ident is not None
        raise_in(thread.ident, Halt)
        thread.join(60)
        assert logging._lock.acquire(timeout=60)  # type: ignore[attr-defined]
        logging._lock.release()  # type: ignore[attr-defined]
