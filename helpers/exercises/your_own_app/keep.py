"""Exercise 3 of lesson "Your own app": a test that fails for each fault, and the CI step that keeps its report.

The answer is two files. The test is run against the service as it is, mended, and with one fault each; then the steps
are run as a CI job, once beside the mended service and once beside the one as it is.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hangup.record.recorder import Session
from hangup.record.rules import Rule, rule
from helpers.exercises.your_own_app import workflow
from helpers.exercises.your_own_app.around import LESSON
from helpers.exercises.your_own_app.workflow import Job, NotKnown, NotUnderstood
from helpers.judging.answers import Kind
from helpers.judging.exercise import Exercise, too_long
from helpers.judging.patience import left
from helpers.judging.verdict import MARKS, Verdict
from helpers.props.chat import ISSUES

TEST, CI, RESULTS = "test_chat.py", "ci.yml", "trial.json"
MENDED, AS_IT_IS = "mended", "as it is"
SERVICE = {
    MENDED: "from helpers.props.chat_service import *\nfrom helpers.props.chat_mended import Mended as Service\n",
    AS_IT_IS: "from helpers.props.chat_service import *\n",
}
"""What chat_service.py is, beside which a job is run."""
OPTIONS = "-p no:nbval -p no:xdist -p no:cacheprovider"
QUICK = f"{OPTIONS} -p helpers.props.chat_quick"
JOBS = {MENDED: f"{QUICK} --collect-only", AS_IT_IS: f"{QUICK} --hangup-limit 1"}
"""What pytest does in a job: that the test passes, or fails, is known by then, and takes its time."""

_good: set[str] = set()
"""Test files that have done what they should; then it is the steps that are being written."""


@rule
def is_a_test(session: Session) -> str | None:
    """The test file can be imported, and has a test."""
    return session.facts.get("test")


@rule
def passes_when_mended(session: Session) -> str | None:
    """The test passes when the service is mended."""
    return session.facts.get("mended")


@rule
def fails_as_it_is(session: Session) -> str | None:
    """The test fails for the service as it is."""
    return session.facts.get("as it is")


@rule
def fails_for_each(session: Session) -> str | None:
    """The test fails when one of the eight faults is back, whichever it is."""
    return session.facts.get("each")


@rule
def runs_the_test(session: Session) -> str | None:
    """The job runs the test: it succeeds when the test passes, and fails when it fails."""
    return session.facts.get("job")


@rule
def keeps_the_report(session: Session) -> str | None:
    """When the test fails, an HTML report of hangup's is kept as an artifact."""
    return session.facts.get("report")


@dataclass(frozen=True)
class Problem:
    """A rule that the files break, when, and what happened."""

    rule: Rule
    when: str
    got: str


@dataclass(kw_only=True)
class Keep(Exercise):
    """An exercise whose answer is a dict with the texts of two files."""

    @property
    def general(self) -> Sequence[Rule]:
        """Nothing: an answer is text."""
        return ()

    @property
    def _starter_name(self) -> str:
        return "files"

    def judge(self, answer: Any, until: float) -> Verdict:
        """Try the test, then the steps; say what went wrong first."""
        starting: dict[str, Any] = {}
        exec(self._starter, starting)  # the lesson's own
        started = starting.get("files") == answer
        try:
            problem = _problem(answer, until)
        except subprocess.TimeoutExpired:
            return Verdict(self.name, "fail", too_long(), note=self.stuck, rule="in_time")
        except NotKnown as error:
            return Verdict(self.name, "not known", f"not known: {error}")
        if problem is None:
            tried = f"all {len(self.all_rules)} rules hold for the service mended, as it is, and with one fault each"
            return Verdict(self.name, "pass", tried, note=self.why)
        headline = f"rule {self.all_rules.index(problem.rule) + 1} of {len(self.all_rules)}: {problem.rule.sentence}"
        facts = (("when", problem.when), ("got", problem.got))
        if started:
            return Verdict(
                self.name, "not attempted", f"not attempted: this is the starter. It breaks {headline}", facts
            )
        note = f"{MARKS['fail']} {problem.rule.sentence} · {self.stuck}"
        return Verdict(self.name, "fail", headline, facts, note, problem.rule.name)


def _problem(files: Mapping[str, str], until: float) -> Problem | None:
    try:
        steps = workflow.steps_of(files[CI])
    except NotUnderstood as error:
        return Problem(runs_the_test, CI, str(error))
    if files[TEST] not in _good:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
            folder = Path(name)
            (folder / TEST).write_text(files[TEST], encoding="utf-8")
            if problem := _tried(folder, until):
                return problem
        _good.add(files[TEST])
    try:
        return _of_job(_job(files, steps, MENDED, until), _job(files, steps, AS_IT_IS, until))
    except NotKnown:
        raise
    except NotUnderstood as error:
        return Problem(runs_the_test, CI, str(error))


