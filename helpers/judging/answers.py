"""What an answer may be: tells the starter ("not attempted"), and has a sentence for what cannot be an answer.

An answer that looks at a clock of the module `time` looks at the loop's while that is judged: its seconds are virtual.
"""

import ast
import asyncio
import dis
import inspect
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, Literal

from hangup.time.virtual import VirtualLoop

CLOCK = "not known: seconds are virtual here, and not on a clock that a function imports; import it at the top"
STALE = "your last cell did not compile; this judges the definition before it"


@dataclass(frozen=True)
class Kind:
    """What an answer must be: in words, such as "a Litestar handler", and a function that says what is wrong with one.

    `problem` takes an answer that is not None and no coroutine, and returns a sentence, or "" if nothing is wrong.
    """

    wants: str
    problem: Callable[[Any], str]


Named = Literal["endpoint", "handler", "either"]
_KINDS: dict[Named, str] = {
    "endpoint": "a WebSocketEndpoint class",
    "handler": "an async function",
    "either": "an async function or a WebSocketEndpoint class",
}


def no_answer(answers: Sequence[Any], kind: Kind | Named, parameters: Sequence[str]) -> str:
    """Return a sentence about arguments of check() that cannot be an answer, or nothing."""
    due = kind.wants if isinstance(kind, Kind) else _KINDS[kind]
    if len(answers) != 1:
        return f"check() takes one answer, {due}; it got {len(answers)}."
    (answer,) = answers
    if inspect.iscoroutine(answer):
        answer.close()
        return "This is a coroutine, because you called the function: pass the function itself, without ()."
    if answer is None:
        return f"This is None; this exercise wants {due}."
    if isinstance(kind, Kind):
        return kind.problem(answer)
    if inspect.isclass(answer):
        return _no_class(answer, kind)
    if not callable(answer):
        return f"This is {_a(type(answer).__name__)}; this exercise wants {due}."
    if kind == "endpoint":
        return f"{_name(answer)} is a function; this exercise wants {due}."
    return not_callable_with(answer, parameters, due)


def not_callable_with(answer: Any, parameters: Sequence[str], due: str = "an async function") -> str:
    """Return a sentence if an answer is not an async function that takes these parameters, or nothing."""
    if inspect.isasyncgenfunction(answer):
        return f"{_name(answer)} has a yield in it, which makes it a generator; this exercise wants {due}."
    if not inspect.iscoroutinefunction(answer) and not inspect.iscoroutinefunction(type(answer).__call__):
        return f"{_name(answer)} is not async: write async def {_name(answer)}(…)."
    try:
        inspect.signature(answer, follow_wrapped=False).bind(*parameters)
    except TypeError:
        return (
            f"{_name(answer)}{inspect.signature(answer)} must take exactly what it is given: ({', '.join(parameters)})."
        )
    return ""


def _no_class(answer: type, kind: Named) -> str:
    from starlette.endpoints import WebSocketEndpoint

    if kind == "handler":
        return f"{answer.__name__} is a class; this exercise wants {_KINDS[kind]}."
    if not issubclass(answer, WebSocketEndpoint):
        return f"{answer.__name__} does not inherit from WebSocketEndpoint; this exercise wants {_KINDS[kind]}."
    return ""


def is_starter(answer: Any, starter: str) -> bool:
    """Return whether the answer's code is that of the starter's source, compared as bytecode."""
    known = _prints(compile(starter, "starter", "exec"))
    codes = [function.__code__ for function in _functions(answer)]
    return bool(codes) and all(_print(code) in known for code in codes)


def is_stale(answer: Any) -> bool:
    """Return whether the last cell that defines a name of this answer failed to compile; outside IPython, False.

    Then the definition before it is still in the notebook's namespace.
    """
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    if shell is None:
        return False
    names = {name for name, value in list(shell.user_ns.items()) if value is answer and not name.startswith("_")}
    return last_is_broken(shell.history_manager.input_hist_parsed, names)


def last_is_broken(cells: Sequence[str], names: set[str]) -> bool:
    """Return whether the last of these cells that defines one of these names does not compile."""
    if not names:
        return False
    defines = re.compile(rf"^\s*(?:async\s+def|def|class)\s+(?:{'|'.join(map(re.escape, names))})\b", re.MULTILINE)
    last = next((cell for cell in reversed(cells) if defines.search(cell)), "")
    try:
        compile(last, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError):
        return True
    return False


def _functions(answer: Any) -> Iterator[FunctionType]:
    """Yield the functions that an answer is made of: a class's own, or what a decorator wraps (`fn`: Litestar)."""
    own = vars(answer).values() if inspect.isclass(answer) else [getattr(answer, "fn", answer)]
    for each in own:
        function = inspect.unwrap(each) if callable(each) else each
        if inspect.isfunction(function):
            yield function


@contextmanager
def on_virtual_clocks(answer: Any) -> Iterator[None]:
    """Let an answer's module read the loop's clock where it names `time`, or a clock of it, until the block ends."""
    changed: list[tuple[dict[str, Any], str, Any, Any]] = []
    for function in [*_functions(answer), *_functions(type(answer))]:
        known = function.__globals__
        for name, value in list(known.items()):
            other = (
                _CLOCKS.get(value) if type(value) is BuiltinFunctionType else _VIRTUAL_TIME if value is time else None
            )
            if other is not None:
                changed.append((known, name, value, other))
                known[name] = other
    try:
        yield
    finally:
        for known, name, value, other in changed:
            if known.get(name) is other:
                known[name] = value


def clock_of_its_own(answer: Any) -> str:
    """Return why a rule that breaks says nothing of an answer, one of whose functions imports a clock; or nothing."""
    return CLOCK if any(_imports_clock(function.__code__) for function in _functions(answer)) else ""


def _imports_clock(code: CodeType) -> bool:
    done = [(each.opname, each.argval) for each in dis.get_instructions(code)]
    names = [name for operation, name in done if operation in ("IMPORT_FROM", "LOAD_ATTR", "LOAD_METHOD")]
    if ("IMPORT_NAME", "time") in done and {each.__name__ for each in _CLOCKS} & {*names}:
        return True
    return any(_imports_clock(each) for each in code.co_consts if isinstance(each, CodeType))


def _clock(real: Callable[[], float]) -> Callable[[], float]:
    """Return a clock that shows the time of the loop that runs, if that is virtual."""
    began = real()

    def read() -> float:
        loop = asyncio._get_running_loop()
        return began + loop.time() if isinstance(loop, VirtualLoop) and not loop.real else real()

    return read


_CLOCKS: dict[Any, Callable[[], float]] = {
    each: _clock(each) for each in (time.time, time.monotonic, time.perf_counter)
}
_VIRTUAL_TIME = ModuleType("time", time.__doc__)
vars(_VIRTUAL_TIME).update(vars(time) | {each.__name__: other for each, other in _CLOCKS.items()})


def _prints(code: CodeType) -> set[object]:
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return {_print(code)}.union(*(_prints(each) for each in inner))


def _print(code: CodeType) -> object:
    consts = tuple(_print(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts)
    return code.co_name, code.co_code, code.co_names, code.co_varnames, consts


def _name(answer: Any) -> str:
    return str(getattr(answer, "__name__", type(answer).__name__))


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
