"""Finds what an argument names: `package.module:app`, seen from the current directory first, or `path/to/file.py:app`.

Whatever cannot be found or imported is told in one sentence, through `error`, which does not return.
"""

import contextlib
import functools
import importlib
import importlib.util
import sys
import traceback
from argparse import ArgumentTypeError as _Unusable
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from hangup.record.recorder import describe

Error = Callable[[str], NoReturn]


def name_of(what: str) -> Callable[[str], str]:
    """Return what reads the name of an object that should be, say, an "app"; it imports nothing."""

    def name(text: str) -> str:
        module, _, attributes = text.rpartition(":")
        attributes = attributes.removesuffix("()")
        is_file = module.endswith(".py")
        if not is_file and ("/" in module or "\\" in module):
            raise _Unusable(f"{module!r} is no module: a file is named with its ending, {module}.py:{attributes}.")
        named = is_file or all(module.split("."))
        if not named or not all(part.isidentifier() for part in attributes.split(".")):
            raise _Unusable(f"{text!r} names no {what}: it looks like package.module:{what} or path/to/file.py:{what}.")
        if is_file and not Path(module).is_file():
            raise _Unusable(f"there is no file {module!r}, seen from {Path.cwd()}.")
        return text

    return name


def load(name: str, what: str, error: Error, folder: str = "") -> Callable[..., Any]:
    """Import what `name` names, and return it, not called, though it may end with (); modules are seen from `folder`.

    `what` is what it should be, such as "app".
    """
    module, _, attributes = name.removesuffix("()").rpartition(":")
    _see_first(Path(folder).resolve())
    found: object = file(module, error) if module.endswith(".py") else None
    with _in_a_sentence(module, error):
        found = found or importlib.import_module(module)
    try:
        found = functools.reduce(getattr, attributes.split("."), found)
    except AttributeError as reason:
        error(f"there is no {attributes!r} in module {module!r}: {reason}.")
    if not callable(found):
        error(f"{name!r} is no {what}: it is of type {type(found).__name__}, which nobody can call.")
    return found


def file(name: str, error: Error) -> ModuleType:
    """Import a file, and return its module."""
    with _in_a_sentence(name, error):
        return _from_file(Path(name))


def _see_first(folder: Path) -> None:
    """Let modules be imported from this folder before all others."""
    sys.path[:] = [str(folder), *(each for each in sys.path if each != str(folder))]


def _from_file(file: Path) -> ModuleType:
    """Import a file, whatever its name: as a module of its package, if it is in one, with its folder seen first."""
    file = file.resolve()
    folder, names = file.parent, [file.stem]
    while (folder / "__init__.py").is_file():
        folder, names = folder.parent, [folder.name, *names]
    _see_first(folder)
    name = ".".join(names)
    for package in (".".join(names[:n]) for n in range(1, len(names))):
        importlib.import_module(package)
    while getattr(sys.modules.get(name), "__file__", str(file)) != str(file):
        name = f"{name}_"  # a module of this name is there, and is another one
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextlib.contextmanager
def _in_a_sentence(module: str, error: Error) -> Iterator[None]:
    """Tell what goes wrong with an import."""
    try:
        yield
    except (Exception, SystemExit) as reason:
        if isinstance(reason, ModuleNotFoundError) and f"{module}.".startswith(f"{reason.name}."):
            error(f"there is no module {reason.name!r}, neither in {Path.cwd()} nor installed.")
        frames = [f for f in traceback.extract_tb(reason.__traceback__) if not f.filename.startswith("<frozen")]
        where = "" if isinstance(reason, SyntaxError) else f" ({frames[-1].filename}, line {frames[-1].lineno})"
        error(f"module {module!r} cannot be imported: {describe(reason)}{where}")
