"""How the command finds what it explores: by a module's name or by a file, from the current directory first."""

import sys

import pytest

from hangup.cli.loading import load, name_of

APP = """
async def app(scope, receive, send):
    return {!r}
"""


class Unusable(Exception):
    """Stands for the end of the command."""


def error(sentence):
    raise Unusable(sentence)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Be in a folder with modules of all kinds; forget what was imported from it."""
    for name in ("2048.py", "queue.py", "chat.py", "pages/notes.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(APP.format(name))
    (tmp_path / "helpers").mkdir()
    (tmp_path / "helpers" / "__init__.py").write_text("WHOSE = 'mine'")
    (tmp_path / "helpers" / "rooms.py").write_text("from . import WHOSE\n" + APP.format("rooms") + "app.whose = WHOSE")
    (tmp_path / "pages" / "beside.py").write_text("import notes\nfrom helpers import WHOSE\napp = notes.app")
    (tmp_path / "pages" / "fails.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = dict(sys.modules)
    for name in ("helpers", "chat"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield tmp_path
    for name in set(sys.modules) - set(before):
        del sys.modules[name]


def says(app) -> str:
    """Run an app that returns at once."""
    try:
        app({}, None, None).send(None)
    except StopIteration as end:
        return str(end.value)
    raise AssertionError("it waits")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("chat:app", "chat.py"),
        ("2048:app", "2048.py"),
        ("2048.py:app", "2048.py"),
        ("./2048.py:app", "2048.py"),
        ("queue.py:app", "queue.py"),
        ("pages/notes.py:app", "pages/notes.py"),
        ("helpers.rooms:app", "rooms"),
        ("helpers/rooms.py:app", "rooms"),
        ("pages/beside.py:app", "pages/notes.py"),
    ],
)
def test_an_app_is_found_by_its_modules_name_and_by_its_file(folder, name, said):
    assert says(load(name_of("app")(name), "app", error)) == said


def test_a_file_of_a_package_is_that_packages_module(folder):
    assert load("helpers/rooms.py:app", "app", error) is load("helpers.rooms:app", "app", error)
    assert load("helpers.rooms:app.whose.upper", "app", error)() == "MINE"


def test_a_file_does_not_replace_a_module_of_its_name(folder):
    import queue

    load("queue.py:app", "app", error)
    assert sys.modules["queue"] is queue


def test_the_current_directory_comes_first_even_where_it_was_among_the_last(folder):
    sys.path.append(str(folder))
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "chat.py").write_text(APP.format("elsewhere"))
    sys.path.insert(0, str(folder / "elsewhere"))
    assert says(load("chat:app", "app", error)) == "chat.py"


def test_a_file_that_fails_says_where_and_is_no_module(folder):
    with pytest.raises(
        Unusable, match=r"^module 'pages/fails.py' cannot be imported: ZeroDivisionError: division by z"
    ):
        load("pages/fails.py:app", "app", error)
    assert "fails" not in sys.modules
