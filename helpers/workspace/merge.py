"""A lesson that changed is merged into the learner's copy, cell by cell; what the learner wrote always stays.

Three notebooks meet: the `base` that was handed out last, the learner's (`mine`), and the new one. A cell that the
learner did not touch becomes the new one. A cell that he changed stays as it is; if the lesson changed it, too, the new
text is put below it in a Markdown cell, where it runs nothing and shadows no answer. Cells he added stay where they
are: behind the cell that they follow. Cells he deleted stay deleted, except starters and checks. Outputs stay with the
source they came from. Git's way, markers inside a cell, would break the answer it wants to save.

Cells are recognised by id, starters and checks also by exercise, and the rest by source: some editors renew every id.
"""

import copy
import uuid
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from helpers.catalogue import role
from helpers.lessons import Cell, Notebook, source_of, tags

NEWER = "newer"
"""The tag of a cell that shows what the lesson says now, below a cell that the learner changed."""

EARLIER = "earlier"
"""The metadata of a base that hold what cells said in earlier versions: who saves an old copy has not touched them."""


@dataclass
class Merged:
    """The merged notebook, and how many cells were renewed, added, removed, and kept against a newer one."""

    notebook: Notebook
    renewed: int = 0
    added: int = 0
    removed: int = 0
    beside: int = 0


def merge(base: Notebook | None, mine: Notebook, new: Notebook) -> Merged:
    """Return the learner's notebook, renewed; nothing that is passed in is changed.

    Without a base nobody knows who changed a cell: then every cell that differs counts as the learner's.
    """
    key = _recogniser(new["cells"])
    wanted = _keyed(new["cells"], key)
    handed = _keyed(base["cells"], key) if base is not None else wanted
    earlier = frozenset(base["metadata"].get(EARLIER, ())) if base is not None else frozenset()
    found = _recognised([_sound(cell) for cell in mine["cells"]], key, {**wanted, **handed})
    merged = Merged({**mine, "nbformat": 4, "nbformat_minor": max(5, mine.get("nbformat_minor", 5))})
    kept: list[tuple[Hashable, list[Cell]]] = [
        (name, cells if name is None else _together(merged, cells, handed.get(name), wanted.get(name), earlier))
        for name, cells in _groups(found, handed, wanted)
    ]
    present = {name for name, _ in kept}
    for name, cell in wanted.items():
        if name not in present and (name not in handed or role(cell) is not None):
            kept.insert(_before(list(wanted), name, [each for each, _ in kept]), (name, [cell]))
            merged.added += 1
    merged.notebook["cells"] = _with_ids(cell for _, cells in kept for cell in cells)
    merged.notebook = copy.deepcopy(merged.notebook)
    return merged


def base_of(new: Notebook, old: Notebook | None) -> Notebook:
    """Return the base to remember when `new` is handed out and `old` was the one before."""
    if old is None:
        return new
    said = {source_of(cell) for cell in old["cells"]} - {source_of(cell) for cell in new["cells"]}
    earlier = sorted(said | set(old["metadata"].get(EARLIER, ())))
    return {**new, "metadata": {**new["metadata"], EARLIER: earlier}} if earlier else new


def restored(mine: Notebook, new: Notebook, number: int) -> Notebook:
    """Return the learner's notebook with the starter and the check of one exercise as they are handed out."""
    key = _recogniser(new["cells"])
    wanted = _keyed(new["cells"], key)
    found = _recognised([_sound(cell) for cell in mine["cells"]], key, wanted)
    fresh = {name: cell for name, cell in wanted.items() if (role(cell) or ("", 0))[1] == number}
    return merge(new, {**mine, "cells": [fresh.get(name, cell) for name, cell in found]}, new).notebook


Key = Callable[[Cell], Hashable]


def _recogniser(new: list[Cell]) -> Key:
    """Return what gives a cell, of whichever of the three notebooks, the name of the lesson's cell that it is.

    An id counts only between cells of one kind, and an exercise's number only where no id tells more: exercises may be
    numbered anew, and so may the ids of a notebook that counts them.
    """
    ids = {cell.get("id"): role(cell) for cell in new}
    roles = {found: cell.get("id") for cell in new if (found := role(cell)) is not None}

    def key(cell: Cell) -> Hashable:
        own, found = cell.get("id"), role(cell)
        namesake = ids.get(own)
        if found is None:
            return own if namesake is None else ("once", own)
        if namesake is not None and namesake[0] == found[0]:
            return own
        return roles.get(found, found)

    return key


def _keyed(cells: Iterable[Cell], key: Key) -> dict[Hashable, Cell]:
    """Return cells of a lesson by name; the second of one name goes by its place, too."""
    found: dict[Hashable, Cell] = {}
    for place, cell in enumerate(cells):
        name = key(cell)
        found[name if name is not None and name not in found else (name, place)] = cell
    return found


def _sound(cell: Cell) -> Cell:
    """Return a cell whose metadata are a dictionary, as every other program expects."""
    return cell if isinstance(cell.get("metadata"), dict) else {**cell, "metadata": {}}


