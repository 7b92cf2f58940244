"""The cell that was meant: a definition that did not compile leaves the one before it in the notebook's namespace."""

import ast
import re
import sys
from collections.abc import Sequence
from typing import Any

STALE = "your last cell did not compile; this judges the definition before it"


def is_stale(answer: Any) -> bool:
    """Return whether the last cell that defines a name of this answer failed to compile; outside IPython, False."""
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