# ---- the test ------------------------------------------------------------------------------------------------------


def _tried(folder: Path, until: float) -> Problem | None:
    """Run the test against every variant of the service, and return what is wrong with it."""
    call = [sys.executable, "-m", "helpers.props.chat_trial", str(folder)]
    _, said = workflow.finished(call, folder, {}, left(until))
    try:
        found = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        last = said.strip().rpartition("\n")[2] or "nothing"
        return Problem(is_a_test, "pytest runs it", f"pytest did not come to its end; the last it said was: {last}")
    first = found[MENDED]
    if not first["ran"]:
        return Problem(is_a_test, "pytest collects it", first["words"] or "there is no test that runs")
    if first["words"]:
        return Problem(passes_when_mended, "the service is mended", first["words"])
    if not found[AS_IT_IS]["words"]:
        return Problem(fails_as_it_is, "the service has eight faults", "the test passes")
    missed = [issue for issue in ISSUES if not found[issue]["words"]]
    if missed:
        more = f" (and so for {', '.join(missed[1:])})" if missed[1:] else ""
        return Problem(fails_for_each, f"only {missed[0]!r} is wrong: {ISSUES[missed[0]]}", f"the test passes{more}")
    return None


# ---- the job -------------------------------------------------------------------------------------------------------


def _job(files: Mapping[str, str], steps: Sequence[Mapping[str, Any]], which: str, until: float) -> Job:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / TEST).write_text(files[TEST], encoding="utf-8")
        (folder / "chat_service.py").write_text(SERVICE[which], encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        return workflow.play(steps, folder, {"PYTEST_ADDOPTS": JOBS[which]}, left(until))


def _of_job(passing: Job, failing: Job) -> Problem | None:
    """Return what is wrong with a job, seen when the test passes and when it fails."""
    if not passing.succeeded:
        return Problem(runs_the_test, "the service is mended", f"the job fails: {_last(passing.output)}")
    if failing.succeeded:
        return Problem(runs_the_test, "the service has eight faults", f"the job succeeds: {_last(failing.output)}")
    if any(each.endswith(".html") for each in failing.uploaded):
        return None
    if failing.uploaded:
        got = f"no HTML page is among what is uploaded: {', '.join(failing.uploaded[:3])}"
    elif failing.left_out:
        got = f"nothing is uploaded of {failing.left_out[0]}: the step does not run, or there is no such file"
    else:
        got = f"no step uses {workflow.UPLOAD}v4"
    return Problem(keeps_the_report, "the test fails", got)


def _last(output: str) -> str:
    return output.strip().rpartition("\n")[2] or "it says nothing"


def _no_files(answer: Any) -> str:
    if not isinstance(answer, dict):
        return f"This is {type(answer).__name__}; this exercise wants a dict with the texts of two files."
    if sorted(map(str, answer)) != sorted((TEST, CI)):
        return f"The dict must have two keys, {TEST!r} and {CI!r}; it has {', '.join(map(repr, answer)) or 'none'}."
    wrong = [key for key, value in answer.items() if not isinstance(value, str)]
    return f"What stands beside {wrong[0]!r} is no text." if wrong else ""


ex3 = Keep(
    lesson=LESSON,
    number=3,
    title="Keep",
    kind=Kind("a dict with the texts of two files", _no_files),
    parameters=(),
    rules=(is_a_test, passes_when_mended, fails_as_it_is, fails_for_each, runs_the_test, keeps_the_report),
    hints=(
        "`hang_up` is a fixture: `def test_chat(hang_up):`, and in it what you call `explore` with above, "
        "`hang_up.explore(make=lambda: Service().app(), …)`. `Service` comes from `chat_service`.",
        "Three scripts, three explorations, or `@pytest.mark.parametrize`. Two of the faults show only with "
        "`invariant=chat.left_behind`, one only with `lifespan=True`, some only when a handler is cancelled: leave "
        "`endings` alone.",
        "`pytest --hangup-report reports` writes a page for each exploration. A step after one that has failed runs "
        "only with `if: always()`, or `if: failure()`.",
    ),
    why="A fault that comes back is red in CI, and its picture is there for whoever has to mend it.",
    helps={is_a_test: 1, passes_when_mended: 1, fails_for_each: 2, runs_the_test: 3, keeps_the_report: 3},
)
