"""Where a learner works: nothing he wrote is lost, whatever happens to the lesson, the file, or the process."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from random import Random

import pytest

from helpers import __main__ as command
from helpers import lessons
from helpers.catalogue import role
from helpers.workspace import files
from helpers.workspace.merge import NEWER, merge

ROOT = Path(__file__).parent.parent
NAME = "07-title.ipynb"
RELOAD = "Is one of them open in JupyterLab? Choose File, Reload Notebook from Disk.\n"


def cell(name, source, *tags, kind="code", **more):
    """Make a cell; its id is its name."""
    bare = {"cell_type": kind, "id": name, "metadata": {"tags": list(tags)} if tags else {}, "source": [source]}
    return bare | ({"execution_count": None, "outputs": []} if kind == "code" else {}) | more


def notebook(*cells):
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


TITLE = cell("title", "# 07 · Title\n\n## Exercise 1 · Shout", kind="markdown")
DEMO = cell("demo", "x = 1")
STARTER = cell("start", "def shout(): raise NotImplementedError", "starter", "ex1")
CHECK = cell("check", "ex1.check(shout)", "check", "ex1")
SOLUTION = cell("solved", "def shout(): return 1", "solution", "ex1")
LAST = cell("last", "What do you remember?", kind="markdown")
LESSON = (TITLE, DEMO, STARTER, CHECK, LAST)
ANSWER = STARTER | {"source": ["def shout():\n", "    return 'mine'"]}
OUTPUT = {"output_type": "stream", "name": "stdout", "text": ["1\n"]}


def sources(found):
    return [lessons.source_of(each) for each in found["cells"]]


def changed(old, source):
    return old | {"source": [source]}


# ---- the merge -----------------------------------------------------------------------------------------------------


def merged(mine, new, base=LESSON):
    """Return the cells that come out; nothing that goes in may change."""
    given = [notebook(*base), notebook(*mine), notebook(*new)]
    before = json.dumps(given)
    result = merge(*given).notebook
    assert json.dumps(given) == before
    ids = [each["id"] for each in result["cells"]]
    assert len(set(ids)) == len(ids)
    return result


def texts(*cells):
    return sources(notebook(*cells))


def test_an_untouched_lesson_becomes_the_new_one_and_loses_the_outputs_of_renewed_cells_only():
    old = [TITLE, DEMO | {"outputs": [OUTPUT]}, STARTER, CHECK | {"outputs": [OUTPUT]}, LAST]
    new = [TITLE, changed(DEMO, "x = 2"), cell("fresh", "y = 1"), STARTER, CHECK]
    found = merged(old, new)
    assert sources(found) == texts(*new)
    assert [each.get("outputs") for each in found["cells"]] == [None, [], [], [], [OUTPUT]]


def test_an_answer_stays_when_the_starter_changes_and_the_new_starter_stands_below_it_once():
    new = [TITLE, DEMO, changed(STARTER, "def shout(loud): ..."), CHECK, LAST]
    found = merged([TITLE, DEMO, ANSWER, CHECK, LAST], new)
    assert sources(found)[2] == "def shout():\n    return 'mine'"
    assert found["cells"][3]["cell_type"] == "markdown"
    assert found["cells"][3]["metadata"]["tags"] == [NEWER]
    assert "````python\ndef shout(loud): ...\n````" in sources(found)[3]
    assert sources(found)[4:] == texts(CHECK, LAST)
    assert merged(found["cells"], new, base=new) == found  # renewed again
    assert merged(found["cells"], new) == found  # renewed again, as if the base had not been written
    newest = [TITLE, DEMO, changed(STARTER, "def shout(softly): ..."), CHECK, LAST]
    shown = [text for text in sources(merged(found["cells"], newest, base=new)) if "The lesson has changed" in text]
    assert len(shown) == 1
    assert "softly" in shown[0]


def test_what_was_written_into_the_cell_below_stays_when_the_lesson_changes_once_more():
    new = [TITLE, DEMO, changed(STARTER, "two"), CHECK, LAST]
    found = merged([TITLE, DEMO, ANSWER, CHECK, LAST], new)["cells"]
    found[3] = changed(found[3], "my notes")
    again = merged(found, [TITLE, DEMO, changed(STARTER, "three"), CHECK, LAST], base=new)
    assert "my notes" in sources(again)


def test_own_cells_stay_behind_the_cell_they_follow_and_deleted_ones_stay_deleted():
    own = cell("own", "scratch = 1")
    new = [TITLE, cell("fresh", "y = 1"), changed(DEMO, "x = 2"), STARTER, CHECK, LAST]
    found = merged([TITLE, STARTER, own, CHECK, LAST], new)
    assert sources(found) == ["# 07 · Title\n\n## Exercise 1 · Shout", "y = 1", *texts(STARTER, own, CHECK, LAST)]


def test_a_starter_and_a_check_that_were_deleted_come_back_where_they_were():
    own = cell("own", "scratch = 1")
    assert sources(merged([TITLE, DEMO, own, LAST], LESSON)) == texts(TITLE, DEMO, own, STARTER, CHECK, LAST)


def test_a_check_that_was_changed_is_renewed():
    cheat = changed(CHECK, "'✓'")
    assert sources(merged([TITLE, DEMO, ANSWER, cheat, LAST], LESSON)) == texts(TITLE, DEMO, ANSWER, CHECK, LAST)


def test_a_cell_that_the_lesson_dropped_goes_if_it_is_untouched_and_stays_if_it_is_not():
    assert sources(merged(LESSON, [TITLE])) == texts(TITLE)
    mine = [TITLE, changed(DEMO, "x = 5"), ANSWER, CHECK, LAST]
    assert sources(merged(mine, [TITLE])) == texts(TITLE, changed(DEMO, "x = 5"), ANSWER)


def test_exercises_that_are_numbered_anew_keep_their_answers():
    """An id tells more than a number; where ids are counted, the number tells more."""
    second = cell("start2", "def other(): ...", "starter", "ex2")
    base = [TITLE, STARTER, second]
    mine = [TITLE, ANSWER, changed(second, "def other(): return 2")]
    new = [
        TITLE,
        second | {"metadata": {"tags": ["starter", "ex1"]}},
        STARTER | {"metadata": {"tags": ["starter", "ex2"]}},
    ]
    found = merged(mine, new, base)
    assert sources(found)[1:] == ["def other(): return 2", "def shout():\n    return 'mine'"]
    assert [each["metadata"]["tags"] for each in found["cells"][1:]] == [["starter", "ex1"], ["starter", "ex2"]]
    counted = [cell("cell-0", "a"), cell("cell-1", "s", "starter", "ex1"), cell("cell-2", "z")]
    shifted = [cell("cell-0", "a"), cell("cell-1", "b"), cell("cell-2", "s", "starter", "ex1"), cell("cell-3", "z")]
    answered = [counted[0], changed(counted[1], "mine"), counted[2]]
    assert sources(merged(answered, shifted, counted)) == ["a", "b", "mine", "z"]


def test_a_lesson_in_a_new_order_takes_own_cells_along():
    own = cell("own", "scratch = 1")
    new = [TITLE, STARTER, CHECK, DEMO, LAST]
    assert sources(merged([TITLE, DEMO, own, ANSWER, CHECK, LAST], new)) == texts(TITLE, ANSWER, CHECK, DEMO, own, LAST)


def test_an_own_order_stays():
    mine = [TITLE, STARTER, CHECK, DEMO, LAST]
    assert sources(merged(mine, LESSON)) == texts(*mine)


@pytest.mark.parametrize("first", [0, 1], ids=["the copy is first", "the copy is second"])
def test_a_copied_starter_is_the_learners_own_and_the_one_with_the_id_is_the_starter(first):
    twin = changed(STARTER, "def copy(): ...") | {"id": "9f"}
    pair = [twin, ANSWER] if first == 0 else [ANSWER, twin]
    assert sources(merged([TITLE, DEMO, *pair, CHECK, LAST], LESSON)) == texts(TITLE, DEMO, *pair, CHECK, LAST)


def test_duplicated_missing_and_odd_ids_lose_nothing():
    bare = {key: value for key, value in DEMO.items() if key != "id"}
    odd = changed(DEMO, "odd") | {"id": 7, "metadata": None}
    mine = [TITLE, bare, changed(DEMO, "one"), changed(DEMO, "two"), odd, ANSWER, CHECK, LAST]
    found = sources(merged(mine, LESSON))
    assert [each for each in texts(*mine) if each not in found] == []
    assert found.count("x = 1") == 1


def test_an_editor_that_renews_every_id_doubles_nothing():
    mine = [each | {"id": f"n{n}"} for n, each in enumerate([TITLE, DEMO, ANSWER, CHECK, LAST])]
    assert sources(merged(mine, [*LESSON[:-1], changed(LAST, "new")])) == [*texts(TITLE, DEMO, ANSWER, CHECK), "new"]


def test_an_own_cell_with_the_id_of_a_new_cell_stays_beside_it():
    own = cell("fresh", "mine = 1")
    found = merged([*LESSON, own], [*LESSON, cell("fresh", "theirs = 1")])
    assert sources(found)[-2:] == ["theirs = 1", "mine = 1"]


def test_without_a_base_whatever_differs_is_the_learners():
    mine = notebook(TITLE, changed(DEMO, "x = 5"), ANSWER, CHECK)
    assert merge(None, mine, notebook(*LESSON)).notebook == mine


def test_tags_that_the_lesson_took_away_go_and_what_an_editor_noted_stays():
    tagged = DEMO | {"metadata": {"tags": ["redis"]}}
    mine = DEMO | {"metadata": {"tags": ["redis"], "scrolled": True}}
    assert merged([mine], [DEMO], [tagged])["cells"][0]["metadata"] == {"scrolled": True}


def _mangled(random, cells, who):
    """Return cells as somebody may leave them: changed, deleted, moved, copied, added."""
    found = [dict(each) for each in cells]
    for number in range(random.randrange(6)):
        place = random.randrange(len(found) + 1)
        match random.choice(["change", "delete", "move", "copy", "add", "new id"]):
            case "add":
                found.insert(place, cell(random.choice(["demo", f"{who}{number}"]), f"{who} added {number}"))
            case "change" if found[place:]:
                found[place] = changed(found[place], f"{who} changed {number}")
            case "delete" if found[place:]:
                del found[place]
            case "move" if found[place:]:
                found.insert(random.randrange(len(found)), found.pop(place))
            case "copy" if found[place:]:
                found.append(dict(found[place]))
            case "new id" if found[place:]:
                found[place]["id"] = f"{who}-{number}"
    return found


def _name(each):
    """What a lesson has once: an id, a starter of an exercise, a check of one."""
    return role(each) or each["id"]


@pytest.mark.parametrize("seed", range(300))
def test_whatever_both_sides_do_nothing_of_the_learners_is_lost(seed):
    random = Random(seed)
    new = notebook(*{_name(each): each for each in _mangled(random, LESSON, "lesson")}.values())
    mine = notebook(*_mangled(random, LESSON, "mine"))
    found = merge(notebook(*LESSON), mine, new).notebook
    checks = [lessons.source_of(each) for each in mine["cells"] if "check" in lessons.tags(each)]
    written = [text for text in sources(mine) if text.startswith("mine") and text not in checks]
    assert [text for text in written if text not in sources(found)] == []
    ids = [each["id"] for each in found["cells"]]
    assert len(set(ids)) == len(ids)
    tasks = {role(each) for each in new["cells"]} - {None}
    assert tasks <= {role(each) for each in found["cells"]}
    assert merge(new, found, new).notebook == found


# ---- the folder ----------------------------------------------------------------------------------------------------


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A project of its own with one lesson, in no git."""
    monkeypatch.delenv(files.WORK, raising=False)
    for name in ("SOLUTIONS", "NOTEBOOKS"):
        (tmp_path / name.lower()).mkdir()
        monkeypatch.setattr(lessons, name, tmp_path / name.lower())
    monkeypatch.setattr(lessons, "ROOT", tmp_path)
    publish(*LESSON[:3], SOLUTION, *LESSON[3:])
    return tmp_path


