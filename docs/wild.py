"""Write docs/wild.md: what was found in public software, as small apps that are run here, and a table of the packages.

Run it from the project's folder: `python -m docs.wild`. Nothing is written twice: the small apps and the tables are in
hangup/docs/wild, and each picture is that of a replay.
"""

import ast
import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from hangup import replay
from hangup.record.recorder import Session
from hangup.record.rules import GENERAL

PAGE = Path(__file__).with_name("wild.md")
WILD = Path(__file__).parents[1] / "hangup" / "docs" / "wild"
RULES = {rule.sentence: rule for rule in GENERAL}
NAMES = {"app", "SCRIPT", "RULE", "SCHEDULE"}
"""What the file of a small app defines."""

_HEAD = """\
# Found in the wild

Made by `python -m docs.wild` from hangup/docs/wild: edit the files there.

`hangup explore` was pointed at public packages, as somebody who uses them would: an app of thirty lines, a script, the
default options. What it said was tried on real servers before it was written down here; the table says how often it
came there, and what was seen in memory only. Below are the bugs, each as a small app of our own without the package,
with the picture of one schedule; then the table of all packages.
A release is the one that was tried; a later one may have mended it.
"""


def page() -> str:
    """Return the page as Markdown."""
    bugs = "\n".join(line for file in files() for line in _bug(file))
    return f"{_HEAD}\n{bugs}\n{_table()}"


def files() -> list[Path]:
    """Return the files that are small apps, each with one bug."""
    return [file for file in sorted(WILD.glob("*.py")) if _names(file) >= NAMES]


def packages() -> list[dict[str, Any]]:
    """Return what the tables say of each package."""
    tables = sorted(WILD.glob("table-*.toml"))
    return [each for table in tables for each in tomllib.loads(table.read_text(encoding="utf-8"))["package"]]


def load(file: Path) -> ModuleType:
    """Import a file that is in no package."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def play(bug: ModuleType) -> Session:
    """Return the session of a small app in which its bug shows."""
    options: dict[str, Any] = {"path": getattr(bug, "path", "/"), "lifespan": getattr(bug, "lifespan", False)}
    return replay(bug.app, bug.SCHEDULE, bug.SCRIPT, closer=True, **options)


def got(bug: ModuleType, session: Session) -> str:
    """Say what happened instead of what the bug's rule says; nothing if it held."""
    told = (RULES[bug.RULE].test(each) for each in (session, *session.others))
    return next(filter(None, told), "")


def _bug(file: Path) -> Iterator[str]:
    bug = load(file)
    session = play(bug)
    title, _, about = (bug.__doc__ or "").strip().partition("\n")
    code = file.read_text(encoding="utf-8").partition('"""\n\n')[2].rstrip()
    yield f"## {title.rstrip('.')}\n\n{_linked(about.strip())}\n"
    yield f"<details><summary>{file.name}</summary>\n\n```python\n{code}\n```\n\n</details>\n"
    yield f"✗ {bug.RULE}: {_plain(got(bug, session))}\n"
    yield f"```text\n{bug.SCHEDULE}\n{_steady(str(session.trace))}\n```\n"


def _table() -> str:
    rows = ["## All packages\n", "| Package | hangup said | On a real server | Reported |", "|---|---|---|---|"]
    for each in packages():
        said = "<br>".join(_said(one) for one in each.get("said", ())) or each["verdict"]
        tried = f"`{each['command']}`"
        rows.append(
            f"| {each['name']} {each['release']}<br>{tried} | {said} | {_cell(each['verified'])} "
            f"| {_linked(_cell(each['reported']))} |"
        )
    return "\n".join(rows) + "\n"


def _said(said: dict[str, Any]) -> str:
    where = f"{said['n']} of {said['of']}, `{said['schedule']}`"
    return f"✗ {_cell(said['rule'])}: {where}; {_cell(said['verified'])}. {_cell(said['suffers'])}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _plain(text: str) -> str:
    """Return text in which Markdown sees no marks."""
    return re.sub(r"([*_<\[\]])", r"\\\1", text)


def _linked(text: str) -> str:
    return re.sub(r"(?<!<)(https://[^\s),]+)", r"<\1>", text)


def _steady(picture: str) -> str:
    """Return a picture without addresses of objects, which are others in each run."""
    return re.sub(r"0x[0-9a-f]+", "0x…", picture)


def _names(file: Path) -> set[str]:
    """Return the names that a file defines at its top, without running it."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        if isinstance(node, ast.Assign):
            found |= {each.id for target in node.targets for each in ast.walk(target) if isinstance(each, ast.Name)}
    return found


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
