"""WORKSHOP.md: minutes that add up, and nothing named that the lessons do not have; the wrong answers' page.

And what a room without a network needs: a lock that can build the two packages.
"""

import json
import re
import tomllib
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from docs.wrong_answers import PAGE, QUESTIONS, page
from helpers import lessons
from tests.answers import ANSWERS_WRONG
from tests.test_exercises import EXERCISES

ROOT = Path(__file__).parent.parent
PLAN = (ROOT / "WORKSHOP.md").read_text(encoding="utf-8")
SECTIONS = {text.partition("\n")[0]: text for text in PLAN.split("\n## ")[1:]}
DAYS = {"Half a day": 1, "A full day": 2}  # and the column of a part's table that has its minutes
PARTS = [title for title, text in SECTIONS.items() if "\n| Step |" in text]


def rows(title: str) -> list[list[str]]:
    """Return the cells of a section's table, without its two head lines."""
    lines = [line for line in SECTIONS[title].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def cells(part: str) -> list[dict[str, Any]]:
    """Return the cells of the lesson that a part is about, with what is stored for them."""
    return list(json.loads(lessons.source(part[-2:]).read_text(encoding="utf-8"))["cells"])


def minutes(cell: str) -> int:
    return 0 if cell == "–" else int(cell)


@pytest.mark.parametrize("day", DAYS)
def test_a_days_minutes_add_up(day):
    *parts, total = rows(day)
    spent = 0
    for start, length, *_ in parts:
        assert start == f"{spent // 60}:{spent % 60:02}"
        spent += int(length)
    assert total[:3] == [f"{spent // 60}:{spent % 60:02}", str(spent), "Together"]


@pytest.mark.parametrize("day", DAYS)
def test_a_parts_steps_take_as_long_as_the_day_gives_them(day):
    planned = {part: int(length) for _, length, part, _ in rows(day)[:-1] if part not in {"Break", "Lunch"}}
    steps = {part: sum(minutes(row[DAYS[day]]) for row in rows(part)) for part in PARTS}
    assert planned == {part: spent for part, spent in steps.items() if spent}


@pytest.mark.parametrize("day", DAYS)
def test_a_day_lists_the_exercises_that_its_steps_have_time_for(day):
    for _, _, part, exercises in rows(day)[:-1]:
        if part.startswith("Lesson "):
            timed = [row[0] for row in rows(part) if row[0].startswith("Exercise ") and minutes(row[DAYS[day]])]
            numbers = [re.findall(r"\d+", step)[0] for step in timed]
            assert exercises == ", ".join(f"{part[-2:]} ex{number}" for number in numbers)


@pytest.mark.parametrize("part", [part for part in PARTS if part.startswith("Lesson ")])
def test_a_step_is_a_section_of_its_lesson_in_the_lessons_order(part):
    prose = ["".join(cell["source"]) for cell in cells(part) if cell["cell_type"] == "markdown"]
    sections = ["Opening", *re.findall(r"^## (.*)$", "\n".join(prose), re.MULTILINE)]
    steps = [row[0] for row in rows(part)]
    assert steps == [section for section in sections if section in steps]


@pytest.mark.parametrize("part", [part for part in PARTS if part.startswith("Lesson ")])
def test_what_everybody_sees_is_stored_in_the_lesson(part):
    shown = "\n".join(_shown(output) for cell in cells(part) for output in cell.get("outputs", []))
    seen = [words for row in rows(part) for words in re.findall(r"`([^`]+)`", row[-1])]
    assert [words for words in seen if words not in shown] == []


def _shown(output) -> str:
    return "".join(output.get("text") or output.get("evalue") or output["data"]["text/plain"])


def test_every_exercise_that_is_named_exists():
    known = {f"{each.lesson[:2]} ex{each.number}" for each in EXERCISES}
    assert set(re.findall(r"\b\d\d ex\d\b", PLAN)) <= known
    assert set(re.findall(r"✓ ([a-z-]+ \d)`", PLAN)) <= {each.name for each in EXERCISES}


def test_every_rule_that_the_catalogue_names_has_a_question_and_no_other():
    assert set(QUESTIONS) == {each.rule for each in ANSWERS_WRONG}


def test_every_wrong_answer_says_what_somebody_does():
    assert [each.id for each in ANSWERS_WRONG if not each.sentence] == []


def test_the_page_of_wrong_answers_is_what_the_catalogue_gives():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m docs.wrong_answers"


@pytest.mark.parametrize("project", [".", "hangup"])
def test_the_lock_has_what_builds_the_packages_so_that_a_wheelhouse_is_complete(project):
    build = tomllib.loads((ROOT / project / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]
    pinned = {line.partition("==")[0] for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()}
    assert {*build["requires"], "editables"} <= pinned


def test_the_offline_page_has_the_two_commands_that_ci_takes_from_it():
    page = (ROOT / "docs" / "offline.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in page if line.startswith("python3 ")] == [
        "python3 -m pip wheel -r requirements.txt -w wheelhouse",
        "python3 -m venv .venv && .venv/bin/pip install --no-index --find-links wheelhouse -r requirements.txt",
    ]


def test_the_dev_container_installs_and_opens_what_the_readme_says():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first = next(line for line in readme.splitlines() if line.startswith("python3 "))
    opened = container["postAttachCommand"].replace(" -- --no-browser", "")
    assert first == f"{container['postCreateCommand']} && {opened}"


def test_conda_and_binder_install_the_lock():
    environment = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert environment.endswith("  - pip:\n      - -r requirements.txt\n")
    assert not (ROOT / "binder").exists()  # it would take the place of environment.yml


def hub_settings() -> Any:
    """Return what docs/hub/jupyterhub_config.py sets in the environment as it is."""
    from traitlets.config import Config

    settings, path = Config(), ROOT / "docs/hub/jupyterhub_config.py"
    exec(
        compile(path.read_text(encoding="utf-8"), "config", "exec"),
        {"get_config": lambda: settings, "__file__": str(path)},
    )
    return settings


def test_the_hub_listens_to_nobody_outside_and_has_no_password_of_its_own(monkeypatch):
    monkeypatch.delenv("HUB_URL", raising=False)
    monkeypatch.delenv("HUB_LEARNERS", raising=False)
    monkeypatch.delenv("HUB_PASSWORD", raising=False)
    with pytest.raises(KeyError, match="HUB_PASSWORD"):
        hub_settings()
    monkeypatch.setenv("HUB_PASSWORD", "for one day")
    settings = hub_settings()
    assert settings.JupyterHub.bind_url == "http://127.0.0.1:8000"
    assert settings.SharedPasswordAuthenticator.user_password == "for one day"


def test_the_hubs_kernels_meet_on_sockets_whose_paths_are_short_and_their_own(monkeypatch):
    monkeypatch.setenv("HUB_PASSWORD", "for one day")
    monkeypatch.setenv("HUB_LEARNERS", "/" + "a" * 46)
    settings = hub_settings()
    assert "--KernelManager.transport=ipc" in settings.Spawner.args
    runtime = settings.Spawner.environment["JUPYTER_RUNTIME_DIR"]
    folders = {runtime(SimpleNamespace(user=SimpleNamespace(id=number, name="n" * 90))) for number in (1, 2, 9999)}
    assert len(folders) == 3
    assert max(len(f"{folder}/kernel-{uuid.uuid4()}-ipc-5") for folder in folders) == 107  # what Linux takes
    monkeypatch.setenv("HUB_LEARNERS", "/" + "a" * 47)
    with pytest.raises(ValueError, match="too long"):
        hub_settings()
