"""Write docs/wrong-answers.md: what people answer, exercise by exercise, and the question to ask them.

Run it from the project's folder: `python -m docs.wrong_answers`. Nothing is written twice: wrong answers, with a
sentence each, come from tests/answers, rules from the exercises, questions from questions.toml.
"""

import tomllib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from hangup.record.rules import CLIENT, GENERAL
from helpers.judging.client_exercise import ClientExercise
from helpers.judging.exercise import Exercise
from tests.answers import ANSWERS_WRONG, Answer, import_all

PAGE = Path(__file__).with_name("wrong-answers.md")
QUESTIONS: dict[str, str] = tomllib.loads(Path(__file__).with_name("questions.toml").read_text(encoding="utf-8"))

# What check() itself says, where no rule of the exercise was asked
_VERDICTS = {
    "in_time": "your answer takes too long",
    "cancellable": "your answer does not end, not even when it is cancelled",
    "yields": "your answer holds the event loop: nothing else can run",
    "survives": "your answer raised …, which ends the whole server",
}

_HEAD = """\
# Wrong answers, and the question to ask

Made by `python -m docs.wrong_answers` from the catalogue in tests/answers and from docs/questions.toml: edit those.

Somebody calls you. Read the first line of the verdict, find it here under the exercise, and ask what stands beside it.
Give no answer before the second question; `ex1.hint()` comes first. The rules with the most wrong answers stand on top.
"""


def page() -> str:
    """Return the page as Markdown: a heading for each exercise, a row for each rule that its wrong answers break."""
    import_all()
    answers = sorted(ANSWERS_WRONG, key=lambda each: (each.exercise.lesson, each.exercise.number))
    lines = [_HEAD]
    for exercise, own in groupby(answers, key=lambda each: each.exercise):
        lines += _exercise(exercise, list(own))
    return "\n".join(lines)


def _exercise(exercise: Exercise, answers: list[Answer]) -> Iterator[str]:
    general = CLIENT if isinstance(exercise, ClientExercise) else GENERAL
    sentences = _VERDICTS | {rule.name: rule.sentence for rule in (*general, *exercise.rules)}
    broken: dict[str, list[Answer]] = {}
    for each in answers:
        broken.setdefault(each.rule, []).append(each)
    yield f"## {exercise.lesson[:2]} ex{exercise.number} · {exercise.title}\n"
    yield "| The verdict says | Ask | People wrote |\n|---|---|---|"
    for rule, own in sorted(broken.items(), key=lambda item: -len(item[1])):
        wrote = "<br>".join(f"`{each.name}`: {_cell(each.sentence)}" for each in own)
        yield f"| {_cell(sentences[rule])} | **{_cell(QUESTIONS[rule])}** | {wrote} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
