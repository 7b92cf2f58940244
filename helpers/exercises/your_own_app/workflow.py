"""The steps of a CI job, read from YAML and run as a runner of GitHub Actions would: `run`, `if`, an upload at the end.

What sets up a machine is passed over: checkouts, `pip install` and its like; everything is installed here.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
UPLOAD = "actions/upload-artifact@"
_SETS_UP = re.compile(r"\s*(?:python -m )?(?:pip|uv|apt|apt-get|sudo|conda|poetry|pdm) ")
_ADDED = {"PYTEST_ADDOPTS"}  # a step's own options come after those that make its tests quick
_WORDS = {"always()": "True", "cancelled()": "False", "!": " not ", "&&": " and ", "||": " or "}


class NotUnderstood(Exception):
    """Raised with a sentence for what is no job's steps, or what this runner does not know."""


@dataclass(frozen=True)
class Job:
    """What became of a job: whether it succeeded, what its commands printed, what was uploaded, what was written."""

    succeeded: bool
    output: str
    uploaded: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """The paths of uploads that were not done, or found nothing."""


def steps_of(text: str) -> list[dict[str, Any]]:
    """Return the steps in a YAML text: a list of them, a job, or a workflow with one job."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise NotUnderstood(f"this is no YAML: {' '.join(str(error).split())}") from None
    if isinstance(found, dict) and isinstance(found.get("jobs"), dict) and len(found["jobs"]) == 1:
        (found,) = found["jobs"].values()
    if isinstance(found, dict):
        found = found.get("steps")
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise NotUnderstood("there are no steps: a list whose items begin with `- run:` or `- uses:`")
    if not any("run" in each for each in found):
        raise NotUnderstood("no step has a `run:`")
    return found


def play(steps: Sequence[Mapping[str, Any]], folder: Path, environment: Mapping[str, str], seconds: float) -> Job:
    """Run steps in a folder, one after the other. Raises NotUnderstood, subprocess.TimeoutExpired."""
    until, succeeded, output = time.monotonic() + seconds, True, ""
    uploaded: list[str] = []
    left_out: list[str] = []
    for step in steps:
        wanted = _is_wanted(step.get("if"), succeeded=succeeded)
        if str(step.get("uses", "")).startswith(UPLOAD):
            given = step.get("with") or {}
            path = str(given.get("path", "")).strip()
            hidden = str(given.get("include-hidden-files", "")).lower() == "true"
            files = _files(folder, path, hidden=hidden) if wanted else []
            uploaded += files
            left_out += [] if files else [path or "(no path)"]
        elif wanted and "run" in step:
            own = {str(name): str(value) for name, value in (step.get("env") or {}).items()}
            more = {**environment, **own}
            more |= {name: f"{environment[name]} {own[name]}" for name in own.keys() & environment.keys() & _ADDED}
            status, said = _run(str(step["run"]), folder, more, max(until - time.monotonic(), 1.0))
            output += said
            succeeded = succeeded and (status == 0 or bool(step.get("continue-on-error")))
    return Job(succeeded, output, tuple(uploaded), tuple(left_out))


def _is_wanted(condition: object, *, succeeded: bool) -> bool:
    if condition is None:
        return succeeded
    words = re.sub(r"^\$\{\{(.*)\}\}$", r"\1", str(condition).strip()).replace(" ", "")
    left = words
    for each in ("always()", "cancelled()", "success()", "failure()", "&&", "||", "!", "true", "True", "(", ")"):
        left = left.replace(each, "")
    if left:
        raise NotUnderstood(
            f"`if: {condition}` is more than this runner knows: always(), failure(), success(), !, &&, ||"
        )
    python = words.replace("success()", str(succeeded)).replace("failure()", str(not succeeded)).replace("true", "True")
    for word, meaning in _WORDS.items():
        python = python.replace(word, meaning)
    try:
        meant = bool(eval(python.strip(), {"__builtins__": {}}))  # of nothing but the words above
    except (SyntaxError, TypeError):
        raise NotUnderstood(f"`if: {condition}` is no condition") from None
    return meant if re.search(r"always|failure|success|cancelled", words) else meant and succeeded


def _files(folder: Path, path: str, *, hidden: bool) -> list[str]:
    """Return the files that an upload finds, in a folder or by a pattern, relative to where it looks.

    As upload-artifact has it since 4.4, what begins with a dot is left out unless `hidden` is asked for.
    """
    found: set[Path] = set()
    for line in filter(None, map(str.strip, path.splitlines())):
        if not Path(line).is_absolute() and ".." not in Path(line).parts:
            for each in folder.glob(str(Path(line))) if Path(line).parts else [folder]:
                found |= {each} if each.is_file() else {file for file in each.rglob("*") if file.is_file()}
    names = [each.relative_to(folder) for each in found]
    return sorted(
        map(str, names if hidden else (name for name in names if not any(part.startswith(".") for part in name.parts)))
    )


def _run(command: str, folder: Path, environment: Mapping[str, str], seconds: float) -> tuple[int, str]:
    lines = "\n".join(line for line in command.splitlines() if not _SETS_UP.match(line))
    if not lines.strip():
        return 0, ""
    call: Any = ["bash", "-e", "-c", lines] if os.name == "posix" else lines
    return finished(call, folder, environment, seconds, shell=os.name != "posix")


def finished(
    call: Any, folder: Path, environment: Mapping[str, str], seconds: float, *, shell: bool = False
) -> tuple[int, str]:
    """Run a command in a folder; return its status and what it printed. Raises subprocess.TimeoutExpired.

    It finds this Python's commands and these packages, and none of its processes outlives it.
    """
    here = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_", "GITHUB_"))}
    import hangup

    paths = [str(ROOT), str(Path(hangup.__file__).resolve().parents[1]), here.get("PYTHONPATH", "")]
    here["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), here.get("PATH", "")])
    here["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    process = subprocess.Popen(
        call,
        cwd=folder,
        env={**here, "CI": "true", **environment},
        shell=shell,  # as GitHub's runner does with a learner's own line
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=seconds)
    finally:
        if process.poll() is None:
            _kill(process)
    return process.returncode, said


def _kill(process: "subprocess.Popen[str]") -> None:
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.communicate()
