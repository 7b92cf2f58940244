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
_WORDS = {"always()": "True", "cancelled()": "False", "&&": " and ", "||": " or "}
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_OUTCOME = re.compile(r"steps\.([\w-]+)\.outcome\b")
_KNOWN = re.compile(
    r"(?:always|failure|success|cancelled)\(\)|'(?:success|failure|skipped|)'|&&|\|\||[!=]=|[!()]|[tT]rue"
)
_STATUS = re.compile(r"(?:always|failure|success|cancelled)\(\)")
_SHELLS = {"": "bash -e {0}", "bash": "bash --noprofile --norc -eo pipefail {0}", "sh": "sh -e {0}"}


class NotUnderstood(Exception):
    """Raised with a sentence for what is no job's steps."""


class NotKnown(NotUnderstood):
    """Raised with a sentence for what GitHub's runner may know, and this one does not."""


@dataclass(frozen=True)
class Job:
    """What became of a job: whether it succeeded, what its commands printed, what was uploaded, what was written."""

    succeeded: bool
    output: str
    uploaded: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """The paths of uploads that were not done, or found nothing."""


def steps_of(text: str) -> list[dict[str, Any]]:
    """Return the steps in a YAML text: a list of them, a job, or a workflow with one job; its shell and `env` hold."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise NotUnderstood(f"this is no YAML: {' '.join(str(error).split())}") from None
    around: list[dict[str, Any]] = []
    if isinstance(found, dict) and isinstance(found.get("jobs"), dict) and len(found["jobs"]) == 1:
        around.append(found)
        (found,) = found["jobs"].values()
    if isinstance(found, dict):
        around.append(found)
        found = found.get("steps")
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise NotUnderstood("there are no steps: a list whose items begin with `- run:` or `- uses:`")
    if not any("run" in each for each in found):
        raise NotUnderstood("no step has a `run:`")
    for each in reversed(around):
        given = {**((each.get("defaults") or {}).get("run") or {})}
        if each.get("env"):
            found = [step | {"env": {**each["env"], **(step.get("env") or {})}} for step in found]
        found = [({"shell": given["shell"]} if "shell" in given else {}) | step for step in found]
    return found


def play(steps: Sequence[Mapping[str, Any]], folder: Path, environment: Mapping[str, str], seconds: float) -> Job:
    """Run steps in a folder, one after the other. Raises NotUnderstood, subprocess.TimeoutExpired."""
    until, succeeded, output = time.monotonic() + seconds, True, ""
    uploaded: list[str] = []
    left_out: list[str] = []
    outcomes: dict[str, str] = {}
    for step in steps:
        own = {str(name): str(value) for name, value in (step.get("env") or {}).items()}
        wanted = _is_wanted(step.get("if"), outcomes, succeeded=succeeded)
        outcomes[str(step.get("id", ""))] = "success" if wanted else "skipped"
        if str(step.get("uses", "")).startswith(UPLOAD):
            given = step.get("with") or {}
            path = _said(str(given.get("path", "")), folder, own).strip()
            hidden = str(given.get("include-hidden-files", "")).lower() == "true"
            files = _files(folder, path, hidden=hidden) if wanted else []
            uploaded += files
            left_out += [] if files else [" ".join(path.split()) or "(no path)"]
        elif wanted and "run" in step:
            own = {name: _EXPRESSION.sub(lambda each: _value(each[1], folder, {}) or "", own[name]) for name in own}
            more = {**environment, **own}
            more |= {name: f"{environment[name]} {own[name]}" for name in own.keys() & environment.keys() & _ADDED}
            more["GITHUB_WORKSPACE"] = str(folder)
            lines, shell = _said(str(step["run"]), folder, own), str(step.get("shell", ""))
            status, said = _run(lines, shell, folder, more, max(until - time.monotonic(), 1.0))
            output += said
            outcomes[str(step.get("id", ""))] = "success" if status == 0 else "failure"
            succeeded = succeeded and (status == 0 or bool(step.get("continue-on-error")))
    return Job(succeeded, output, tuple(uploaded), tuple(left_out))


def _said(text: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Return a text with the values of its expressions in their places."""

    def value(expression: "re.Match[str]") -> str:
        found = _value(expression[1], folder, environment)
        if found is None:
            raise NotKnown(f"`{expression[0]}` is more than this runner knows: github.workspace, env")
        return found

    return _EXPRESSION.sub(value, text)


def _value(expression: str, folder: Path, environment: Mapping[str, str]) -> str | None:
    context, _, name = expression.partition(".")
    return str(folder) if expression == "github.workspace" else environment.get(name) if context == "env" else None


def _is_wanted(condition: object, outcomes: Mapping[str, str], *, succeeded: bool) -> bool:
    if condition is None:
        return succeeded
    words = re.sub(r"^\$\{\{(.*)\}\}$", r"\1", str(condition).strip()).replace(" ", "")
    words = _OUTCOME.sub(lambda outcome: f"'{outcomes.get(outcome[1], '')}'", words)
    if _KNOWN.sub("", words):
        raise NotKnown(
            f"`if: {condition}` is more than this runner knows: always(), failure(), success(), !, &&, ||, outcomes"
        )
    python = words.replace("success()", str(succeeded)).replace("failure()", str(not succeeded)).replace("true", "True")
    for word, meaning in _WORDS.items():
        python = python.replace(word, meaning)
    python = re.sub(r"!(?!=)", " not ", python)
    try:
        meant = bool(eval(python.strip(), {"__builtins__": {}}))  # of nothing but the words above
    except (SyntaxError, TypeError):
        raise NotUnderstood(f"`if: {condition}` is no condition") from None
    return meant if _STATUS.search(words) else meant and succeeded


def _files(folder: Path, path: str, *, hidden: bool) -> list[str]:
    """Return the files that an upload finds, in a folder or by a pattern, relative to where it looks.

    As upload-artifact has it since 4.4, what begins with a dot is left out unless `hidden` is asked for.
    """
    found: set[Path] = set()
    for line in filter(None, map(str.strip, path.splitlines())):
        without, pattern = line.startswith("!"), Path(line.removeprefix("!").strip())
        if pattern.is_relative_to(folder):
            pattern = pattern.relative_to(folder)
        if not pattern.is_absolute() and ".." not in pattern.parts:
            for each in folder.glob(str(pattern)) if pattern.parts else [folder]:
                files = {each} if each.is_file() else {file for file in each.rglob("*") if file.is_file()}
                found = found - files if without else found | files
    names = [each.relative_to(folder) for each in found]
    return sorted(
        map(str, names if hidden else (name for name in names if not any(part.startswith(".") for part in name.parts)))
    )


def _run(command: str, shell: str, folder: Path, environment: Mapping[str, str], seconds: float) -> tuple[int, str]:
    lines = "\n".join(line for line in command.splitlines() if not _SETS_UP.match(line))
    if not lines.strip():
        return 0, ""
    words = _SHELLS.get(shell, shell).split()
    if words[-1:] != ["{0}"] or words[0] not in ("bash", "sh"):
        raise NotKnown(f"`shell: {shell}` is more than this runner knows: bash, sh")
    options = [re.sub(r"^-(?!-)(\w*)l", r"-\1", each) for each in words[1:-1] if each not in ("-l", "--login")]
    call: Any = [words[0], *options, "-c", lines] if os.name == "posix" else lines
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
