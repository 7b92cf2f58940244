"""The course as a book on the web: what Sphinx reads is laid out from docs/, solutions/ and hangup, and nothing is run.

`docs/*.md` holds the prose, with comments such as `<!-- the lessons -->` where something is wanted that is known
elsewhere. A lesson is its solutions notebook with the outputs that are stored there, its answers folded. A link to a
file of the project leads to that file's page in the book; where it has none, only its words stay.
"""

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby, takewhile
from pathlib import Path
from typing import Any

from helpers import lessons

ROOT = lessons.ROOT
DOCS = ROOT / "docs"
Cell = dict[str, Any]


class BookError(RuntimeError):
    """The book cannot be built; the words say why."""


def build(out: Path) -> None:
    """Write the book into `out`/html, and what Sphinx reads into `out`/source; raise BookError at the first warning."""
    source = out / "source"
    shutil.rmtree(source, ignore_errors=True)
    lay_out(source)
    command = [sys.executable, "-m", "sphinx", "-W", "-E", "-q", "-b", "html", "-d", str(out / "doctrees")]
    command += [str(source), str(out / "html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BookError(done.stdout + done.stderr)


def lay_out(source: Path) -> None:
    """Make the folder `source` and write into it all that Sphinx reads."""
    shutil.copytree(DOCS / "_static", source / "_static")
    shutil.copy(DOCS / "conf.py", source)
    (source / "lessons").mkdir()
    for path in DOCS.glob("*.md"):
        (source / path.name).write_text(_page(path), encoding="utf-8")
    if WORKSHOP.exists():
        (source / PAGES[WORKSHOP]).write_text(_linked(WORKSHOP, PAGES[WORKSHOP]), encoding="utf-8")
    for picture in (ROOT / ".github").glob("*.svg"):
        shutil.copy(picture, source)
    for path in lessons.sources():
        (source / PAGES[path]).write_text(json.dumps(_lesson(path), ensure_ascii=False), encoding="utf-8")


# ---- errors, by their words ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Error:
    """A section of docs/troubleshooting.md: the words in its heading, the program that raises it, who teaches it."""

    words: tuple[str, ...]
    anchor: str
    program: Path
    lessons: tuple[str, ...]


def errors() -> list[Error]:
    """Return the errors that docs/troubleshooting.md explains, in its order."""
    _, *sections = (DOCS / "troubleshooting.md").read_text(encoding="utf-8").split("\n## ")
    return [_error(*section.split("\n", 1)) for section in sections]


def _error(heading: str, text: str) -> Error:
    programs = re.findall(r"\]\((errors/\S+\.py)\)", text)
    if len(programs) != 1:
        raise BookError(f"docs/troubleshooting.md names {len(programs)} programs below {heading}: one is wanted.")
    anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")  # as MyST and GitHub make it
    return Error(_words(heading), anchor, DOCS / programs[0], tuple(re.findall(r"\]\(\.\./solutions/(\S+?)\)", text)))


def _words(heading: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`(.+?)`", heading))


def _findable(words: tuple[str, ...]) -> str:
    """Return what makes the search, and the index, find these words here."""
    return "".join(f"```{{index}} single: {each}\n```\n" for each in words)


# ---- pages that docs/ holds, and others' -----------------------------------------------------------------------------

README, WORKSHOP, INSTRUMENT = ROOT / "README.md", ROOT / "WORKSHOP.md", ROOT / "hangup" / "README.md"
PAGES = {
    README: "index.md",
    INSTRUMENT: "hangup.md",
    WORKSHOP: "workshop.md",
    **{path: path.name for path in DOCS.glob("*.md")},
    **{path: f"lessons/{path.name}" for path in lessons.sources()},
    **{lessons.NOTEBOOKS / path.name: f"lessons/{path.name}" for path in lessons.sources()},
    **{path: path.name for path in (ROOT / ".github").glob("*.svg")},
}
"""Where a file of the project stands in the book."""


def _page(path: Path) -> str:
    """Return a page of docs/, with what its comments ask for."""
    text = _linked(path, path.name)
    if path.name == "troubleshooting.md":
        headings = re.compile("^## (.+)\n", re.MULTILINE)
        text = headings.sub(lambda found: f"{found[0]}\n{_findable(_words(found[1]))}", text)
    return re.sub(r"<!-- (.+?) -->", lambda asked: _known(asked[1]), text)


def _known(name: str) -> str:
    """Return what a comment in docs/ asks for."""
    match name:
        case 'README.md as far as "## Lessons"':
            screen, found, _ = _linked(README, "index.md").partition("\n## Lessons\n")
            if not found:
                raise BookError("README.md has no heading `## Lessons`, before which the book's first page stops.")
            return screen
        case "hangup/README.md":
            return _linked(INSTRUMENT, "hangup.md")
        case "the lessons":
            return _list_of_lessons()
        case "the contents":
            return _contents()
        case "the older rows":
            return _older_rows()
        case "the servers" | "the measured servers" | "the measured releases":
            return _matrix(name)
        case "hangup explore --help":
            return _help()
        case "the names of hangup":
            return _names()
    raise BookError(f"docs/ asks for {name!r}, which helpers/book.py does not know.")


def _linked(path: Path, page: str) -> str:
    """Return a file's text with its links as `page` of the book needs them; a program stands where its link was."""
    parts = re.split(r"(^```.*?^```$)", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    return "".join(part if part.startswith("```") else _links(part, path.parent, page) for part in parts)


def _links(text: str, folder: Path, page: str) -> str:
    def program(link: re.Match[str]) -> str:
        code = (folder / link[2]).read_text(encoding="utf-8")
        return f"{link[3]}\n\n<details><summary>{link[1]}</summary>\n\n```python\n{code}```\n\n</details>"

    def elsewhere(link: re.Match[str]) -> str:
        target, hash_, anchor = link[3].partition("#")
        if "://" in target or not target:
            return link[0]
        found = PAGES.get((folder / target).resolve())
        if found is None:
            return link[2]
        return f"{link[1]}[{link[2]}]({os.path.relpath(found, Path(page).parent)}{hash_}{anchor})"

    text = re.sub(r"^\[(.+?)\]\((\S+\.py)\)(?: · )?(.*)$", program, text, flags=re.M)
    return re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", elsewhere, text)


# ---- what the comments ask for ---------------------------------------------------------------------------------------


def _list_of_lessons() -> str:
    """Return a table: each lesson's title, its line on minutes and needs, and the errors that lead to it."""
    rows = ["| Lesson | What it takes | Found by |", "|---|---|---|"]
    for path in lessons.sources():
        title, line, *_ = (*_source(_read(path)["cells"][0]).splitlines(), "", "")
        found = [f"[`{e.words[0]}`](troubleshooting.md#{e.anchor})" for e in errors() if path.name in e.lessons]
        rows.append(f"| [{title.removeprefix('# ')}]({PAGES[path]}) | {line} | {'<br>'.join(found)} |")
    return "\n".join(rows)


def _contents() -> str:
    """Return the book's two lists of contents: lessons, and whatever else has a page."""
    order = ["troubleshooting.md", "servers.md", "hangup.md", "api.md"]
    others = sorted({path.name for path in DOCS.glob("*.md")} - {"index.md", *order})
    workshop = [PAGES[WORKSHOP]] if WORKSHOP.exists() else []
    beside = [*order, *others, *workshop, "genindex"]
    chapters = {"Lessons": [PAGES[path] for path in lessons.sources()], "Beside the lessons": beside}
    tree = "```{{toctree}}\n:hidden:\n:caption: {}\n{}\n```\n"
    return "".join(tree.format(caption, "\n".join(pages)) for caption, pages in chapters.items())


def _matrix(name: str) -> str:
    """Return a table of servers: the models, what the newest releases answered, or what changed between releases."""
    from hangup.servers.matrix import rows
    from hangup.servers.models import in_words
    from hangup.trace import Table

    newest: dict[str, rows.Row] = {}
    for row in rows.measured():  # the newest release of a server comes first
        newest.setdefault(row.server, row)
    tables: dict[str, Callable[[], Table]] = {
        "the servers": in_words,
        "the measured servers": lambda: rows.table(list(newest.values())),
        "the measured releases": lambda: rows.changes(rows.measured()),
    }
    table = tables[name]()
    return f'<div class="matrix" tabindex="0">{table._repr_mimebundle_()["text/html"]}</div>'


def _older_rows() -> str:
    from hangup.servers.models import older_in_words

    option = "--server NAME==RELEASE"
    return older_in_words().replace(option, f"`{option}`")


def _help() -> str:
    command = [sys.executable, "-m", "hangup", "explore", "--help"]
    plain = os.environ | {"COLUMNS": "100", "NO_COLOR": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=plain).stdout


def _names() -> str:
    """Return directives of Sphinx's autodoc for the names in `hangup.__all__`."""
    import hangup

    blocks = []
    for name in hangup.__all__:
        known = getattr(hangup, name)
        if inspect.isclass(known):
            public = takewhile(lambda p: not p.name.startswith("_"), inspect.signature(known).parameters.values())
            blocks.append(f".. autoclass:: hangup.{name}({', '.join(map(str, public))})")
        elif callable(known):
            blocks.append(f".. autofunction:: hangup.{name}")
        else:
            blocks.append(f".. autodata:: {_home(name, known)}.{name}\n   :no-value:")
    return "```{eval-rst}\n" + "\n\n".join(blocks) + "\n```"


def _home(name: str, known: object) -> str:
    """Return the module of hangup that assigns this name, and says below what it is."""
    modules = [module for key, module in sys.modules.items() if key.startswith("hangup.")]
    holders = [module for module in modules if vars(module).get(name) is known]
    assigned = re.compile(rf"^{name}\b.*? = ", re.MULTILINE)
    return next(module.__name__ for module in holders if assigned.search(inspect.getsource(module)))


# ---- lessons ---------------------------------------------------------------------------------------------------------


def _read(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def _source(cell: Cell) -> str:
    return "".join(cell["source"])


def _lesson(path: Path) -> dict[str, Any]:
    """Return a lesson's notebook as the book has it."""
    notebook = _read(path)
    words = tuple(word for error in errors() if path.name in error.lessons for word in error.words)
    first, *cells = notebook["cells"]
    notebook["cells"] = [first, _markdown("found-by", _findable(words)), *_folded(cells)]
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = _links(_source(cell), path.parent, PAGES[path])
        for output in cell.get("outputs", ()):
            _frame(output.get("data", {}))
    return notebook


def _folded(cells: list[Cell]) -> Iterator[Cell]:
    """Yield the cells, those of an answer inside a fold."""
    for answer, group in groupby(cells, lambda cell: "solution" in cell["metadata"].get("tags", ())):
        inside = list(group)
        if not answer:
            yield from inside
            continue
        if any(re.match("#", _source(cell)) for cell in inside if cell["cell_type"] == "markdown"):
            raise BookError(f"An answer holds a heading, which no fold can hold: cell {inside[0]['id']}.")
        yield _markdown(f"open-{inside[0]['id']}", '<details class="answer"><summary>Show the answer</summary>')
        yield from inside
        yield _markdown(f"close-{inside[0]['id']}", "</details>")


def _markdown(name: str, text: str) -> Cell:
    return {"cell_type": "markdown", "id": name[:64], "metadata": {}, "source": text}


def _frame(data: dict[str, Any]) -> None:
    """Put a frame around each picture, in which it scrolls and need not shrink; of a chart, leave the numbers."""
    data.pop("application/vnd.vegalite.v5+json", None)  # drawn by JavaScript from elsewhere
    if "text/html" in data:
        page = "".join(data["text/html"])
        frame = r'<div class="picture" tabindex="0">\g<0></div>'
        data["text/html"] = re.sub(r'<img [^>]*src="data:image/svg\+xml[^>]*>', frame, page)
