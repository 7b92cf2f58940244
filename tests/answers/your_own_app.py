"""Answers to the exercises of lesson "Your own app"."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

from fastapi import Cookie, WebSocket, WebSocketDisconnect
from starlette.websockets import WebSocketState

from helpers.exercises.your_own_app import ex1, ex2, ex3
from helpers.props.chat_mended import Mended
from helpers.props.chat_service import SCHEMA, SLOW, Member, who
from tests.answers import attempt, right, wrong

Register = Callable[[Any], Any]


class Given(dict[str, str]):
    """An answer that is data, with the name and the sentence of the function that gave it."""


def given(register: Register) -> Callable[[Callable[[], dict[str, str]]], Given]:
    """Register what a function returns."""

    def decorate(function: Callable[[], dict[str, str]]) -> Given:
        answer = Given(function())
        answer.__dict__.update(__name__=function.__name__, __doc__=function.__doc__)
        register(answer)
        return answer

    return decorate


# ---- 1 ------------------------------------------------------------------------------------------------------------

FOUND = {
    "tunnel": "uvicorn/reset@send#2",
    "log": "uvicorn/close@receive#2",
    "mute": "uvicorn/cancel@await#4",
    "thrown out": "uvicorn/close@send#3",
    "frozen": "uvicorn/close@end",
    "deploy": "uvicorn/cancel@await#12",
    "deaf": "uvicorn/close@end",
    "jobs": "uvicorn/close@end",
}
attempt(ex1, '"jobs": "",', '"jobs": "uvicorn/close@end",')


@given(wrong(ex1, "finds_all_eight"))
def the_loud_ones():
    """Takes what the first report names, and leaves the rest."""
    return {name: FOUND[name] for name in ("log", "thrown out", "jobs")}


@given(wrong(ex1, "finds_all_eight"))
def all_but_the_second_tab():
    """Explores two of the three scripts."""
    return FOUND | {"deaf": "  "}


@given(wrong(ex1, "names_a_schedule"))
def in_words():
    """Says it in words."""
    return FOUND | {"tunnel": "when the network goes away"}


@given(wrong(ex1, "names_a_schedule"))
def without_a_moment():
    """Says how, and not when."""
    return FOUND | {"tunnel": "uvicorn/reset"}


@given(wrong(ex1, "names_a_schedule"))
def an_await_of_a_close():
    """Counts awaits where nobody is cancelled."""
    return FOUND | {"mute": "uvicorn/close@await#4"}


@given(wrong(ex1, "names_a_schedule"))
def no_such_server():
    """Names a server that nobody models."""
    return FOUND | {"log": "nginx/close@receive#2"}


@given(wrong(ex1, "comes_to_its_moment"))
def too_late():
    """Counts sends that are not made."""
    return FOUND | {"tunnel": "uvicorn/reset@send#20"}


@given(wrong(ex1, "comes_to_its_moment"))
def an_await_too_many():
    """Counts awaits that are not made."""
    return FOUND | {"deploy": "uvicorn/cancel@await#99"}


@given(wrong(ex1, "shows_the_issue"))
def one_for_all():
    """Takes the same schedule for everything, since it breaks something."""
    return dict.fromkeys(FOUND, "uvicorn/close@end")


@given(wrong(ex1, "shows_the_issue"))
def a_tunnel_that_says_goodbye():
    """Lets the client close, which a client in a tunnel cannot."""
    return FOUND | {"tunnel": "uvicorn/close@receive#2"}


@given(wrong(ex1, "shows_the_issue"))
def cut_off_on_the_way_out():
    """Cancels in the cleanup where somebody is cut off in mid-sentence."""
    return FOUND | {"mute": "uvicorn/cancel@await#12"}


@given(wrong(ex1, "shows_the_issue"))
def cut_off_in_the_middle():
    """Cancels in mid-sentence where the server stops while somebody is leaving."""
    return FOUND | {"deploy": "uvicorn/cancel@await#4"}


@given(wrong(ex1, "shows_the_issue"))
def a_server_that_drops_what_is_late():
    """Looks for the send that fails on a server on which none does."""
    return FOUND | {"thrown out": "granian/close@send#3"}


@given(right(ex1))
def as_the_reports_name_them():
    """Takes the first schedule of each outcome."""
    return FOUND


@given(right(ex1))
def another_server():
    """Names other servers, where they show the same."""
    return FOUND | {
        "tunnel": "hypercorn/reset@receive#2",
        "log": "hypercorn/close@receive#2",
        "jobs": "granian/fin@end",
    }


@given(right(ex1))
def other_endings():
    """Takes fin where others take reset, and reset where they take close."""
    return FOUND | {
        "tunnel": "uvicorn-websockets/fin@receive#2",
        "thrown out": "uvicorn/reset@send#3",
        "deaf": "uvicorn/reset@end",
    }


@given(right(ex1))
def other_awaits():
    """Cancels elsewhere between BEGIN and COMMIT."""
    return FOUND | {"mute": "uvicorn/cancel@await#5", "jobs": "uvicorn/cancel@await#1"}


@given(right(ex1))
def in_another_order():
    """Writes them down in another order, with blanks."""
    return {name: f" {FOUND[name]} " for name in reversed(FOUND)}


# ---- 2 ------------------------------------------------------------------------------------------------------------

attempt(ex2, "if code != 1006:", "if code:")


@wrong(ex2, "ends_quietly")
class ReadsOnAfterAFailedSend(Mended):
    """Catches what is no JSON, and does not know that Starlette refuses to read after a failed send."""

    async def hear(self, member: Member) -> dict[str, Any]:
        """Return the next message."""
        try:
            message = await member.websocket.receive_json()
        except (ValueError, KeyError):
            message = {}
        return message if isinstance(message, dict) else {}


@wrong(ex2, "answers_everything")
class NoJsonIsTheEnd(Mended):
    """Takes whatever is raised for the end: a text that is no JSON, too."""

    async def hear(self, member: Member) -> dict[str, Any]:
        """Return the next message."""
        try:
            return dict(await member.websocket.receive_json())
        except Exception:
            raise WebSocketDisconnect(1006) from None


@wrong(ex2, "answers_everything")
class ASecondTry(Mended):
    """Passes over one text that is no JSON; a second one in a row throws its sender out."""

    async def hear(self, member: Member) -> dict[str, Any]:
        """Return the next message."""
        try:
            try:
                message = await member.websocket.receive_json()
            except (ValueError, KeyError):
                message = await member.websocket.receive_json()
        except RuntimeError:
            raise WebSocketDisconnect(1006) from None
        return message if isinstance(message, dict) else {}


@wrong(ex2, "answers_everything")
class AnyJsonWillDo(Mended):
    """Hands on JSON that is no object: its `get` throws the sender out."""

    async def hear(self, member: Member) -> Any:
        """Return the next message."""
        try:
            return await member.websocket.receive_json() or {}
        except (ValueError, KeyError, TypeError):
            return {}
        except RuntimeError:
            raise WebSocketDisconnect(1006) from None


@wrong(ex2, "answers_everything")
class WritesAtOnce(Mended):
    """Rolls back, and gives up the lock: two who speak at once begin in one transaction."""

    async def save(self, member: Member, text: str) -> None:
        """Write it down."""
        try:
            await self.db.execute("BEGIN")
            row = (member.room, member.name, text, 0.0)
            await self.db.execute("INSERT INTO said VALUES (?, ?, ?, ?)", row)
            await self.db.execute("UPDATE people SET said = said + 1 WHERE name = ?", (member.name,))
            await self.db.execute("COMMIT")
        except BaseException:
            await self.db.rollback()
            raise


@wrong(ex2, "answers_everything")
class OneTryForAll(Mended):
    """Catches around the loop: who comes after the dead hears nothing."""

    async def say(self, room: str, message: dict[str, Any]) -> None:
        """Tell everybody."""
        with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            for member in list(self.rooms[room]):
                await self.tell(member, message)


@wrong(ex2, "answers_everything")
class RemovesTheDead(Mended):
    """Removes a member to whom it cannot send; its own handler removes it as well."""

    async def say(self, room: str, message: dict[str, Any]) -> None:
        """Tell everybody."""
        for member in list(self.rooms[room]):
            try:
                await self.tell(member, message)
            except (WebSocketDisconnect, RuntimeError, TimeoutError):
                self.forget(member)


@wrong(ex2, "answers_everything")
class WaitsForEver(Mended):
    """Gives up the lock, and waits for whoever does not read."""

    async def tell(self, member: Member, message: dict[str, Any]) -> None:
        """Tell one."""
        await member.websocket.send_json(message)


@wrong(ex2, "answers_everything")
class WaitsForAllAtOnce(Mended):
    """Tells everybody at once, and waits for who does not read: what is said next is not heard before that one goes."""

    async def say(self, room: str, message: dict[str, Any]) -> None:
        """Tell everybody."""
        await asyncio.gather(*(self.tell(member, message) for member in list(self.rooms[room])))

    async def tell(self, member: Member, message: dict[str, Any]) -> None:
        """Tell one."""
        with suppress(Exception):
            await member.websocket.send_json(message)


@wrong(ex2, "answers_everything")
class EmptiesTheRoom(Mended):
    """Gives up the whole room when one of its members does not read."""

    async def tell(self, member: Member, message: dict[str, Any]) -> None:
        """Tell one."""
        try:
            async with asyncio.timeout(SLOW):
                await member.websocket.send_json(message)
        except TimeoutError:
            self.rooms[member.room].clear()
        except (WebSocketDisconnect, RuntimeError):
            pass


@wrong(ex2, "answers_everything")
class KnowsOneException(Mended):
    """Takes what a second send to somebody who is gone raises, a RuntimeError, for its own end."""

    async def chat(self, websocket: WebSocket, room: str, session: str = Cookie("")) -> None:
        """Serve one member."""
        with suppress(RuntimeError):
            await super().chat(websocket, room, session)

    async def say(self, room: str, message: dict[str, Any]) -> None:
        """Tell everybody."""
        for member in list(self.rooms[room]):
            with suppress(WebSocketDisconnect, TimeoutError):
                await self.tell(member, message)


@wrong(ex2, "answers_everything")
class HurriesThem(Mended):
    """Gives a member ten milliseconds, of the second that it has."""

    async def tell(self, member: Member, message: dict[str, Any]) -> None:
        """Tell one."""
        async with asyncio.timeout(SLOW / 100):
            await member.websocket.send_json(message)


@wrong(ex2, "hides_no_error")
class SendsAndForgets(Mended):
    """Sends in tasks of their own, at whose end nobody looks."""

    async def tell(self, member: Member, message: dict[str, Any]) -> None:
        """Tell one."""
        task = asyncio.create_task(member.websocket.send_json(message))
        await asyncio.wait([task], timeout=SLOW)


@wrong(ex2, "leaves_nothing_behind")
class WritesFirst(Mended):
    """Catches what the database may raise, and does not think of being cancelled there."""

    async def leave(self, member: Member) -> None:
        """Let it go."""
        with suppress(Exception):
            await self.db.execute("UPDATE people SET seen = 1 WHERE name = ?", (member.name,))
        self.forget(member)


@wrong(ex2, "writes_when")
class WritesNothing(Mended):
    """Does without the await in the cleanup, and without what it wrote."""

    async def leave(self, member: Member) -> None:
        """Let it go."""
        self.forget(member)


@wrong(ex2, "answers_everything")
class ForgetsTheName(Mended):
    """Takes out everybody of that name, one by one."""

    def forget(self, member: Member) -> None:
        """Take it out."""
        for each in list(self.rooms[member.room]):
            if each.name == member.name:
                self.rooms[member.room].remove(each)


@wrong(ex2, "leaves_nothing_behind")
class LeavesAfterTheLoop(Mended):
    """Lets members go where the loop has ended: who is cancelled never comes there."""

    async def chat(self, websocket: WebSocket, room: str, session: str = Cookie("")) -> None:
        """Serve one member."""
        name = who(session)
        if name is None:
            await websocket.close(1008)
            return
        await websocket.accept()
        member = Member(name, room, websocket)
        self.rooms[room].append(member)
        with suppress(WebSocketDisconnect):
            while True:
                await self.answer(member, await self.hear(member))
        await self.leave(member)


@wrong(ex2, "writes_it_down")
class CommitsWhatThereIs(Mended):
    """Commits in `finally`: what was said is written down, and not counted."""

    async def save(self, member: Member, text: str) -> None:
        """Write it down."""
        async with self.writing:
            try:
                await self.db.execute("BEGIN")
                row = (member.room, member.name, text, 0.0)
                await self.db.execute("INSERT INTO said VALUES (?, ?, ?, ?)", row)
                await self.db.execute("UPDATE people SET said = said + 1 WHERE name = ?", (member.name,))
            finally:
                await self.db.execute("COMMIT")


@wrong(ex2, "ends_quietly")
class RollsBackErrorsOnly(Mended):
    """Rolls back after an Exception, which a cancellation is not."""

    async def save(self, member: Member, text: str) -> None:
        """Write it down."""
        async with self.writing:
            await self.db.execute("BEGIN")
            try:
                row = (member.room, member.name, text, 0.0)
                await self.db.execute("INSERT INTO said VALUES (?, ?, ?, ?)", row)
                await self.db.execute("UPDATE people SET said = said + 1 WHERE name = ?", (member.name,))
                await self.db.execute("COMMIT")
            except Exception:
                await self.db.rollback()
                raise


@wrong(ex2, "writes_it_down")
class TellsFirst(Mended):
    """Tells everybody before it writes down: who is cancelled between the two has said what nobody can read."""

    async def answer(self, member: Member, message: dict[str, Any]) -> None:
        """Do what is asked."""
        if message.get("do") == "say":
            await self.say(member.room, {"from": member.name, "text": str(message.get("text", ""))})
            await self.save(member, str(message.get("text", "")))


@wrong(ex2, "keeps_its_job")
class NoJob(Mended):
    """Has no job any more: none is left behind."""

    @asynccontextmanager
    async def lifespan(self, app):
        """Open the database."""
        async with self.database() as self.db:
            await self.db.executescript(SCHEMA)
            yield


@wrong(ex2, "leaves_nothing_behind")
class WaitsForTheJob(Mended):
    """Waits for the job, and does not cancel it: the app never shuts down."""

    @asynccontextmanager
    async def lifespan(self, app):
        """Open the database, start the job."""
        async with self.database() as self.db:
            await self.db.executescript(SCHEMA)
            job = asyncio.create_task(self.tidy())
            yield
            await job


@right(ex2)
class Both(Mended):
    """The answer of the lesson."""


@right(ex2)
class AllAtOnce(Mended):
    """Tells everybody at once, and looks at who failed."""

    async def say(self, room: str, message: dict[str, Any]) -> None:
        """Tell everybody."""
        told = [self.tell(member, message) for member in self.rooms[room]]
        await asyncio.gather(*told, return_exceptions=True)


@right(ex2)
class KeepsTheLock(Mended):
    """Keeps the lock, for a second at most."""

    async def tell(self, member: Member, message: dict[str, Any]) -> None:
        """Tell one."""
        async with self.turn:
            with suppress(TimeoutError):
                async with asyncio.timeout(SLOW / 2):
                    await member.websocket.send_json(message)


@right(ex2)
class LooksFirst(Mended):
    """Asks Starlette whether it would read; lets go in `finally`; ends its job in a task group."""

    @asynccontextmanager
    async def lifespan(self, app):
        """Open the database, start the job."""
        async with self.database() as self.db:
            await self.db.executescript(SCHEMA)
            async with asyncio.TaskGroup() as group:
                job = group.create_task(self.tidy())
                try:
                    yield
                finally:
                    job.cancel()

    async def hear(self, member: Member) -> dict[str, Any]:
        """Return the next message."""
        if member.websocket.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnect(1006)
        try:
            message = await member.websocket.receive_json()
        except ValueError:
            message = None
        return message if isinstance(message, dict) else {}

    async def leave(self, member: Member) -> None:
        """Let it go."""
        try:
            await self.db.execute("UPDATE people SET seen = 1 WHERE name = ?", (member.name,))
        finally:
            self.forget(member)


@right(ex2)
class Inboxes(Mended):
    """Gives each member an inbox and a task that delivers; who speaks waits for nobody."""

    async def chat(self, websocket: WebSocket, room: str, session: str = Cookie("")) -> None:
        """Serve one member."""
        name = who(session)
        if name is None:
            await websocket.close(1008)
            return
        await websocket.accept()
        member = Member(name, room, websocket)
        member.inbox = asyncio.Queue(100)  # type: ignore[attr-defined]
        self.rooms[room].append(member)
        delivery = asyncio.create_task(self.deliver(member))
        try:
            while True:
                await self.answer(member, await self.hear(member))
        except WebSocketDisconnect:
            pass
        finally:
            delivery.cancel()
            await self.leave(member)

    async def deliver(self, member: Any) -> None:
        """Send what is in the inbox."""
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await member.websocket.send_json(await member.inbox.get())

    async def tell(self, member: Any, message: dict[str, Any]) -> None:
        """Put it into the inbox."""
        with suppress(asyncio.QueueFull):
            member.inbox.put_nowait(message)


@right(ex2)
class ALockEach(Mended):
    """Gives each member a lock, and tells all at once."""

    def __init__(self, path: str = ":memory:") -> None:
        super().__init__(path)
        self.locks: WeakKeyDictionary[Member, asyncio.Lock] = WeakKeyDictionary()

    async def say(self, room: str, message: dict[str, Any]) -> None:
        """Tell everybody."""
        await asyncio.gather(*(self.tell(member, message) for member in self.rooms[room]), return_exceptions=True)

    async def tell(self, member: Member, message: dict[str, Any]) -> None:
        """Tell one."""
        async with asyncio.timeout(SLOW), self.locks.setdefault(member, asyncio.Lock()):
            await member.websocket.send_json(message)


# ---- 3 ------------------------------------------------------------------------------------------------------------

IMPORTS = "import pytest\nfrom chat_service import Service\nfrom helpers.props import chat\n\n"
OPTIONS = "path=chat.PATH, lifespan=True, invariant=chat.left_behind"
EACH = '@pytest.mark.parametrize("script", [chat.TALK, chat.TABS, chat.SLOW])\ndef test_chat(hang_up, script):\n'
EXPLORE = "    hang_up.explore(make=lambda: Service().app(), script=script, {})\n"
TEST = IMPORTS + EACH + EXPLORE.format(OPTIONS)
STEPS = """
- uses: actions/checkout@v4
- run: pip install -r requirements.txt
- run: pytest --hangup-report reports
- uses: actions/upload-artifact@v4
  if: always()
  with:
    name: reports
    path: reports
