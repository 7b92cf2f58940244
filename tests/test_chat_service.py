"""The chat service of the last lesson: each fault is found alone, the mended one is sound, the lesson shows both."""

import asyncio
import inspect
import itertools
import os
import subprocess
import sys
from types import FunctionType

import pytest
import yaml

from hangup import ENDINGS, SERVERS, explore
from hangup.record.rules import STRICT
from hangup.servers.script import Send
from hangup.servers.sessions import run_anew
from helpers import lessons
from helpers.exercises.your_own_app import ex2, ex3, keep
from helpers.exercises.your_own_app.around import LESSON
from helpers.exercises.your_own_app.workflow import NotKnown, NotUnderstood, play, steps_of
from helpers.judging.answers import is_starter
from helpers.props import chat
from helpers.props.chat_mended import FAULTS, Mended, only
from helpers.props.chat_service import Service, signed, who
from tests.answers.your_own_app import FILES

BINARY = (
    *chat.LOGIN,
    *chat.say("b", "bob", "hi", to="ab"),
    Send(b"\xff", by="b"),
    *chat.say("b", "bob", "me", to="ab"),
)
"""Bob sends bytes, whose `text` is missing or None, as a server likes."""
SHOWN_BY = {"frozen": chat.SLOW, "deaf": chat.TABS}


def explored(service, script, **options):
    """Explore a service as the lesson does, without the rule that takes many sessions."""
    return explore(
        make=lambda: service().app(),
        script=script,
        path=chat.PATH,
        lifespan=True,
        invariant=chat.left_behind,
        rules=STRICT,
        **options,
    )


@pytest.mark.parametrize("issue", chat.ISSUES)
def test_each_fault_is_found_when_the_other_seven_are_mended(issue):
    report = explored(only(issue), SHOWN_BY.get(issue, chat.TALK), models=("uvicorn",))
    assert report.broken


@pytest.mark.parametrize("script", [chat.TALK, chat.TABS, chat.SLOW], ids=["talk", "tabs", "slow"])
def test_the_mended_service_is_sound_on_every_model(script):
    report = explored(Mended, script)
    assert report.ok, report
    assert report.fired > 0
    assert not report.unfired


def test_bytes_are_passed_over_on_every_model():
    """What is no text is missing on some servers, and None on others."""
    report = explored(Mended, BINARY, endings=["close"], limit=10)
    assert report.ok, report


@pytest.mark.parametrize("server", SERVERS)
def test_the_mended_service_is_sound_on_real_servers(server):
    for ending in (*ENDINGS, "cut"):
        play = run_anew(Mended().app, chat.TABS, ending=ending, server=server, path=chat.PATH, patience=20)
        app, session = asyncio.run(play)
        family = (session, *session.others)
        assert [each.facts["unanswered"] for each in family] == [[]] * 3
        assert [rule.name for rule, each in itertools.product(STRICT, family) if rule.test(each)] == []
        assert chat.left_behind(app) is None


def test_every_issue_has_a_fault_of_its_own():
    assert list(FAULTS) == list(chat.ISSUES)
    assert sorted(set(FAULTS.values())) == sorted(
        name for name, value in vars(Mended).items() if inspect.isfunction(value)
    )


def test_the_lessons_starter_is_the_service_as_it_is_and_its_answer_the_mended_one():
    starter, answer = (
        lessons.source_of(lessons.cells(LESSON, "ex2", tag)[0]).replace("chat_service.", "")
        for tag in ("starter", "solution")
    )
    for source, service in ((starter, Service), (answer, Mended)):
        for name in FAULTS.values():
            function: FunctionType = inspect.unwrap(vars(service)[name])
            told = inspect.getsource(function)
            wanted = [line.strip() for line in told.splitlines() if '"""' not in line and "def " not in line]
            lines = {line.strip() for line in source.splitlines()}
            assert [line for line in wanted if line.partition("  #")[0] and not _has(lines, line)] == []
    assert not is_starter(Mended, ex2._starter)


def _has(lines, line):
    """Tell whether a line stands there, but for its comment or the way in which it is broken."""
    code = line.partition("  #")[0]
    return any(each.partition("  #")[0] == code for each in lines) or "self.rooms[member.room]" in code


def test_a_cookie_is_believed_if_the_service_has_written_it():
    assert who(f"ann.{signed('ann')}") == "ann"
    assert [who(each) for each in ("", "ann", "ann.", f"bob.{signed('ann')}", f".{signed('')}", "é.é")] == [None] * 6


# ---- the steps of a job ------------------------------------------------------------------------------------------

PYTHON = f'"{sys.executable}"'
FAILS = {"run": f'{PYTHON} -c "raise SystemExit(3)"'}
WRITES = {"run": f"{PYTHON} -c \"open('page.html', 'w').close()\""}
HIDES = {"run": f"mkdir .pages\n{PYTHON} -c \"open('.pages/page.html', 'w').close()\""}


def upload(path="page.html", **more):
    return {"uses": "actions/upload-artifact@v4", "with": {"path": path}, **more}


