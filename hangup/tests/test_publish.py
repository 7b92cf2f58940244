"""`--html` and `--github`: the page, the job summary in Markdown, and annotations, whatever an app says."""

import re
from pathlib import Path

import pytest

from hangup import explore, replay
from hangup.cli import main
from hangup.explorer.report import Broken, Report
from hangup.explorer.showing.markdown import annotation, job_summary
from hangup.explorer.showing.outcomes import outcomes

APP = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": message["text"]})
    print("printed")

async def bad(scope, receive, send):
    await app(scope, receive, send)
    raise ValueError("100%,\\n::error::```\\ud800")
"""


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Return what runs `hangup explore` in a folder with the app, and returns status, stdout and stderr."""
    (tmp_path / "some_chat.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)

    def run(*arguments):
        try:
            status = main(["explore", *arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        return (status, *capsys.readouterr())

    return run


def test_html_writes_the_page_with_pictures_and_the_command(command):
    status, _, _ = command("some_chat.py:bad", "--server", "granian", "--html", "page.html", "--json")
    text = Path("page.html").read_text(encoding="utf-8")
    assert status == 1
    assert '<h1><span class="bad">✗</span> some_chat.py:bad</h1>' in text
    assert text.count("<svg") == 1
    assert "hangup replay some_chat.py:bad granian/" in text.replace("&#x27;", "")


def test_github_writes_a_summary_and_annotations_beside_json(command):
    status, out, err = command("some_chat.py:bad", "--server", "granian", "--github", "--json")
    text = Path("summary.md").read_text(encoding="utf-8")
    assert (status, out[0], "::error file" in out) == (1, "{", False)
    assert text.startswith("### ✗ some\\_chat.py:bad\n\nexplored 21; 15 break a rule\n\n| server | close |")
    assert text.count("```mermaid\nsequenceDiagram\n") == 1
    (line,) = [line for line in err.splitlines() if line.startswith("::error ")]
    assert line.startswith("::error file=some_chat.py,line=11,title=hangup%3A the handler ends quietly when the peer ")
    assert "::ValueError: 100%25,%0A::error::```\\ud800 (granian · " in line


def test_an_app_that_keeps_every_rule_has_a_summary_without_outcomes(command):
    status, _, err = command("some_chat.py:app", "--server", "granian", "--github", "--html", "page.html")
    assert (status, err.count("::error")) == (0, 0)
    assert Path("summary.md").read_text(encoding="utf-8").startswith("### ✓ some\\_chat.py:app\n")


def test_summaries_are_added_to_those_of_earlier_commands(command):
    for _ in range(2):
        command("some_chat.py:app", "--server", "granian", "--github")
    assert Path("summary.md").read_text(encoding="utf-8").count("### ✓") == 2


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--html", "no/page.html"], "hangup explore: error: argument --html: there is no folder 'no'.\n"),
        (["--html", "."], "hangup explore: error: argument --html: '.' is a folder.\n"),
        (
            ["--github"],
            "hangup explore: error: argument --github: $GITHUB_STEP_SUMMARY is not set; GitHub sets it in each step of "
            "a job.\n",
        ),
    ],
)
def test_nowhere_to_write_to_is_one_sentence_before_anything_is_explored(command, monkeypatch, options, sentence):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    assert command("some_chat.py:app", *options) == (2, "", sentence)


# ---- what Markdown takes for its own ----------------------------------------------------------------------------


def report(got: str, rule: str = "it ends") -> Report:
    return Report(1, 1, (Broken(rule, "granian/close@end", got),), (("granian/close@end", "raised"),))


def test_a_fence_is_longer_than_any_in_what_an_app_says():
    lines = job_summary(report("x\n````\n# no heading"), title="t").splitlines()
    assert lines.count("`````") == 2


def test_words_outside_blocks_are_words():
    text = job_summary(report("x", rule="a | *b* <img src=x> @you [c](d)"), title="a_b|c\n# d")
    assert text.startswith("### ✗ a\\_b\\|c \\# d\n")
    assert "**✗ a \\| \\*b\\* &lt;img src=x&gt; \\@you \\[c\\](d)**" in text


def test_many_outcomes_are_counted_and_not_all_written():
    broken = tuple(Broken("it ends", f"granian/close@send#{n}", "x" * n) for n in range(1, 31))
    text = job_summary(Report(30, 30, broken, ()), title="t")
    assert len(re.findall("✗ it ends", text)) == 20
    assert "\nand 10 more outcomes\n" in text


def test_a_line_that_is_not_known_has_no_annotation():
    async def silent(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            await receive()

    found = explore(silent, [], models=["uvicorn"], endings=["close"])
    session = replay(silent, found.broken[0].schedule, [])
    assert annotation(outcomes(found)[0], session, Path.cwd()) == ""