"""
WORKSPACE = "--hangup-report ${{ github.workspace }}/reports"
TWO_LINES = "  run: |\n    pytest --hangup-report reports || failed=$?\n    ls reports && exit $failed"
FILES = {"test_chat.py": TEST, "ci.yml": STEPS}
attempt(
    ex3,
    "    raise NotImplementedError",
    f"    hang_up.explore(make=lambda: Service().app(), script=chat.TALK, {OPTIONS})",
)


def test_file(text: str) -> dict[str, str]:
    """Return the two files, with this test."""
    return FILES | {"test_chat.py": text}


def steps(old: str, new: str) -> dict[str, str]:
    """Return the two files, with something else in the steps."""
    assert STEPS.count(old) == 1
    return FILES | {"ci.yml": STEPS.replace(old, new)}


@given(wrong(ex3, "is_a_test"))
def explores_and_tests_nothing():
    """Gives the function a name that pytest does not look for."""
    return test_file(TEST.replace("def test_chat", "def chat"))


@given(wrong(ex3, "is_a_test"))
def cannot_be_read():
    """Forgets a parenthesis."""
    return test_file(TEST.replace("left_behind)", "left_behind"))


@given(wrong(ex3, "passes_when_mended"))
def tests_the_one_on_the_shelf():
    """Imports the service of the lesson, which stays as it is."""
    return test_file(TEST.replace("from chat_service", "from helpers.props.chat_service"))


@given(wrong(ex3, "passes_when_mended"))
def has_no_database():
    """Leaves the lifespan out, which opens the database."""
    return test_file(TEST.replace("lifespan=True, ", ""))


@given(wrong(ex3, "fails_as_it_is"))
def looks_at_no_report():
    """Explores, and asserts nothing."""
    text = TEST.replace("chat.TALK, chat.TABS, ", "")
    return test_file(text.replace("    hang_up.explore(", "    from hangup import explore\n    explore("))


@given(wrong(ex3, "fails_for_each"))
def asks_for_no_invariant():
    """Relies on exceptions, which do not tell who is still listed."""
    return test_file(TEST.replace(", invariant=chat.left_behind", ""))


@given(wrong(ex3, "fails_for_each"))
def one_script():
    """Explores what Ann and Bob say, without the second tab and the laptop."""
    return test_file(TEST.replace("chat.TALK, chat.TABS, chat.SLOW", "chat.TALK"))


@given(wrong(ex3, "fails_for_each"))
def nobody_is_cancelled():
    """Tries what clients do, and not what a server does."""
    return test_file(TEST.replace("lifespan=True", 'lifespan=True, endings=["close", "fin", "reset"]'))


@given(wrong(ex3, "runs_the_test"))
def never_fails():
    """Sees to it that the job is green."""
    return steps("--hangup-report reports", "--hangup-report reports || true")


@given(wrong(ex3, "runs_the_test"))
def goes_on_after_an_error():
    """Goes on, so that the report is uploaded; the job is green."""
    return steps("--hangup-report reports", "--hangup-report reports\n  continue-on-error: true")


@given(wrong(ex3, "runs_the_test"))
def has_a_slip():
    """Mistypes the command."""
    return steps("pytest --hangup-report", "pytst --hangup-report")


@given(wrong(ex3, "runs_the_test"))
def is_no_yaml():
    """Forgets a blank, and the line is no step."""
    return FILES | {"ci.yml": "-run: pytest --hangup-report reports"}


@given(wrong(ex3, "runs_the_test"))
def keeps_the_log_by_a_pipe():
    """Keeps the log by a pipe; a step without a shell has no pipefail, and is green."""
    return steps("--hangup-report reports", "--hangup-report reports | tee log.txt")


@given(wrong(ex3, "keeps_the_report"))
def leaves_the_pages_out():
    """Keeps everything of the folder, without its pages."""
    return steps("    path: reports", "    path: |\n      reports\n      !reports/*.html")


@given(wrong(ex3, "keeps_the_report"))
def uploads_when_all_is_well():
    """Forgets that a step after a failure is not run."""
    return steps("  if: always()\n", "")


@given(wrong(ex3, "keeps_the_report"))
def keeps_the_xml():
    """Keeps what says that it failed, and not what shows how."""
    return steps("--hangup-report reports", "--junitxml reports/junit.xml")


@given(wrong(ex3, "keeps_the_report"))
def hides_the_report():
    """Writes into a folder whose name begins with a dot, which upload-artifact leaves out."""
    return FILES | {"ci.yml": STEPS.replace("reports", ".reports")}


@given(right(ex3))
def with_parameters():
    """The answer of the lesson."""
    return FILES


@given(right(ex3))
def as_a_workflow():
    """Writes a whole workflow, whose report is kept if the job fails."""
    lines = "".join(f"    {line}\n" for line in STEPS.strip().replace("always()", "${{ failure() }}").splitlines())
    return FILES | {"ci.yml": f"on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n{lines}"}


@given(right(ex3))
def in_either_case():
    """Names both cases."""
    return steps("always()", "success() || failure()")


@given(right(ex3))
def uploads_pages_by_a_pattern():
    """Names the pages, runs two commands in one step, and does not upload when somebody cancels the job."""
    two = "- run: |\n    pip install hangup\n    mkdir -p out\n    pytest --hangup-report out/pages -q\n"
    pattern = steps("    path: reports", "    path: |\n      out/pages/*.html\n      junit.xml")["ci.yml"]
    pattern = pattern.replace("- run: pytest --hangup-report reports\n", two)
    return FILES | {"ci.yml": pattern.replace("always()", "'!cancelled()'")}


@given(right(ex3))
def uploads_all_there_is():
    """Gives pytest its option by the environment, and keeps the whole folder."""
    asked = steps("pytest --hangup-report reports", "pytest\n  env:\n    PYTEST_ADDOPTS: --hangup-report reports")
    return FILES | {"ci.yml": asked["ci.yml"].replace("    path: reports", "    path: .")}


@given(right(ex3))
def names_its_shell_and_its_workspace():
    """Keeps the log by a pipe, in a shell that has pipefail, and says where the folder is."""
    piped = steps("- run: pytest --hangup-report reports", f"- shell: bash\n  run: pytest {WORKSPACE} | tee log.txt")
    return FILES | {"ci.yml": piped["ci.yml"].replace("    path: reports", "    path: ${{ github.workspace }}/reports")}


@given(right(ex3))
def fails_in_a_step_of_its_own():
    """Goes on after an error, and a later step asks for the outcome; the folder is there when the test has passed."""
    going_on = steps("- run: pytest --hangup-report reports", f"- id: test\n  continue-on-error: true\n{TWO_LINES}")
    return FILES | {"ci.yml": f"{going_on['ci.yml']}- if: steps.test.outcome != 'success'\n  run: exit 1\n"}
