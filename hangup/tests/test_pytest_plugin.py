"""The pytest plugin: failures in words at the test's own line, replays, what is remembered, and who it lives beside."""

import importlib.util
import re
import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

APP = """
import pytest

async def app(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": message["text"]})

async def bad(scope, receive, send):
    await app(scope, receive, send)
    raise ValueError("too late")
"""
TEST = """
def test_chat(hang_up):
    hang_up.explore({}, models=["granian"])
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Return what writes a test file and runs it in this process, with no more plugins than it needs."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("CI", raising=False)  # there pytest says each failure once more, whole

    def run(text="", *options, inside=pytester.runpytest_inprocess):
        if text:
            pytester.makepyfile(test_it=APP + text)
        return inside("-p", "hangup.pytest_plugin", "--strict-markers", "--strict-config", *options)

    return run


def output(result) -> str:
    return str(result.stdout)


def test_an_app_that_keeps_every_rule_passes_and_gives_its_report(run):
    test = TEST.format("app") + "    assert hang_up.explore(app, endings=['close']).explored == 25\n"
    run(test).assert_outcomes(passed=1)


def test_a_failure_says_rule_moment_words_line_picture_count_and_command(run):
    result = run(TEST.format("bad"))
    result.assert_outcomes(failed=1)
    said = output(result).partition("RuleBroken: ")[2].partition("\n\n")[0].splitlines()
    lines = [line.removeprefix("E").strip() for line in said]
    assert lines[:7] == [
        "15 of 21 schedules break a rule: the handler ends quietly when the peer leaves",
        "",
        "✗ the handler ends quietly when the peer leaves",
        "when   granian · the client's connection ends (TCP FIN) before send() number 1 (granian/close@send#1)",
        "got    ValueError: too late",
        'where  test_it.py:11 in bad: raise ValueError("too late")',
        "often  15 of 21 schedules",
    ]
    assert "client  → granian   GET /" in lines
    assert "app               ✗ raises ValueError: too late" in lines
    assert lines[-1] == "see it again: pytest test_it.py::test_chat --hangup-replay 'granian/close@send#1'"


def test_a_failure_points_at_the_line_of_the_test(run):
    said = output(run(TEST.format("bad")))
    assert ">       hang_up.explore(bad" in said
    assert "test_it.py:14: RuleBroken" in said
    assert re.findall(r"(?m)^\S*(?:exploring|targets|explore|threads)\.py:\d+", said) == []


def test_each_outcome_is_told_and_only_the_first_has_a_picture(run):
    odd = """
