"""tests/taught.py: which lessons teach what a model of a server says."""

from pathlib import Path

import pytest

from support.probes import ENDS, PROBES
from tests.taught import TAUGHT, lessons_on

ROOT = Path(__file__).parent.parent


def test_it_has_an_entry_for_each_probe_and_each_way_to_end():
    assert set(TAUGHT) == {each.__name__ for each in (*PROBES, *ENDS)} | {"shutdown"}


@pytest.mark.parametrize("lesson", sorted({name for names in TAUGHT.values() for name in names}))
def test_each_lesson_it_names_exists(lesson):
    assert (ROOT / "solutions" / f"{lesson}.ipynb").exists()


def test_it_has_a_sentence_for_each_kind_of_test():
    probe, how = next(iter(PROBES)), ENDS[0]
    said = [lessons_on({"probe": probe}), lessons_on({"how": how, "server": "granian"}), lessons_on({"lifespan": True})]
    assert said == [
        "Lessons that teach it: 01-three-endings, 02-double-receive, 03-flow-error.",
        "Lessons that teach it: none.",
        "Lessons that teach it: 01-three-endings, 05-cancelled-cleanup, 08-the-client-that-comes-back.",
    ]


def test_a_model_that_is_untrue_names_its_lessons(pytester):
    pytester.makeconftest((ROOT / "conftest.py").read_text("utf-8"))
    pytester.makepyprojecttoml(f'[tool.pytest.ini_options]\npythonpath = ["{ROOT.as_posix()}"]')
    pytester.makepyfile(
        test_models="""
        import pytest
        def closes_late(): ...
        @pytest.mark.parametrize("probe", [closes_late])
        def test_a_model(probe): pytest.fail("they differ", pytrace=False)
        @pytest.mark.parametrize("probe", [closes_late])
        def test_another(probe): pass
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:nbval", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["they differ", "*what the course teaches*", "Lessons that teach it: 04-listener-lif*"])
