"""The book: built without a warning, every link in it leads somewhere, and it asks nothing of the network."""

import json
import re
import shutil
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from hangup.trace.table import BAD, GOOD, QUIET
from helpers import book, lessons

LESSONS = [path.stem for path in lessons.sources()]
NAMED = [("starter", ["starter"]), ("check", ["check"]), ("answer", ["solution"]), ("passes", ["solution", "check"])]
NAMED += [("next", [])]


class Page(HTMLParser):
    """What a page holds: its anchors, its links, and what a browser loads with it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.anchors: set[str] = {""}
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif "src" in given:
            self.loads.append(given["src"])
        elif tag == "link" and given.get("rel") in {"stylesheet", "icon", "preload"}:
            self.loads.append(given["href"])

    def targets(self, links: list[str]) -> Iterator[tuple[Path, str]]:
        """Yield the file and the anchor to which each link leads, unless it leads out of the book."""
        for link in links:
            parts = urlsplit(link)
            if not parts.scheme:
                yield (self.path.parent / unquote(parts.path)).resolve() if parts.path else self.path, parts.fragment


@pytest.fixture(scope="session")
def html(tmp_path_factory) -> Path:
    out: Path = tmp_path_factory.mktemp("book")
    book.build(out)
    return (out / "html").resolve()


@pytest.fixture(scope="session")
def pages(html) -> dict[Path, Page]:
    return {path: Page(path) for path in html.rglob("*.html")}


@pytest.fixture(scope="session")
def search(html) -> dict[str, dict[str, object]]:
    text = (html / "searchindex.js").read_text(encoding="utf-8")
    found: dict[str, dict[str, object]] = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    return found


def test_every_lesson_has_a_page_and_the_first_page_leads_there(html, pages):
    assert sorted(path.stem for path in (html / "lessons").glob("*.html")) == LESSONS
    reached = {path for path, _ in pages[html / "index.html"].targets(pages[html / "index.html"].links)}
    assert {html / "lessons" / f"{name}.html" for name in LESSONS} <= reached


def test_every_link_inside_the_book_leads_to_a_page_and_a_place_on_it(pages):
    dead = []
    for page in pages.values():
        for path, anchor in page.targets(page.links):
            place = pages[path].anchors if path in pages else {""}
            if not path.exists() or anchor not in place:
                dead.append(f"{page.path.name}: {path.name}#{anchor}")
    assert dead == []


def test_a_browser_loads_what_is_in_the_book_and_nothing_from_elsewhere(pages):
    for page in pages.values():
        inside = [name for name in page.loads if not name.startswith("data:")]
        assert [name for name in inside if urlsplit(name).scheme or name.startswith("//")] == []
        assert [path.name for path, _ in page.targets(inside) if not path.exists()] == []


def test_stylesheets_ask_for_nothing_from_elsewhere(html):
    for sheet in html.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import )\W*(?:https?:)?//[^)]*", sheet.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("error", book.errors(), ids=lambda error: error.anchor)
def test_the_search_finds_an_error_by_its_words_on_its_page_and_in_its_lessons(search, error):
    names = search["docnames"]
    for words in error.words:
        found = {names[page] for page, *_ in search["indexentries"][words.lower()]}
        assert {"troubleshooting", *(f"lessons/{Path(name).stem}" for name in error.lessons)} <= found


def test_each_answer_is_folded(html):
    for path in lessons.sources():
        tags = [cell["metadata"].get("tags", []) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
        answers = sum("solution" in tag and "solution" not in before for before, tag in pairwise(tags))
        page = (html / "lessons" / f"{path.stem}.html").read_text(encoding="utf-8")
        assert page.count('<details class="answer">') == answers > 0
        assert page.count("<details") == page.count("</details>")


def test_a_fold_holds_an_answer_and_nothing_else():
    cells = [{"cell_type": "code", "id": name, "metadata": {"tags": tags}, "source": []} for name, tags in NAMED]
    folded = [cell["id"] if cell["cell_type"] == "code" else cell["source"][:8] for cell in book._folded(cells)]
    assert folded == ["starter", "check", "<details", "answer", "passes", "</detail", "next"]


def test_an_answer_with_a_heading_is_refused():
    cells = [{"cell_type": "markdown", "id": "a", "metadata": {"tags": ["solution"]}, "source": ["## Answer"]}]
    with pytest.raises(book.BookError, match="An answer holds a heading, which no fold can hold: cell a"):
        list(book._folded(cells))


def test_pictures_stand_in_frames_that_scroll(html):
    for name in LESSONS:
        page = (html / "lessons" / f"{name}.html").read_text(encoding="utf-8")
        pictures = len(re.findall(r"<img [^>]*data:image/svg", page))
        assert page.count('<div class="picture" tabindex="0"><img ') == pictures > 0


def test_the_stylesheet_knows_every_colour_of_a_stored_verdict():
    sheet = (book.DOCS / "_static" / "book.css").read_text(encoding="utf-8")
    stored = "".join(path.read_text(encoding="utf-8") for path in lessons.sources())
    used = set(re.findall(r"[;\"]color:(#\w+)", stored)) | {GOOD, BAD, QUIET}
    assert [colour for colour in sorted(used) if f'[style*="color:{colour}"]' not in sheet] == []


def test_the_matrix_is_what_the_command_prints(html):
    from hangup.servers.matrix import rows
    from hangup.servers.models import MODELS, in_words, older_in_words

    page = re.sub(r"<[^>]+>", " ", (html / "servers.html").read_text(encoding="utf-8"))
    shown = " ".join(unescape(page).replace("’", "'").split())
    newest: dict[str, rows.Row] = {}
    for each in rows.measured():
        newest.setdefault(each.server, each)
    assert set(MODELS) <= set(newest)
    asked = rows.table(list(newest.values())).rows
    for row in (*in_words().rows, *asked, *rows.changes(rows.measured()).rows):
        assert " ".join(" ".join(row).split()) in shown
    assert older_in_words().partition("==RELEASE: ")[2] in shown


def test_every_name_of_hangup_is_described(html):
    import hangup

    page = (html / "api.html").read_text(encoding="utf-8")
    missing = [name for name in hangup.__all__ if not re.search(rf'<dt class="[^"]*" id="hangup\.[\w.]*{name}"', page)]
    assert missing == []


def test_a_link_to_a_file_that_is_not_in_the_book_keeps_its_words_only():
    text = "[a](../README.md#x) [b](../pyproject.toml) [c](https://example.org) [d](#here) ![e](../.github/no.svg)"
    assert (
        book._links(text, book.DOCS, "lessons/02.ipynb") == "[a](../index.md#x) b [c](https://example.org) [d](#here) e"
    )


def test_an_unknown_comment_is_named():
    with pytest.raises(book.BookError, match="docs/ asks for 'the moon'"):
        book._known("the moon")


def test_a_book_with_a_warning_is_not_built(tmp_path, monkeypatch):
    """A book of one page, built by Sphinx: the whole one is built once, for the tests above."""

    def lay_out(source: Path) -> None:
        source.mkdir(parents=True)
        shutil.copy(book.DOCS / "conf.py", source)
        (source / "index.md").write_text("# A book\n\n[nowhere](nowhere.md)\n", encoding="utf-8")

    monkeypatch.setattr(book, "lay_out", lay_out)
    with pytest.raises(book.BookError, match="nowhere"):
        book.build(tmp_path)
