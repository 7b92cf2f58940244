"""The releases that are asked for are those of which the models are true."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from hangup.servers.models import EXPLORED, MODELS

ROOT = Path(__file__).parent.parent
PACKAGES = sorted({MODELS[name].package for name in EXPLORED})


def project(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    return found


def floors(requirements: list[str]) -> dict[str, str]:
    return {each.name: str(each.specifier) for each in map(Requirement, requirements)}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_course_and_the_extra_of_hangup_ask_for_the_same_release(package):
    since = max((MODELS[name].since for name in EXPLORED if MODELS[name].package == package), key=Version)
    course = floors(project(ROOT)["dependencies"])[package]
    extra = floors(project(ROOT / "hangup")["optional-dependencies"][package])[package]
    assert [course, extra] == [f">={since}"] * 2