def _recognised(cells: list[Cell], key: Key, known: dict[Hashable, Cell]) -> list[tuple[Hashable, Cell]]:
    """Return each of the learner's cells with the name of the lesson's cell that it is, or with None.

    Of a cell and its copies it is the one that has the id, or else the first; without either, one with the same source.
    """
    best: dict[Hashable, int] = {}
    for place, cell in enumerate(cells):
        name = key(cell)
        if name in known and (name not in best or _has_the_id(known[name], cell, cells[best[name]])):
            best[name] = place
    taken = {place: name for name, place in best.items()}
    rest = {(cell["cell_type"], source_of(cell)): name for name, cell in known.items() if name not in best}
    for place, cell in enumerate(cells):
        if place not in taken and (name := rest.pop((cell["cell_type"], source_of(cell)), None)) is not None:
            taken[place] = name
    ids = {cells[place].get("id") for place in taken}
    own = ((place, cell) for place, cell in enumerate(cells) if place not in taken)
    copies = {place: _anonymous(cell) for place, cell in own if cell.get("id") in ids}
    return [(taken.get(place), copies.get(place, cell)) for place, cell in enumerate(cells)]


def _has_the_id(lessons: Cell, one: Cell, other: Cell) -> bool:
    return one.get("id") == lessons.get("id") != other.get("id")


def _groups(
    cells: list[tuple[Hashable, Cell]], handed: dict[Hashable, Cell], wanted: dict[Hashable, Cell]
) -> list[tuple[Hashable, list[Cell]]]:
    """Return the learner's cells as groups: one of the lesson's cells, and those of his own that follow it.

    They stand in his order; in the lesson's, if that has changed since.
    """
    groups: list[tuple[Hashable, list[Cell]]] = [(None, [])]
    for key, cell in cells:
        if key is None:
            groups[-1][1].append(cell)
        else:
            groups.append((key, [cell]))
    common = [key for key in wanted if key in handed]
    if common != [key for key in handed if key in wanted]:
        order = {key: place for place, key in enumerate(wanted)}
        place = -1
        places = [place := order.get(key, place) for key, _ in groups]
        groups = [groups[n] for n in sorted(range(len(groups)), key=lambda n: (places[n], n))]
    return groups


def _together(
    merged: Merged, cells: list[Cell], handed: Cell | None, new: Cell | None, earlier: frozenset[str]
) -> list[Cell]:
    """Return what becomes of a cell of the lesson and the learner's own cells behind it."""
    mine, *own = cells
    known = handed is not None and (_same(mine, handed) or source_of(mine) in earlier)
    untouched = known or _is_check(mine)
    if new is None:
        merged.removed += untouched
        return own if untouched else cells
    if handed is None and not _same(mine, new):  # his own cell happens to have the new cell's id
        merged.added += 1
        return [new, _anonymous(mine), *own]
    mine = {**mine, "metadata": _metadata(mine, handed or new, new)}
    if untouched and not _same(mine, new):
        merged.renewed += 1
        return [{**new, "metadata": mine["metadata"]}, *own]
    if handed is None or _same(mine, new) or _same(handed, new):
        return [mine, *own]
    merged.beside += 1
    shown = (_newer(handed), _newer(new))  # of an earlier change, or of a renewal that was cut short
    rest = [cell for cell in own if NEWER not in tags(cell) or not any(_same(cell, each) for each in shown)]
    return [mine, _newer(new), *rest]


def _is_check(cell: Cell) -> bool:
    found = role(cell)
    return found is not None and found[0] == "check"


def _metadata(mine: Cell, handed: Cell, new: Cell) -> dict[str, object]:
    """Return a cell's metadata: the lesson's tags and locks, and what the learner's editor has added."""
    own = {name: value for name, value in mine["metadata"].items() if name not in handed["metadata"]}
    return {**own, **new["metadata"]}


def _same(one: Cell, other: Cell) -> bool:
    return one["cell_type"] == other["cell_type"] and source_of(one) == source_of(other)


def _newer(cell: Cell) -> Cell:
    """Return a Markdown cell that shows what a cell of the lesson says now."""
    code = cell["cell_type"] == "code"
    text = f"````python\n{source_of(cell)}\n````" if code else source_of(cell)
    words = "**The lesson has changed here.** Your cell above is as you left it; this is the new one."
    return {
        "cell_type": "markdown",
        "id": f"newer-{cell.get('id', '')}"[:64],
        "metadata": {"tags": [NEWER]},
        "source": f"{words} Delete it when you have read it.\n\n{text}".splitlines(keepends=True),
    }


def _before(order: list[Hashable], key: Hashable, present: list[Hashable]) -> int:
    """Return where a cell of the lesson belongs: before the first present one that follows it in the lesson's order."""
    later = set(order[order.index(key) + 1 :])
    return next((place for place, each in enumerate(present) if each in later), len(present))


def _anonymous(cell: Cell) -> Cell:
    return {**cell, "id": uuid.uuid4().hex[:8]}


def _with_ids(cells: Iterable[Cell]) -> list[Cell]:
    """Return cells that have an id each; a second cell with the same id gets a new one."""
    seen: set[object] = set()
    found: list[Cell] = []
    for cell in cells:
        valid = isinstance(cell.get("id"), str) and cell["id"] and cell["id"] not in seen
        found.append(cell if valid else _anonymous(cell))
        seen.add(found[-1]["id"])
    return found