@pytest.mark.parametrize(
    ("steps", "succeeded", "uploaded"),
    [
        ([WRITES, upload()], True, ("page.html",)),
        ([WRITES, FAILS, upload()], False, ()),
        ([WRITES, FAILS, upload(**{"if": "always()"})], False, ("page.html",)),
        ([WRITES, FAILS, upload(**{"if": "${{ !cancelled() }}"})], False, ("page.html",)),
        ([WRITES, upload(**{"if": "failure()"})], True, ()),
        ([WRITES, FAILS | {"continue-on-error": True}, upload()], True, ("page.html",)),
        ([FAILS, WRITES, upload(**{"if": "success() || failure()"})], False, ()),
        ([{"run": "pip install what-there-is-not"}, WRITES, upload("*.html")], True, ("page.html",)),
        ([WRITES, upload("/etc")], True, ()),
        ([WRITES, upload("..")], True, ()),
        ([WRITES, upload(".")], True, ("page.html",)),
        ([HIDES, upload("./")], True, ()),
        ([HIDES, upload(".pages")], True, ()),
        ([HIDES, {**upload(), "with": {"path": ".pages", "include-hidden-files": True}}], True, (".pages/page.html",)),
    ],
)
def test_a_job_is_run_as_a_runner_does(tmp_path, steps, succeeded, uploaded):
    job = play(steps, tmp_path, {}, 60)
    assert (job.succeeded, job.uploaded) == (succeeded, uploaded)


def test_a_step_s_options_for_pytest_come_after_those_of_the_job(tmp_path):
    asks = {"run": f"{PYTHON} -c \"import os; print(os.environ['PYTEST_ADDOPTS'])\"", "env": {"PYTEST_ADDOPTS": "-q"}}
    assert play([asks], tmp_path, {"PYTEST_ADDOPTS": "-x"}, 60).output.strip() == "-x -q"


@pytest.mark.parametrize("text", ["- run: x", "steps:\n- run: x", "jobs:\n  a:\n    steps:\n    - run: x"])
def test_steps_are_read_from_a_list_a_job_or_a_workflow(text):
    assert steps_of(text) == [{"run": "x"}]


@pytest.mark.parametrize("text", ["", "run: x", "- x", "- uses: y", "a: [", "jobs: {a: {}, b: {}}"])
def test_what_has_no_steps_gets_a_sentence(text):
    with pytest.raises(NotUnderstood, match=r"\w"):
        steps_of(text)


@pytest.mark.parametrize("condition", ["github.ref == 'x'", "exit()", "always(", "!"])
def test_a_condition_that_is_not_known_is_named(tmp_path, condition):
    with pytest.raises(NotUnderstood, match="if: "):
        play([WRITES | {"if": condition}], tmp_path, {}, 60)


@pytest.mark.parametrize("step", [{"run": "echo ${{ matrix.python }}"}, {"run": "x", "shell": "python"}])
def test_what_githubs_runner_may_know_is_named(tmp_path, step):
    """It is no fault of the answer's, so it is raised as what it is."""
    with pytest.raises(NotKnown, match="more than this runner knows"):
        play([step], tmp_path, {}, 60)


def test_what_the_runner_does_not_know_is_no_fault(monkeypatch):
    """The check says that it is not known."""
    monkeypatch.setattr(keep, "_good", {FILES["test_chat.py"]})
    verdict = ex3.check(FILES | {"ci.yml": FILES["ci.yml"].replace("always()", "github.ref == 'refs/heads/main'")})
    assert (verdict.outcome, "github.ref" in str(verdict)) == ("not known", True), verdict


@pytest.mark.skipif(os.name != "posix", reason="a line is one for bash")
@pytest.mark.parametrize(
    ("line", "shell", "succeeds"),
    [
        ("false | true", None, True),
        ("false | true", "bash", False),
        ("false | true", "bash -elo pipefail {0}", False),
        ("false; true", None, False),
        ('test "$GITHUB_WORKSPACE" = "${{ github.workspace }}" -a "${{ env.WORD }}" = hello', None, True),
    ],
)
def test_a_shell_is_that_of_githubs_runner(tmp_path, line, shell, succeeds):
    """Without a name it has no pipefail; a job's own holds for each of its steps, and so does its environment."""
    job = {"defaults": {"run": {"shell": shell}}} if shell else {}
    steps = steps_of(yaml.safe_dump(job | {"env": {"WORD": "hello"}, "steps": [{"run": line}]}))
    assert play(steps, tmp_path, {}, 60).succeeded is succeeds


def test_a_step_asks_for_the_outcome_of_another(tmp_path):
    """The outcome is what the step's command made of it, also where the job goes on."""
    tried = {"id": "a", "run": "false", "continue-on-error": True}
    assert not play([tried, {"if": "steps.a.outcome == 'failure'", "run": "false"}], tmp_path, {}, 60).succeeded
    assert play([tried, {"if": "${{ steps.a.outcome != 'failure' }}", "run": "false"}], tmp_path, {}, 60).succeeded


def test_a_command_that_does_not_end_is_ended(tmp_path):
    with pytest.raises(subprocess.TimeoutExpired):
        play([{"run": f'{PYTHON} -c "import time; time.sleep(600)"'}], tmp_path, {}, 0)
