"""The matrix: servers that are asked answer as their models, old and new; what was measured is kept and compared."""

import ast
import json
import os
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import pytest

import hangup
from hangup.cli import main
from hangup.servers import players, stalls
from hangup.servers.matrix import asked, commands, rows, specification
from hangup.servers.matrix.answers import NOT_ASKED, QUESTIONS, answers
from hangup.servers.matrix.asking import Logs
from hangup.servers.matrix.measure import measure
from hangup.servers.matrix.rows import Row
from hangup.servers.models import MODELS, model_for, words
from hangup.servers.models.doubts import order
from hangup.servers.models.model import Model
from hangup.servers.models.more.older import OLDER
from hangup.servers.releases import NoEnvironmentError, isolated
from support.commands import ROOT
from support.daphne import RELEASE as DAPHNE
from support.playing_in_memory import in_memory

MEASURED = rows.measured()
SERVER_STOPS = {q for q in QUESTIONS if q.startswith("the server shuts down")}
ENDS = {q for q in QUESTIONS if q.startswith("the app ends")}
_GUNICORN = "on a connection that is lost it does not return, and the app is cancelled after 3 s: no column"
OTHERWISE = {
    ("gunicorn", "the peer has left: close()"): _GUNICORN,
    ("gunicorn", "the disconnect was received: close()"): _GUNICORN,
    ("gunicorn", "left before accept: accept, close()"): _GUNICORN,
}
"""Server and question where a row says something else than was measured, and why."""


def said(model: Model) -> dict[str, str]:
    """Return what a model says in words."""
    return {question: answer for question, answer in words.table([model]).rows}  # noqa: C416 - rows of two


def of_the_model(name: str) -> dict[str, str]:
    """Return a model's answers: the probes are played on it in memory, what they log is read as a server's is."""
    cases = [(p, e) for p, endings in asked.PROBES.items() for e in endings if not e.endswith("shutdown")]
    logs = Logs({f"/{p.__name__}/{e.replace(' ', '-')}": in_memory(name, p, e) for p, e in cases})
    found = answers(logs, Logs(), Logs())
    in_words = said(players.row_of(name))
    return found | {question: in_words[question] for question in SERVER_STOPS | ENDS}


