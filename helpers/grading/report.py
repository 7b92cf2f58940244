"""How graded lessons are told: a line each for people, JSON for programs, JUnit XML for a CI server."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from helpers.catalogue import Lesson
from helpers.grading.attempts import Result

_MARKS = {"pass": "✓", "fail": "✗", "not attempted": "○"}


@dataclass(frozen=True)
class Graded:
    """A lesson and the results of its exercises."""

    lesson: Lesson
    results: tuple[Result, ...]

    @property
    def failed(self) -> bool:
        """Whether an exercise failed; one that nobody attempted did not."""
        return any(result.outcome == "fail" for result in self.results)

    def __str__(self) -> str:
        """Return one line: `02 double receive  ✓ ex1  ✗ ex2 the rule's sentence  ○ ex3`."""
        told = []
        for (outcome, sentence), same in itertools.groupby(self.results, key=lambda r: (r.outcome, r.sentence)):
            names = [f"ex{r.task.number}" for r in same]
            one = [" ".join(names)] if sentence else names  # a sentence on a whole notebook is said once
            told += [f"{_MARKS[outcome]} {each} {sentence}".rstrip() for each in one]
        return f"{self.lesson.number} {self.lesson.name.replace('-', ' ')}  {'  '.join(told)}"


def as_json(graded: Sequence[Graded]) -> str:
    """Return all lessons as JSON."""
    told = [
        {
            "number": each.lesson.number,
            "name": each.lesson.name,
            "exercises": [
                {"number": r.task.number, "title": r.task.title, "outcome": r.outcome, "sentence": r.sentence}
                for r in each.results
            ],
        }
        for each in graded
    ]
    return json.dumps(told, ensure_ascii=False, indent=1) + "\n"


def as_junit(graded: Sequence[Graded]) -> str:
    """Return all lessons as JUnit XML: a suite for each lesson, a case for each exercise."""
    root = ElementTree.Element("testsuites", name="After the Disconnect")
    for each in graded:
        outcomes = [result.outcome for result in each.results]
        counts = {"failures": outcomes.count("fail"), "skipped": outcomes.count("not attempted"), "errors": 0}
        attributes = {name: str(count) for name, count in {"tests": len(outcomes), **counts}.items()}
        suite = ElementTree.SubElement(root, "testsuite", {"name": each.lesson.name, **attributes})
        for result in each.results:
            name = f"ex{result.task.number} {result.task.title}"
            case = ElementTree.SubElement(suite, "testcase", classname=each.lesson.name, name=name)
            if result.outcome == "fail":
                ElementTree.SubElement(case, "failure", message=_printable(result.sentence))
            elif result.outcome == "not attempted":
                ElementTree.SubElement(case, "skipped", message="not attempted")
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _printable(text: str) -> str:
    """Return text without what XML cannot hold, such as escape sequences of a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)
