"""The fixture's value: `explore` and `explore_client` as hangup has them, which fail the test in words."""

import os
import shlex
from pathlib import Path
from typing import Any, NoReturn

import pytest

from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.clients.schedules import ClientSchedule
from hangup.explorer.report import Report
from hangup.explorer.showing.outcomes import heading, outcomes, unknowns
from hangup.pytest_plugin import NOT_KNOWN, REPLAYED, WRITTEN, report_file
from hangup.pytest_plugin.failure import failure, picture
from hangup.pytest_plugin.memory import Memory
from hangup.pytest_plugin.targets import Target, a_client, an_app, came_to
from hangup.record.threads import Escaped, Stuck
from hangup.servers.script import HELLO, Script


class RuleBroken(AssertionError):
    """A rule does not hold; says which, when, what happened instead, and how to see it again."""

    __module__ = "builtins"  # so that pytest writes its name alone


class HangUp:
    """Explores in one test. A schedule that failed in the last run is tried first, and ends the test if it fails."""

    def __init__(self, test: pytest.Item) -> None:
        self._test, self._config = test, test.config
        self._memory = Memory(test.config, test.nodeid)
        self._number = 0

    def explore(self, app: Any = None, script: Script = HELLO, **options: Any) -> Report:
        """End an app's connections at every moment; return the Report if every rule holds, fail the test if not.

        It takes what hangup.explore takes. It runs in a thread of its own: an async test may call it as well.
        """
        __tracebackhide__ = True
        return self._judge(an_app(app, script, options))

    def explore_client(self, client: Any, server: Any, **options: Any) -> Report:
        """Break a client's connection at every frame; return the Report if every rule holds, fail the test if not.

        It takes what hangup.explore_client takes.
        """
        __tracebackhide__ = True
        return self._judge(a_client(client, server, options))

    def _judge(self, target: Target) -> Report:
        __tracebackhide__ = True
        self._number += 1
        try:
            wanted = self._config.getoption("hangup_replay")
            return self._replay(target, wanted) if wanted else self._explore(target)
        except (Stuck, Escaped) as problem:
            why = problem.why(f"the {target.what}", "--hangup-limit")
            raise RuleBroken(f"the exploration was given up: {why}") from None
        except (TypeError, ValueError) as error:
            if _is_ours(error):  # a sentence about the arguments: it is the test's line that matters
                raise error.with_traceback(None) from None
            raise

    def _replay(self, target: Target, name: str) -> Report:
        """Play one schedule, show its picture, and judge by it alone."""
        __tracebackhide__ = True
        try:
            session = target.play(name)
        except ValueError:
            if target.asked(name):
                raise
            pytest.skip(f"{name} is no schedule of this test's {target.what}")
        if not came_to(name, session):
            pytest.skip(f"the {target.what} never comes to {name}")
        report = target.judged({name: session})
        if not report.ok:
            self._fail(target, report)
        self._test.add_report_section("call", REPLAYED, "\n".join((name, *picture(session), "✓ every rule holds")))
        return report

    def _explore(self, target: Target) -> Report:
        __tracebackhide__ = True
        number, folder, limit = self._number, *map(self._config.getoption, ("hangup_report", "hangup_limit"))
        if not folder:
            self._try_again(target, [name for name in self._memory.failed(number) if target.asked(name)])
        report = target.explore({"limit": int(limit)} if limit else {})
        if not report.explored and report.ok:
            raise ValueError(f"there is no schedule of what this test asks for: the {target.what} does nothing")
        self._memory.keep(number, (outcome.schedule for outcome in outcomes(report)))
        self._test.user_properties.append(("hangup", heading(report)))
        self._test.user_properties += [(NOT_KNOWN, words) for words in unknowns(report)]
        if folder:
            self._write(target, report, self._config.invocation_params.dir / folder)
        if not report.ok:
            self._fail(target, report)
        return report

    def _try_again(self, target: Target, names: list[str]) -> None:
        """Fail if a schedule that failed last time fails again."""
        __tracebackhide__ = True
        sessions = {name: session for name in names if came_to(name, session := target.play(name))}
        report = target.judged(sessions)
        if not report.ok:
            why = "These failed last time, too; the other schedules were not explored (--cache-clear explores all)."
            self._fail(target, report, why)

    def _fail(self, target: Target, report: Report, *before: str) -> NoReturn:
        __tracebackhide__ = True
        raise RuleBroken(failure(report, target, self._command, before))

    def _command(self, name: str) -> str:
        path, *names = self._test.nodeid.split("::")
        file = os.path.relpath(self._config.rootpath / path, self._config.invocation_params.dir)
        return shlex.join(["pytest", "::".join((file, *names)), "--hangup-replay", name])

    def _write(self, target: Target, report: Report, folder: Path) -> None:
        file = report_file(folder, self._test.nodeid, self._number)
        folder.mkdir(parents=True, exist_ok=True)
        text = report.html(title=self._test.nodeid, play=target.play, command=self._command)
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
        self._test.user_properties.append((WRITTEN, str(file)))


def is_schedule(name: str) -> bool:
    """Return whether an app or a client may have a schedule of that name."""
    for kind in (Schedule, ClientSchedule):
        try:
            kind.parse(name)
        except ValueError:
            continue
        return True
    return False


def _is_ours(error: Exception) -> bool:
    """Return whether hangup itself raised it, and nothing that it called for the test."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals.get("__name__", "")).startswith("hangup.")
