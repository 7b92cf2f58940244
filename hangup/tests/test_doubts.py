"""Where a model may not be true: the installed release of its server is older or newer than what was measured."""

import pytest

from hangup.servers.models import EXPLORED, MODELS
from hangup.servers.models.doubts import doubts, installed, with_releases

EVERY = tuple(MODELS.values())
MEASURED = {model.package: model.measured for model in EVERY}


def lines(here: dict[str, str]) -> list[str]:
    """Return the doubts about all models where these releases are installed."""
    return [str(doubt) for doubt in doubts(EVERY, here.get)]


def test_the_releases_that_were_measured_raise_no_doubt():
    assert lines(MEASURED) == []


def test_the_oldest_releases_that_the_models_are_true_of_raise_no_doubt():
    assert lines({model.package: max(m.since for m in EVERY if m.package == model.package) for model in EVERY}) == []


def test_servers_that_are_not_installed_raise_no_doubt():
    assert lines({}) == []


def test_an_older_release_is_a_warning_that_names_the_models_it_is_older_than():
    assert lines(MEASURED | {"uvicorn": "0.38.0", "granian": "2.8.3"}) == [
        "! uvicorn 0.38.0 is installed here, older than what is modelled: uvicorn (true since 0.52.1), "
        "uvicorn-websockets (true since 0.39.0), uvicorn-wsproto (true since 0.52.1).",
        "! granian 2.8.3 is installed here, older than what is modelled: granian (true since 2.8.4).",
    ]


def test_an_older_release_is_no_warning_for_a_model_that_is_true_of_it():
    assert doubts([MODELS["uvicorn-websockets"]], {"uvicorn": "0.52.0"}.get) == []
    assert lines({"uvicorn": "0.52.0"}) == [
        "! uvicorn 0.52.0 is installed here, older than what is modelled: uvicorn (true since 0.52.1), "
        "uvicorn-wsproto (true since 0.52.1)."
    ]


def test_a_newer_release_is_a_quiet_line():
    found = doubts(EVERY, (MEASURED | {"hypercorn": "0.19.0"}).get)
    words = "hypercorn 0.19.0 is installed here; the newest release that was measured is 0.18.0."
    assert [(doubt.words, doubt.warning, str(doubt)) for doubt in found] == [(words, False, words)]


@pytest.mark.parametrize(
    ("release", "warning"),
    [
        ("2.8.4", None),
        ("2.8.4.post1", None),
        ("2.8.4+local.1", None),
        ("2.8.4rc1", True),
        ("2.8.4.dev3", True),
        ("2.8", True),
        ("2.10.0", False),
        ("2.10", False),
        ("3", False),
        ("10.0.0", False),
    ],
)
def test_releases_are_compared_as_numbers(release, warning):
    found = doubts([MODELS["granian"]], {"granian": release}.get)
    assert [doubt.warning for doubt in found] == ([] if warning is None else [warning])


def test_the_models_are_named_with_their_releases_and_what_is_missing():
    models = [MODELS["uvicorn"], MODELS["hypercorn"]]
    assert with_releases(models, {"uvicorn": "0.54.0"}.get) == (
        "uvicorn (0.52.1 to 0.54.0), hypercorn (0.17.3 to 0.18.0, not installed here)"
    )


def test_what_is_installed_is_looked_up_by_the_name_of_the_distribution():
    assert [installed(MODELS[name].package) is None for name in EXPLORED] == [False] * len(EXPLORED)
    assert installed("no-such-distribution") is None