async def odd(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    raise KeyError if (await receive()).get("code") == 1005 else OSError

def test_odd(hang_up):
    hang_up.explore(odd, [], models=["granian"], endings=["close"])
"""
    said = output(run(odd))
    assert said.count("✗ the handler ends quietly when the peer leaves") == 2
    assert said.count("client  → granian   GET /") == 1


def test_a_picture_that_shows_something_else_is_left_out(run):
    odd = """
async def odd(scope, receive, send):
    await app(scope, receive, send)
    odd.calls = getattr(odd, "calls", 0) + 1
    raise {0: KeyError, 1: OSError}[odd.calls % 2]

def test_odd(hang_up):
    hang_up.explore(make=lambda: odd, models=["granian"], endings=["close"])
"""
    said = output(run(odd))
    assert "got    KeyError" in said
    assert "but    played again it went otherwise: this app does not do the same thing twice" in said
    assert "GET /" not in said


def test_arguments_that_cannot_be_used_are_told_at_the_line_of_the_test(run):
    said = output(run('def test_x(hang_up):\n    hang_up.explore(app, models=["nginx"])\n'))
    assert "ValueError: There is no model 'nginx': choose among" in said
    assert "test_it.py:13: ValueError" in said
    assert "names.py" not in said


def test_an_app_that_ends_the_exploration_is_told_in_a_sentence(run):
    said = output(
        run("async def leaves(*_):\n    raise SystemExit('x')\n\ndef test_x(hang_up):\n    hang_up.explore(leaves)\n")
    )
    assert "RuleBroken: the exploration was given up: the app raised SystemExit('x')" in said


def test_a_client_is_explored_as_well(run):
    pytest.importorskip("websockets")
    client = """
import websockets

async def client(url):
    async with websockets.connect(url, ping_interval=None) as websocket:
        await websocket.recv()

async def server(websocket):
    await websocket.send("hello")

def test_it(hang_up):
    hang_up.explore_client(client, lambda: server, faults=["silence"])
"""
    said = output(run(client))
    assert "✗ the client ends, or is connected again, whatever happens to the connection" in said
    command = re.search(r"--hangup-replay '(\S+)'", said)
    assert command is not None
    replayed = output(run("", "--hangup-replay", command[1]))
    assert "RuleBroken: 1 of 1 schedules break a rule: the client ends" in replayed


# ---- the options ------------------------------------------------------------------------------------------------


def test_a_replay_that_passes_shows_its_picture(run):
    result = run(TEST.format("app"), "--hangup-replay", "granian/reset@receive#2")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["*hangup replay*", "test_it.py::test_chat", "granian/reset@receive#2", "*TCP RST", "✓ every rule holds"]
    )


def test_a_replay_fails_by_its_one_schedule(run):
    result = run(TEST.format("bad"), "--hangup-replay", "granian/reset@receive#2")
    result.assert_outcomes(failed=1)
    assert "RuleBroken: 1 of 1 schedules break a rule" in output(result)
    assert "--hangup-replay 'granian/reset@receive#2'" in output(result)


def test_an_invariant_judges_replays_and_what_is_remembered_as_well(run):
    test = TEST.format('app, invariant=lambda app: "it is untidy"')
    for options in ((), (), ("--hangup-replay", "granian/close@end")):  # explored, tried again, replayed
        result = run(test, *options)
        result.assert_outcomes(failed=1)
        assert "got    it is untidy" in output(result)
        assert "played again it went otherwise" not in output(result)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("granian/close@receive#19", "the app never comes to granian/close@receive#19"),
        ("granian/cancel@await#99", "the app never comes to granian/cancel@await#99"),
        ("upstream/reset@frame#2", "upstream/reset@frame#2 is no schedule of this test's app"),
    ],
)
def test_a_schedule_that_a_test_never_comes_to_skips_it(run, name, why):
    result = run(TEST.format("app"), "--hangup-replay", name, "-rs")
    result.assert_outcomes(skipped=1)
    assert why in output(result)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (("--hangup-replay", "fin"), "ERROR: --hangup-replay: 'fin' is no schedule: they look like granian/"),
        (("--hangup-limit", "0"), "ERROR: --hangup-limit: '0' is no whole number above 0."),
        (("--hangup-limit", "many"), "ERROR: --hangup-limit: 'many' is no whole number above 0."),
    ],
)
def test_an_option_that_cannot_be_used_is_one_sentence(run, option, sentence):
    result = run(TEST.format("app"), *option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert sentence in str(result.stderr)


def test_a_limit_holds_for_every_exploration(run):
    test = "def test_few(hang_up):\n    assert hang_up.explore(app, limit=50).explored == 3\n"
    run(test, "--hangup-limit", "3").assert_outcomes(passed=1)


def test_every_exploration_of_a_test_has_a_report_of_its_own(run, pytester):
    result = run(TEST.format("app") + "    hang_up.explore(bad)\n", "--hangup-report", "out")
    result.assert_outcomes(failed=1)
    assert output(result).count("test_it.py::test_chat: ") == 2
    pages = [file.read_text(encoding="utf-8") for file in (pytester.path / "out").iterdir()]
    assert sorted("ValueError: too late" in page for page in pages) == [False, True]


# ---- what is remembered -----------------------------------------------------------------------------------------


def test_what_failed_is_tried_first_and_the_rest_left_out_while_it_fails(run):
    run(TEST.format("bad"))
    said = output(run())
    assert "RuleBroken: 1 of 1 schedules break a rule" in said
    assert "These failed last time, too; the other schedules were not explored (--cache-clear explores all)." in said
    assert "RuleBroken: 15 of 21 schedules" in output(run("", "--cache-clear"))


def test_a_test_that_is_mended_is_explored_whole_and_forgotten(run):
    run(TEST.format("bad"))
    run(TEST.format("app")).assert_outcomes(passed=1)
    assert "RuleBroken: 15 of 21 schedules" in output(run(TEST.format("bad")))


def test_what_a_test_does_not_ask_for_any_more_is_not_tried(run):
    run(TEST.format("bad"))
    assert "15 of 26 schedules" in output(run(TEST.format("bad").replace("granian", "hypercorn")))


def test_a_remembered_moment_to_which_an_app_never_comes_accuses_nobody(run):
    twice = """
async def app_(scope, receive, send):
    await app(scope, receive, send)
    raise KeyError

def test_chat(hang_up):
    hang_up.explore(app_, ["x"] * 4, models=["granian"], probe=lambda _, s: s.facts.update(allowed=ALLOWED(s)))
"""
    late = "ALLOWED = lambda s: () if s.schedule == 'granian/close@receive#6' else (KeyError,)\n"
    assert "RuleBroken: 1 of " in output(run(late + twice))
    run(late + twice.replace("* 4", "* 1")).assert_outcomes(passed=1)


def test_a_report_is_of_everything_whatever_failed_last_time(run):
    run(TEST.format("bad"))
    assert "RuleBroken: 15 of 21 schedules" in output(run("", "--hangup-report", "out"))


@pytest.mark.parametrize("kept", ["nonsense", '{"failed": {"1": [7, "fin"]}}', '{"failed": [1]}'])
def test_a_cache_that_somebody_has_changed_does_no_harm(run, pytester, kept):
    run(TEST.format("bad"))
    (file,) = (pytester.path / ".pytest_cache" / "v" / "hangup").iterdir()
    file.write_text(kept)
    assert "RuleBroken: 15 of 21 schedules" in output(run())


def test_without_a_cache_nothing_is_remembered(run):
    run(TEST.format("bad"), "-p", "no:cacheprovider")
    assert "RuleBroken: 15 of 21 schedules" in output(run("", "-p", "no:cacheprovider"))


# ---- whom it lives beside ---------------------------------------------------------------------------------------


def test_workers_of_xdist_remember_and_show_as_one_process_does(run, pytester):
    pytest.importorskip("xdist")
    test = TEST.format("bad") + "\n\ndef test_good(hang_up):\n    hang_up.explore(app)\n"
    workers = "-p", "xdist", "-n", "2"
    result = run(test, *workers, inside=pytester.runpytest_subprocess)
    result.assert_outcomes(passed=1, failed=1)
    assert "These failed last time, too" in output(run())
    said = output(run("", *workers, "--hangup-replay", "granian/close@end", inside=pytester.runpytest_subprocess))
    assert "test_it.py::test_good\ngranian/close@end\nclient" in said


@pytest.mark.parametrize("plugin", ["anyio", "pytest_asyncio"])
def test_an_async_test_explores_as_well(run, pytester, plugin):
    if importlib.util.find_spec(plugin) is None:
        pytest.skip(f"{plugin} is not installed")
    mark = plugin.removeprefix("pytest_")
    test = f"@pytest.mark.{mark}\nasync def test_async(hang_up):\n    hang_up.explore({{}})\n"
    text = test.format("app") + test.format("bad").replace("test_async", "test_bad")
    text += "@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    module = {"anyio": "anyio.pytest_plugin", "pytest_asyncio": "pytest_asyncio.plugin"}[plugin]
    result = run(text, "-p", module, "-W", "ignore", inside=pytester.runpytest_subprocess)
    result.assert_outcomes(passed=1, failed=1)
    assert "RuleBroken: 69 of 101 schedules" in output(result)


def test_junit_has_the_failure_and_how_many_were_explored(run, pytester):
    run(TEST.format("bad"), "--junitxml", "junit.xml")
    text = (pytester.path / "junit.xml").read_text(encoding="utf-8")
    assert 'message="RuleBroken: 15 of 21 schedules break a rule' in text
    assert '<property name="hangup" value="explored 21; 15 break a rule"' in text


def test_pytest_starts_without_importing_what_explores():
    code = (
        "import sys, pytest; before = set(sys.modules); import hangup.pytest_plugin; print(*set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"hangup", "hangup.pytest_plugin"}
