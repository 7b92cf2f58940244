"""The page of what was found in public software: it is as its generator writes it, and each small app shows its bug."""

import pytest

from docs import wild


def test_the_page_is_as_its_generator_writes_it():
    """`python -m docs.wild` writes it anew."""
    assert wild.PAGE.read_text(encoding="utf-8") == wild.page()


@pytest.mark.parametrize("file", wild.files(), ids=lambda file: file.stem)
def test_a_small_app_breaks_its_rule_under_its_schedule(file):
    bug = wild.load(file)
    assert bug.RULE in wild.RULES
    assert wild.got(bug, wild.play(bug))
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 50


def test_every_package_of_the_tables_is_on_the_page():
    text = wild.PAGE.read_text(encoding="utf-8")
    packages = wild.packages()
    assert len({each["command"] for each in packages}) == len(packages) > 0
    assert [each["name"] for each in packages if f"| {each['name']} {each['release']}<br>" not in text] == []


def test_every_bug_of_the_tables_is_a_small_app():
    bugs = {said["bug"] for each in wild.packages() for said in each.get("said", ()) if "bug" in said}
    assert bugs <= {file.name for file in wild.files()}