def publish(*cells, name=NAME):
    (lessons.SOLUTIONS / name).write_text(lessons.text(notebook(*cells)))


def mine():
    return lessons.read(files.work() / NAME)


def answer(source="def shout(): return 'mine'"):
    found = mine()
    found["cells"][2]["source"] = [source]
    files.write(files.work() / NAME, lessons.text(found))


def kept():
    return sorted((files.work() / ".kept").glob("*"))


def learn(capsys, status=0):
    """Run `learn`; return what it says."""
    assert command.main(["learn"]) == status
    said = capsys.readouterr()
    return said.err if status else said.out.removesuffix(RELOAD)


def test_learn_makes_copies_and_has_nothing_to_do_then(room, capsys):
    assert learn(capsys) == "work/07-title.ipynb is new\n"
    assert mine() == lessons.handout(lessons.SOLUTIONS / NAME)
    before = (files.work() / NAME).stat()
    assert learn(capsys) == "work/ is up to date\n"
    assert (files.work() / NAME).stat().st_mtime_ns == before.st_mtime_ns  # Lab does not ask
    assert kept() == []
    assert list(lessons.NOTEBOOKS.glob("*")) == []


def test_learn_asks_whether_a_lesson_is_open_only_where_one_can_be(room, capsys):
    assert command.main(["learn"]) == 0
    assert RELOAD not in capsys.readouterr().out  # all of them are new
    publish(TITLE, changed(DEMO, "x = 2"), STARTER, CHECK, LAST)
    assert command.main(["learn"]) == 0
    assert capsys.readouterr().out.endswith(RELOAD)


