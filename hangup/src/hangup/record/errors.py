"""What an exception says: in words, one by one where several are in a group; where it came from, whose code that is."""

import functools
import sysconfig
import traceback
from pathlib import Path
from types import FrameType

_OURS = str(Path(__file__).parents[1])


def describe(error: BaseException) -> str:
    """Return an exception's type and words, and for a group those of each exception in it."""
    name, code = type(error).__name__, vars(error).get("code")
    words = f"{name}: code {int(code)}" if isinstance(code, int) else f"{name}: {_words(error)}".removesuffix(": ")
    if isinstance(error, BaseExceptionGroup):
        words += " [" + "; ".join(describe(inner) for inner in error.exceptions) + "]"
    return words


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:
        return f"its __str__ raises {type(second).__name__}"


def leaves(error: BaseException) -> list[BaseException]:
    """Return the exceptions of a group, and of the groups in it; of any other exception, itself."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    return [error]


def stack(error: BaseException) -> list[traceback.FrameSummary]:
    """Return the frames that an exception passed through, outermost first; of a group, those of its first exception."""
    frames: list[traceback.FrameSummary] = []
    while True:
        frames += traceback.extract_tb(error.__traceback__)
        if not isinstance(error, BaseExceptionGroup):
            return frames
        error = error.exceptions[0]


@functools.cache
def is_library(filename: str) -> bool:
    """Return whether a file is Python's own, or belongs to a package that is installed."""
    paths = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    return filename.startswith("<") or any(Path(filename).is_relative_to(path) for path in paths)


@functools.cache
def is_of_the_app(filename: str) -> bool:
    """Return whether a file is neither a library's nor hangup's."""
    return not (is_library(filename) or filename.startswith(_OURS))


def place_of(frame: FrameType | None) -> str:
    """Return where the app's code is that has led to this frame, nothing if there is none."""
    while frame is not None and not is_of_the_app(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None:
        return ""
    return f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}, in {frame.f_code.co_name}"
