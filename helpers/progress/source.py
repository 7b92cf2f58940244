"""The source of an answer: the text of the cells that define it, which can be pasted into a cell again."""

import functools
import inspect
import linecache
import re
import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any

NOWHERE = "<string>"  # the file of what `eval` makes; since Python 3.13 `python -c` has its own text under this name


def source_of(answer: Any) -> str:
    """Return the cells that define an answer, or what Python knows of its source, or "".

    A cell is taken whole: an answer may need the import above it. `inspect` alone finds no class of a notebook.
    """
    functions = list(_functions(answer))
    files = dict.fromkeys(function.__code__.co_filename for function in functions)
    found = [_cell(file) or _history(functions, file) or _inspected(functions, file) for file in files]
    return "\n\n".join(text.strip("\n") for text in found if text) or _named(_name(answer))


def _functions(answer: Any) -> Iterator[FunctionType]:
    """Yield the functions that an answer is made of: what decorators wrap, and the methods of classes."""
    if isinstance(answer, functools.partial):
        yield from _functions(answer.func)
        return
    if not inspect.isclass(answer) and not inspect.isfunction(answer) and not hasattr(answer, "fn"):
        answer = getattr(answer, "__func__", type(answer))
    own = vars(answer).values() if inspect.isclass(answer) else [getattr(answer, "fn", answer)]
    for each in own:
        function = inspect.unwrap(each) if callable(each) else getattr(each, "__func__", getattr(each, "fget", None))
        if inspect.isfunction(function):
            yield function


def _name(answer: Any) -> str:
    """Return what an answer is called: by itself, or, if it is data, by this session."""
    shell = get_shell()
    names = [] if shell is None else [name for name, value in shell.user_ns.items() if value is answer]
    own = next((name for name in names if not name.startswith("_")), "")
    return str(getattr(answer, "__name__", own))


def _cell(file: str) -> str:
    """Return the cell that was compiled under this name: IPython notes it as a file that has no time of change."""
    entry = None if file == NOWHERE else linecache.cache.get(file)
    return "".join(entry[2]) if entry is not None and len(entry) == 4 and entry[1] is None else ""


def _history(functions: list[FunctionType], file: str) -> str:
    """Return the last cell that defines one of the functions, for one compiled under no name: below %%time."""
    if not file.startswith("<"):
        return ""
    names = [each.__qualname__.partition(".")[0] for each in functions if each.__code__.co_filename == file]
    return next((text for text in map(_named, names) if text), "")


def _named(name: str) -> str:
    """Return the last cell of this session that defines a name."""
    shell = get_shell()
    cells: list[str] = list(shell.history_manager.input_hist_raw) if shell is not None and name else []
    defines = re.compile(rf"^(?:async def|def|class) {re.escape(name)}\b|^{re.escape(name)} *=", re.MULTILINE)
    return next((cell for cell in reversed(cells) if defines.search(cell)), "")


def _inspected(functions: list[FunctionType], file: str) -> str:
    if file == NOWHERE:
        return ""
    try:
        return "\n\n".join(inspect.getsource(each) for each in functions if each.__code__.co_filename == file)
    except (OSError, TypeError):
        return ""


def get_shell() -> Any:
    """Return the IPython that this code runs in, or None."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()