def test_learn_renews_and_keeps_a_dated_copy(room, capsys):
    learn(capsys)
    answer()
    before = (files.work() / NAME).read_bytes()
    publish(TITLE, changed(DEMO, "x = 2"), STARTER, CHECK, LAST)
    publish(cell("a", "# 08 · Another", kind="markdown"), name="08-another.ipynb")
    said = learn(capsys)
    assert [path.read_bytes() for path in kept()] == [before]
    assert said == (
        f"work/07-title.ipynb: cells 1 renewed; what you had is in work/.kept/{kept()[0].name}\n"
        "work/08-another.ipynb is new\n"
    )
    assert sources(mine())[1:3] == ["x = 2", "def shout(): return 'mine'"]


def test_an_old_copy_that_an_open_window_saved_over_the_renewed_one_is_renewed_again(room, capsys):
    """JupyterLab offers to overwrite; what the old copy says was handed out once, so nobody has written it."""
    learn(capsys)
    answer()
    old = (files.work() / NAME).read_text()
    for number in (2, 3):
        publish(TITLE, changed(DEMO, f"x = {number}"), STARTER, CHECK, LAST)
        learn(capsys)
    (files.work() / NAME).write_text(old)
    learn(capsys)
    assert sources(mine())[1:3] == ["x = 3", "def shout(): return 'mine'"]
    assert learn(capsys) == "work/ is up to date\n"


