"""A report as one HTML page: it holds everything, asks nobody for anything, and takes what an app says as words."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from hangup import explore, replay
from hangup.explorer.report import Broken, Remark, Report
from hangup.explorer.showing import page as showing
from hangup.explorer.showing.outcomes import heading, line_in_words, outcomes, own_line, remarks, unknowns, when
from hangup.explorer.unknown import Unknown

NASTY = '<script>alert("&")</script>'


async def nasty(scope, receive, send):
    """Raise what a page must not take for its own."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    raise ValueError(NASTY)


def found() -> Report:
    return explore(nasty, models=["granian"], endings=["close", "reset"])


def play(name):
    return replay(nasty, name)


class Tags(HTMLParser):
    """Counts elements, and complains about one that is not closed."""

    VOID = frozenset({"meta", "input", "path", "rect"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_what_an_app_says_is_words_on_the_page():
    tags = Tags(found().html(title=NASTY, about=NASTY, play=play, command=lambda name: f"{NASTY} {name}"))
    assert tags.seen.count("script") == 1
    assert tags.seen.count("svg") == 1


def test_the_page_asks_no_other_host():
    links = set(re.findall(r"(?:src|href|url)\W+\S+|https?://[^\"' <]+", found().html(play=play)))
    assert links == {"http://www.w3.org/2000/svg"}


def test_an_outcome_has_its_rule_its_moment_its_words_its_line_and_a_command():
    text = re.sub("<[^>]+>", "\n", found().html(play=play, command=lambda name: f"again {name}"))
    card = text[text.index("the handler ends quietly") :].split("\n")
    line = nasty.__code__.co_firstlineno + 6
    said = [words for words in card if words][:11]
    assert said[:6] == [
        "the handler ends quietly when the peer leaves",
        "when",
        "granian · the client&#x27;s connection ends (TCP FIN) before send() number 1 (granian/close@send#1)",
        "got",
        "ValueError: &lt;script&gt;alert(&quot;&amp;&quot;)&lt;/script&gt;",
        "where",
    ]
    assert f"test_page.py:{line} in nasty: raise ValueError(NASTY)" in said[6]
    assert said[7:] == ["how often", "10 of 10 schedules", "again", "again granian/close@send#1"]


def test_equal_reports_give_equal_pages():
    assert found().html(play=play) == found().html(play=play)


def test_a_report_without_plays_has_no_pictures_and_needs_no_app():
    assert "<svg" not in found().html()


def test_pictures_are_few_however_many_outcomes_there_are():
    names = [f"granian/close@receive#{n}" for n in range(1, 40)]
    broken = tuple(Broken("it holds", name, f"no {name[-2:]} {'x' * n}") for n, name in enumerate(names))
    drawn: list[str] = []

    def counted(name):
        drawn.append(name)
        return play("granian/close@end")

    many = Report(len(names), len(names), broken, tuple((name, "returned") for name in names))
    many.html(play=counted)
    assert drawn == names[: showing.PICTURES]


def test_a_long_run_is_told_in_words(monkeypatch):
    monkeypatch.setattr(showing, "LARGEST", 100)
    assert "<svg" not in found().html(play=play)
    assert "websocket.accept" in found().html(play=play)


def test_two_thousand_schedules_are_a_page_below_a_megabyte():
    names = tuple((f"uvicorn-websockets/reset@receive#{n}", "returned") for n in range(2_000))
    broken = tuple(Broken("the handler ends quietly when the peer leaves", name, "KeyError: 'a'") for name, _ in names)
    assert len(Report(2_000, 2_000, broken, names).html()) < 1_000_000


def test_a_report_where_all_holds_has_no_outcomes():
    report = replace(found(), broken=())
    assert "What broke" not in report.html()
    assert heading(report) == "explored 10; 0 break a rule"


# ---- outcomes ----------------------------------------------------------------------------------------------------


def test_outcomes_of_a_rule_are_told_apart_by_their_words_but_not_by_numbers():
    said = ["KeyError: 1", "KeyError: 22", "IndexError"]
    broken = [Broken("it ends", f"granian/close@send#{n}", got) for n, got in enumerate(said)]
    report = Report(3, 3, tuple(broken), ())
    assert [(each.got, len(each.schedules)) for each in outcomes(report)] == [("KeyError: 1", 2), ("IndexError", 1)]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("granian/close@end", "granian · the client closes with 1001 when it has said all"),
        ("granian/close@send#1", "granian · the client's connection ends (TCP FIN) before send() number 1"),
        ("granian/reset@receive#2", "granian · the client's connection is reset (TCP RST) before receive() number 2"),
        ("uvicorn/cancel@await#3", "uvicorn · the app is cancelled at its await number 3"),
        (
            "upstream/fin@frame#2",
            "the connection ends (TCP FIN) before your client's frame 2 has passed",
        ),
        ("order/7@task#1", "order/7@task#1"),
    ],
)
def test_a_schedule_is_told_in_words(name, words):
    assert when(name) == (words if words == name else f"{words} ({name})")


def test_the_line_that_is_shown_is_the_apps_own():
    frame = own_line(outcomes(found())[0], play("granian/close@end"))
    assert frame is not None
    assert line_in_words(frame).endswith("in nasty: raise ValueError(NASTY)")


def test_fields_that_a_report_may_have_are_told():
    schedule, why = "granian/close@end", "it waits for a socket"
    report = Report(
        1,
        1,
        (),
        ((schedule, "returned"),),
        unfired=3,
        unknown=(Unknown(schedule, why), Unknown(schedule, why)),
        remarks=(Remark(schedule, "a task ended 2 s later"),),
        later=(Broken("it ends", schedule, "KeyError"),),
    )
    assert unknowns(report) == [
        "3 never came to their moment: this app does not do the same thing twice",
        "granian/close@end and 1 more: it waits for a socket",
    ]
    assert remarks(report) == ["a task ended 2 s later (first at granian/close@end, 1 in all)"]
    assert [each.rule for each in outcomes(report)] == ["only after earlier sessions: it ends"]