def differing(server: str, mine: dict[str, str], its: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return the questions of which two say different things, but for those of which a row is known to."""
    questions = [q for q in QUESTIONS if (server, q) not in OTHERWISE]
    return {q: (mine[q], its[q]) for q in questions if not rows.same(mine[q], its[q])}


def rows_of(row: Row) -> list[Model]:
    known = [model for model in (*MODELS.values(), *OLDER) if model.name == row.server]
    return [model for model in known if order(model.since) <= order(row.release) <= order(model.measured)]


@pytest.mark.parametrize("row", [row for row in MEASURED if rows_of(row)], ids=lambda row: row.title)
def test_a_row_of_the_models_says_what_was_measured_of_its_releases(row):
    assert differing(row.server, of_the_model(f"{row.server}=={row.release}"), row.answers) == {}


def test_every_row_of_the_models_was_measured():
    assert [m.name for m in (*MODELS.values(), *OLDER) if not any(m in rows_of(row) for row in MEASURED)] == []


def test_what_a_row_leaves_out_is_left_out_for_a_reason():
    found = {
        (row.server, question)
        for row in MEASURED
        for question in QUESTIONS
        if rows_of(row) and (row.server, question) in OTHERWISE
        if not rows.same(of_the_model(f"{row.server}=={row.release}")[question], row.answers[question])
    }
    assert found == set(OTHERWISE)


# ---- a release's row -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "since"),
    [
        ("granian==2.2.6", "2.1.2"),
        ("granian==2.3.3", "2.3.2"),
        ("granian==2.6.1", "2.4.0"),
        ("granian==2.7.1", "2.7.1"),
        ("granian==2.7.2", "2.7.2"),
        ("granian==2.7.9", "2.7.3"),
        ("granian==2.8.3", "2.8.1"),
        ("granian==2.8.9", "2.8.4"),
        ("uvicorn==0.45.0", "0.39.0"),
        ("uvicorn==0.51.0", "0.50.0"),
        ("uvicorn==0.54.0", "0.52.1"),
        ("uvicorn-wsproto==0.34.0", "0.30.6"),
        ("uvicorn-wsproto==0.45.0", "0.39.0"),
        ("uvicorn-wsproto==0.51.0", "0.46.0"),
    ],
)
def test_a_release_has_the_row_that_is_true_of_it(release, since):
    assert model_for(release).since == since
    assert model_for(release).name == release.partition("==")[0]


@pytest.mark.parametrize(
    ("release", "sentence"),
    [
        (
            "granian==2.0.0",
            "No row is known for granian 2.0.0: there are rows for 2.1.2 to 2.3.0, 2.3.1, 2.3.2 to 2.3.4, 2.4.0 to ",
        ),
        ("nginx==1.0", "There is no model 'nginx'."),
        ("uvicorn==", "No row is known for uvicorn (which release?): there are rows for 0.39.0 to 0.49.0, "),
    ],
)
def test_a_release_without_a_row_is_told_in_a_sentence(release, sentence):
    with pytest.raises(ValueError) as told:  # noqa: PT011 - the whole sentence is looked at
        model_for(release)
    assert str(told.value).startswith(sentence)


def test_an_older_release_is_explored_and_its_schedules_are_replayed(capsys):
    assert main(["explore", "support.running:app", "--server", "granian==2.7.2", "--ending", "reset"]) in {0, 1}
    assert "granian==2.7.2" in capsys.readouterr().out


# ---- servers are asked -----------------------------------------------------------------------------------------------


def asked_until_known(servers, releases=()):
    """Ask servers; again, three times in all, if one has ended an app before it had come to a question.

    gunicorn does so 3 s after a peer has left, for all of which a machine may have stood still.
    """
    for _ in range(3):
        found, problems = measure(servers, releases)
        differ = ((row, differing(row.server, said(MODELS[row.server]), row.answers)) for row in found)
        if not any(NOT_ASKED in {row.answers[question] for question in questions} for row, questions in differ):
            break
    return found, problems


def test_servers_answer_as_their_models():
    found, problems = asked_until_known([commands.of(name) for name in ("uvicorn", "granian")])
    assert problems == []
    for row in found:
        assert differing(row.server, said(MODELS[row.server]), row.answers) == {}


def test_of_a_goodbye_that_was_told_once_nobody_says_that_it_comes_for_ever():
    """An app that its server ends then has not asked again."""
    lines = ["accept returns", "websocket.disconnect {'code': 1006}"]
    for logged, answer in ((lines, NOT_ASKED), ([*lines, lines[-1]], "1006 for ever")):
        found = answers(Logs({"/reads_on/fin": logged}), Logs(), Logs())
        assert found["the client dies (FIN): receive()"] == answer


def test_any_command_can_be_asked_and_one_that_does_not_serve_is_told():
    line = f"{sys.executable} -c 'import sys; sys.exit(3)' {{app}} {{port}}"
    assert measure([commands.given(line)]) == ([], [f"{Path(sys.executable).name} ends with 3"])


IN_MEMORY = """
import json, sys
sys.path[:0] = {folders!r}
from support.playing_in_memory import in_memory
from hangup.servers.matrix.asked import PROBES
cases = [(name, p, e) for name in ("gunicorn", "anycorn") for p, endings in PROBES.items() for e in endings]
print(json.dumps([[n, p.__name__, e, in_memory("installed:" + n, p, e), in_memory(n, p, e)] for n, p, e in cases]))
"""


@pytest.mark.filterwarnings("default:gunicorn and anycorn were not asked")
def test_gunicorn_and_anycorn_answer_as_their_models_by_their_commands_and_in_memory():
    """Where no environment can be made, this says so in the summary; on CI it fails."""
    releases = [f"{name}=={MODELS[name].measured}" for name in ("gunicorn", "anycorn")]
    folders = [str(ROOT), str(Path(hangup.__file__).parent.parent)]
    try:
        under = [*releases, f"websockets=={version('websockets')}"]
        run = isolated(IN_MEMORY.format(folders=folders), under=under, timeout=180)
        found, problems = asked_until_known([], releases)
    except NoEnvironmentError as error:
        if os.environ.get("CI"):
            raise
        warnings.warn(f"gunicorn and anycorn were not asked: no environment: {error}", stacklevel=1)
        pytest.skip(str(error))
    assert problems == []
    for row in found:
        assert differing(row.server, said(MODELS[row.server]), row.answers) == {}
    differ = {(name, probe, ending) for name, probe, ending, code, model in run.values[-1] if code != model}
    lost = {(probe, f"{early}{how}") for how in ("fin", "reset") for probe, early in CANCELLED}
    assert differ == {("gunicorn", *case) for case in lost}


CANCELLED = (("closes_late", ""), ("closes_at_once", ""), ("closes_unread", ""), ("accepts_nobody", "early "))
"""The probes that gunicorn cancels, for they close a connection that is lost: see OTHERWISE."""


def test_the_app_that_servers_are_asked_with_needs_nothing_but_python():
    """Beside it, it has what it waits with, which needs no more."""
    for module, beside in ((asked, {"hangup.servers.stalls"}), (stalls, set())):
        tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
        names = [each for each in ast.walk(tree) if isinstance(each, ast.Import | ast.ImportFrom)]
        modules = {str(each.module) if isinstance(each, ast.ImportFrom) else each.names[0].name for each in names}
        assert {name.partition(".")[0] for name in modules - beside} <= sys.stdlib_module_names


# ---- what the specification says -------------------------------------------------------------------------------------


def test_the_specification_has_a_sentence_for_each_question():
    assert tuple(specification.SAYS) == QUESTIONS


@pytest.mark.parametrize(
    ("question", "answer", "version", "departs"),
    [
        ("the client closes: receive()", "its code, waits", "2.3", False),
        ("the client closes: receive()", "1006, waits", "2.3", True),
        ("the peer has left: send()", "ClientDisconnected", "2.4", False),
        ("the peer has left: send()", "RuntimeError", "2.4", True),
        ("the peer has left: send()", "returns", "2.4", True),
        ("the peer has left: send()", "returns", "2.3", False),
        ("the peer has left: send()", "closes: ClientDisconnected; FIN: returns; RST: returns", "2.4", True),
        ("the server shuts down: receive()", "waits", "2.4", True),
        ("the app has closed: send()", "returns", "2.4", False),
        ("the peer has left: send()", "?", "2.4", False),
    ],
)
def test_an_answer_departs_where_the_version_that_the_server_names_asks_for_another(question, answer, version, departs):
    assert specification.departs(question, answer, {"ClientDisconnected"}, version) == departs


# ---- what was measured -----------------------------------------------------------------------------------------------

ROW = Row("mine", "1.0", "2026-01-01", "3.11.0", dict.fromkeys(QUESTIONS, "returns"), ("Gone",), "2.4", ("a 1",))


def test_rows_are_read_back_as_they_were_written(tmp_path):
    assert rows.read(rows.as_json([ROW])) == [ROW]
    assert rows.read(rows.keep(ROW, tmp_path).read_text("utf-8")) == [ROW]


def test_a_json_of_something_else_is_told_in_a_sentence():
    with pytest.raises(ValueError, match=r"this is no JSON that `hangup servers --json` has written"):
        rows.read('[{"a": 1}]')


def test_a_row_is_compared_with_another():
    other = Row("mine", "0.9", "2025-01-01", "3.11.0", ROW.answers | {"the app has closed: send()": "Gone"})
    assert rows.against(ROW, other) == ["the app has closed: send(): Gone -> returns"]
    assert rows.same("1005, 1005 for ever", "1005 for ever")
    assert rows.changes([ROW, other]).rows[-1] == ("mine 1.0", "2026-01-01", "1 differ")


def test_a_page_shows_every_row_and_escapes_its_words():
    page = rows.html([Row("<mine>", "1", "2026-01-01", "3", ROW.answers)])
    assert "&lt;mine&gt; 1" in page
    assert "<mine>" not in page


def test_what_was_measured_is_shown_without_asking(capsys):
    assert main(["servers", "granian", "--measured"]) == 0
    header = capsys.readouterr().out.splitlines()[0]
    assert "granian 2.8.9" in header
    assert "uvicorn" not in header


def test_differences_from_the_last_release_are_printed_and_give_1(capsys, tmp_path, monkeypatch):
    granians = [row for row in MEASURED if row.server == "granian"]
    new, old = (next(row for row in granians if row.release == release) for release in ("2.8.9", "2.8.0"))
    monkeypatch.setattr("hangup.servers.matrix.measure.measure", lambda *_: ([new], []))
    file = tmp_path / "last.json"
    file.write_text(rows.as_json([old]), "utf-8")
    again = tmp_path / "again.json"
    assert main(["servers", "granian", "--against", str(file), "--json", str(again)]) == 1
    out = capsys.readouterr().out
    assert "granian 2.8.9 against granian 2.8.0" in out
    assert "the app has closed: send(): RuntimeError -> returns" in out
    assert json.loads(again.read_text("utf-8"))[0]["release"] == "2.8.9"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nginx"], "There is no server 'nginx': choose among uvicorn, "),
        (["anycorn"], "anycorn is not installed here: --release anycorn==... asks one that is not."),
        (["--command", "uvicorn app:app"], "A command says where {app} belongs: "),
        (["--release", "granian"], "'granian' names no release: it looks like granian==2.2.6"),
        (["--against", "nowhere.json"], "nowhere.json: "),
    ],
)
def test_what_cannot_be_asked_is_one_sentence_and_2(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as left:
        main(["servers", *arguments])
    assert left.value.code == 2
    assert sentence in capsys.readouterr().err


def test_daphne_was_measured_as_it_is_probed():
    assert DAPHNE.replace("==", " ") in {row.title for row in MEASURED}