def test_a_lesson_that_got_another_number_keeps_its_answers(room, capsys):
    learn(capsys)
    answer()
    (lessons.SOLUTIONS / NAME).rename(lessons.SOLUTIONS / "09-title.ipynb")
    learn(capsys)
    assert sources(lessons.read(files.work() / "09-title.ipynb"))[2] == "def shout(): return 'mine'"
    assert not (files.work() / NAME).exists()
    assert len(kept()) == 1


@pytest.mark.parametrize("broken", ["{", "[]", '{"cells": [3]}', "", "\udcff"], ids=repr)
def test_what_is_no_notebook_is_kept_aside(room, capsys, broken):
    learn(capsys)
    content = broken.encode("utf-8", "surrogateescape")
    (files.work() / NAME).write_bytes(content)
    assert "is no notebook; it is kept as work/.kept/07-title." in learn(capsys)
    assert [path.read_bytes() for path in kept()] == [content]
    assert mine() == lessons.handout(lessons.SOLUTIONS / NAME)


def test_what_was_written_into_notebooks_comes_along_from_the_time_when_that_was_the_way(room, capsys):
    command.main(["build"])
    handed = lessons.NOTEBOOKS / NAME
    handed.write_text(handed.read_text().replace("raise NotImplementedError", "return 'mine'"))
    capsys.readouterr()
    assert "with what you wrote into notebooks/07-title.ipynb" in learn(capsys)
    assert sources(mine())[2] == "def shout(): return 'mine'"


