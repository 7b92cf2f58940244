"""Whether somebody wrote into notebooks/, which is derived: his text is not lost, whatever happens to the file."""

import hashlib
import json
import subprocess
from pathlib import Path

from helpers import lessons
from helpers.workspace import files


def committed(path: Path) -> str | None:
    """Return a file's text in git's last commit; None without git, or for a file that it does not know."""
    name = f"HEAD:./{path.name}"
    try:
        done = subprocess.run(["git", "show", name], cwd=path.parent, capture_output=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def edited(path: Path) -> bool:
    """Return whether a file in notebooks/ is neither what was committed, nor what `build` wrote, nor what it would."""
    found = path.read_text(encoding="utf-8", errors="replace")
    origin = lessons.SOLUTIONS / path.name
    if origin.exists() and found == lessons.derive(origin):
        return False
    return found != committed(path) and _digest(path) != _built().get(path.name)


def keep_edited(path: Path) -> Path | None:
    """Keep a dated copy of a file in notebooks/ that was edited by hand, and return the copy."""
    return files.keep(path) if path.exists() and edited(path) else None


def note_built(paths: list[Path]) -> None:
    """Remember what `build` wrote, so that its next call does not take it for somebody's work."""
    files.write(_record(), json.dumps(_built() | {path.name: _digest(path) for path in paths if path.exists()}))


def _record() -> Path:
    return files.work() / ".base" / "built.json"


def _built() -> dict[str, str]:
    try:
        return dict(json.loads(_record().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