def test_build_keeps_what_was_written_into_notebooks_and_nothing_else(room, capsys):
    command.main(["build"])
    publish(TITLE, changed(DEMO, "x = 2"), STARTER, CHECK, LAST)
    command.main(["build"])
    assert kept() == []  # the file was what build had written
    handed = lessons.NOTEBOOKS / NAME
    edited = handed.read_text().replace("raise NotImplementedError", "return 'mine'")
    handed.write_text(edited)
    capsys.readouterr()
    command.main(["build"])
    assert [path.read_text() for path in kept()] == [edited]
    said = f"notebooks/{NAME} was edited by hand; that text is kept as work/.kept/{kept()[0].name}\n"
    assert capsys.readouterr().out == f"{said}notebooks/{NAME}\n"
    stray = lessons.NOTEBOOKS / "08-stray.ipynb"
    stray.write_text("mine")
    command.main(["build"])
    assert not stray.exists()
    assert "mine" in [path.read_text() for path in kept()]


def test_what_git_knows_is_not_kept_once_more(room, capsys):
    """A file as it was committed is lost to nobody; an edited one, in git or not, is kept."""
    (lessons.NOTEBOOKS / NAME).write_text("as committed")
    for arguments in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"],
    ):
        subprocess.run(["git", *arguments], cwd=room, check=True)
    command.main(["build"])
    assert kept() == []


@pytest.mark.parametrize("path", ["", "/nowhere"], ids=["no git", "no PATH"])
def test_no_git_is_needed(room, capsys, monkeypatch, path):
    monkeypatch.setenv("PATH", path)
    (lessons.NOTEBOOKS / NAME).write_text("mine")
    command.main(["build"])
    assert [each.read_text() for each in kept()] == ["mine"]
    capsys.readouterr()
    assert learn(capsys) == "work/07-title.ipynb is new\n"


def test_reset_hands_out_a_lesson_or_an_exercise_afresh(room, capsys):
    learn(capsys)
    answer()
    own = mine()
    own["cells"].append(cell("own", "scratch = 1"))
    own["cells"][1]["source"] = ["x = 5"]
    files.write(files.work() / NAME, lessons.text(own))
    capsys.readouterr()
    assert command.main(["reset", "07", "ex1"]) == 0
    assert sources(mine()) == texts(TITLE, changed(DEMO, "x = 5"), STARTER, CHECK, LAST, cell("own", "scratch = 1"))
    said = capsys.readouterr().out
    assert said.startswith("exercise 1 in work/07-title.ipynb is as it is handed out; what you had is in work/.kept/")
    assert "Open from Path… opens what you had" in said
    assert command.main(["reset", "title"]) == 0
    assert sources(mine()) == texts(*LESSON)
    assert [sources(lessons.read(path))[2] for path in kept()] == ["def shout(): return 'mine'", texts(STARTER)[0]]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["99"], "no lesson is called '99'; there are 07"),
        (["07", "ex4"], "lesson 07 has no exercise 4"),
        (["07", "one"], "'one' is no exercise; ex1 is one"),
    ],
)
def test_reset_says_what_it_does_not_know(room, capsys, arguments, sentence):
    learn(capsys)
    assert command.main(["reset", *arguments]) == 2
    assert capsys.readouterr().err == f"{sentence}\n"


@pytest.mark.parametrize("cause", [errno.EROFS, errno.ENOSPC], ids=errno.errorcode.get)
def test_where_nothing_can_be_written_everything_stays(room, capsys, monkeypatch, cause):
    learn(capsys)
    answer()
    before = (files.work() / NAME).read_bytes()
    publish(TITLE, STARTER, CHECK)

    def refused(*_):
        raise OSError(cause, os.strerror(cause))

    monkeypatch.setattr(os, "replace", refused)
    assert os.strerror(cause) in learn(capsys, status=1)
    assert (files.work() / NAME).read_bytes() == before


def test_a_copy_that_cannot_be_kept_means_that_nothing_is_replaced(room, capsys, monkeypatch):
    learn(capsys)
    answer()
    before = (files.work() / NAME).read_bytes()
    publish(TITLE, STARTER, CHECK)
    (files.work() / ".kept").write_text("in the way")
    assert "work/07-title.ipynb is as it was" in learn(capsys, status=1)
    assert (files.work() / NAME).read_bytes() == before


def test_no_folder_to_work_in_is_one_sentence_with_the_way_out(room, capsys):
    (room / "work").write_text("in the way")
    assert files.WORK in learn(capsys, status=1)


def test_a_file_that_is_saved_during_the_renewal_is_merged_once_more(room, capsys, monkeypatch):
    learn(capsys)
    publish(TITLE, changed(DEMO, "x = 2"), STARTER, CHECK, LAST)
    keep = files.keep
    saved: list[Path] = []

    def keep_and_save(path):
        copy = keep(path)
        if not saved:
            saved.append(path)
            answer("saved at the last moment")
        return copy

    monkeypatch.setattr(files, "keep", keep_and_save)
    learn(capsys)
    assert sources(mine())[1:3] == ["x = 2", "saved at the last moment"]


KILLED = """
import os, signal, sys
from pathlib import Path
from helpers import lessons, __main__
lessons.ROOT = Path(sys.argv[1])
lessons.SOLUTIONS, lessons.NOTEBOOKS = lessons.ROOT / "solutions", lessons.ROOT / "notebooks"
replace, left = os.replace, int(sys.argv[2])
def pull_the_plug(*paths):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    replace(*paths)
os.replace = pull_the_plug
__main__.main(["learn"])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("writes", [0, 1], ids=["before the notebook", "between the notebook and its base"])
def test_a_renewal_that_is_killed_leaves_the_old_file_or_the_new_one(room, capsys, writes):
    """The next one ends as if nothing had been, and sweeps up."""
    learn(capsys)
    answer()
    old = sources(mine())
    publish(TITLE, changed(DEMO, "x = 2"), changed(STARTER, "def shout(loud): ..."), CHECK, LAST)
    arguments = [sys.executable, "-c", KILLED, str(room), str(writes)]
    assert subprocess.run(arguments, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert (sources(mine()) == old) == (writes == 0)
    assert list(files.work().glob(".*.new")) or writes
    learn(capsys)
    assert sources(mine())[1:3] == ["x = 2", "def shout(): return 'mine'"]
    assert sum("The lesson has changed" in text for text in sources(mine())) == 1
    assert list(files.work().glob(".*.new")) == []
    assert learn(capsys) == "work/ is up to date\n"


def test_two_renewals_at_once_take_turns(room, capsys):
    learn(capsys)
    answer()
    publish(TITLE, changed(DEMO, "x = 2"), STARTER, CHECK, LAST)
    script = KILLED.replace("left == 0", "False")
    arguments = [sys.executable, "-c", script, str(room), "0"]
    both = [subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(each.communicate()[0].partition(";")[0].strip() for each in both)
    assert said == ["work/ is up to date", "work/07-title.ipynb: cells 1 renewed"]
    assert len(kept()) == 1
    assert sources(mine())[1:3] == ["x = 2", "def shout(): return 'mine'"]


def test_a_lock_that_somebody_holds_is_a_sentence(room):
    with files.locked(files.work() / "lessons"):
        waiting: list[str] = []

        def wait():
            try:
                with files.locked(files.work() / "lessons", patience=0.0):
                    waiting.append("has it")
            except TimeoutError as error:
                waiting.append(str(error))

        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
    assert waiting == ["somebody else has been writing to work/lessons for 0 seconds"]


def test_a_write_keeps_links_and_permissions(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    files.write(link, "new")
    assert (link.is_symlink(), target.read_text(), target.stat().st_mode & 0o777) == (True, "new", 0o640)


def test_copies_of_one_second_do_not_overwrite_each_other(room):
    path = room / "a.txt"
    for number in range(3):
        path.write_text(str(number))
        files.keep(path)
    assert sorted(each.read_text() for each in kept()) == ["0", "1", "2"]


def test_lab_opens_the_first_lesson_with_the_project_as_its_root(room, capsys, monkeypatch):
    started: list[str] = []
    monkeypatch.setattr(os, "execv", lambda _, arguments: started.extend(arguments))
    assert command.main(["learn", "--lab", "--", "--no-browser"]) == 0
    assert started == [
        sys.executable,
        *("-m", "jupyterlab", f"--ServerApp.root_dir={room}"),
        "--LabApp.default_url=/lab/tree/work/07-title.ipynb",
        *("--ContentsManager.allow_hidden=True", "--no-browser"),
    ]


def test_another_folder_to_work_in(room, capsys, monkeypatch, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("home")
    monkeypatch.setenv(files.WORK, str(elsewhere))
    assert learn(capsys) == f"{elsewhere / NAME} is new\n"
    assert not (room / "work").exists()
