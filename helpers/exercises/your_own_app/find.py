"""Exercise 1 of lesson "Your own app": for each complaint, a schedule that shows what people complain of.

A schedule shows an issue if the service breaks a rule under it as it is, and with the fault of that issue alone, and
breaks none when it is mended: in one of the three scripts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hangup.explorer.apps.explore import replay
from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.invariant import keeps_its_invariant
from hangup.record.recorder import Session
from hangup.record.rules import STRICT, Rule, rule
from hangup.servers.script import Script
from helpers.exercises.your_own_app.around import LESSON
from helpers.judging.answers import Kind
from helpers.judging.exercise import Exercise
from helpers.judging.patience import left
from helpers.judging.verdict import MARKS, Verdict
from helpers.props.chat import ISSUES, PATH, SLOW, TABS, TALK, left_behind
from helpers.props.chat_mended import Mended, only
from helpers.props.chat_service import Service

SCRIPTS: Mapping[str, Script] = {"TALK": TALK, "TABS": TABS, "SLOW": SLOW}
JUDGED = (*STRICT, keeps_its_invariant)


@rule
def names_a_schedule(session: Session) -> str | None:
    """What stands beside an issue is the name of a schedule."""
    return session.facts.get("no schedule")


@rule
def comes_to_its_moment(session: Session) -> str | None:
    """In one of the scripts, the service comes to the moment that the schedule names."""
    return session.facts.get("no moment")


@rule
def shows_the_issue(session: Session) -> str | None:
    """The schedule breaks the service because of this issue, and holds when that is mended."""
    return session.facts.get("other")


@rule
def finds_all_eight(session: Session) -> str | None:
    """Each of the eight issues has a schedule."""
    return session.facts.get("missing")


@dataclass(frozen=True)
class Seen:
    """What one schedule shows of an issue: nothing if `rule` is none of these; `got` is what happened."""

    issue: str
    schedule: str
    got: str
    script: str = ""
    rule: Rule | None = None
    session: Session | None = None


@dataclass(kw_only=True)
class Find(Exercise):
    """An exercise whose answer is a dict: for each issue the name of a schedule, or nothing yet."""

    @property
    def general(self) -> Sequence[Rule]:
        """Nothing: an answer is data."""
        return ()

    @property
    def _starter_name(self) -> str:
        return "found"

    def judge(self, answer: Any, until: float) -> Verdict:
        """Play each schedule that is named, and say of the first that does not show its issue what it shows."""
        named = {issue: str(answer.get(issue, "")).strip() for issue in ISSUES}
        if not any(named.values()):
            return Verdict(self.name, "not attempted", f"not attempted: {self._words(finds_all_eight)}: none has yet")
        seen = [look(issue, name, until) for issue, name in named.items() if name]
        found = [each for each in seen if each.rule is None]
        missing = [issue for issue in ISSUES if issue not in {each.issue for each in found}]
        if not missing:
            facts = tuple((each.issue, f"{each.script} · {each.schedule} · {each.got}") for each in found)
            return Verdict(self.name, "pass", f"all {len(ISSUES)} issues have a schedule", facts, self.why)
        order = self.all_rules
        wrong = min((each for each in seen if each.rule), key=lambda each: order.index(each.rule), default=None)  # type: ignore[arg-type]  # those without are left out
        broken = finds_all_eight if wrong is None or wrong.rule is None else wrong.rule
        facts = () if wrong is None else (("when", f"{wrong.issue} · {wrong.schedule}"), ("got", wrong.got))
        count = (("found", f"{len(found)} of {len(ISSUES)}; still without: {', '.join(missing)}"),)
        trace = wrong.session.trace if wrong is not None and wrong.session is not None else None
        note = f"{MARKS['fail']} {len(found)} of {len(ISSUES)} are found: {broken.sentence} · {self.stuck}"
        return Verdict(self.name, "fail", self._words(broken), (*facts, *count), note, broken.name, trace)

    def _words(self, broken: Rule) -> str:
        return f"rule {self.all_rules.index(broken) + 1} of {len(self.all_rules)}: {broken.sentence}"


def look(issue: str, name: str, until: float) -> Seen:
    """Play a schedule in each script, until one shows the issue."""
    try:
        Schedule.parse(name)
    except ValueError as error:
        return Seen(issue, name, str(error), rule=names_a_schedule)
    came: Seen | None = None
    for title, script in SCRIPTS.items():
        shown = _play(only(issue), name, script, until)
        if not _came_to(name, shown):
            continue
        got = _broken(shown)
        if got and not _broken(_play(Mended, name, script, until)) and _broken(_play(Service, name, script, until)):
            return Seen(issue, name, got, title)
        came = came or _other(issue, name, title, until)
    words = "the service never comes to this moment: it has fewer of them, in each of the three scripts"
    return came or Seen(issue, name, words, rule=comes_to_its_moment)


def _other(issue: str, name: str, title: str, until: float) -> Seen:
    session = _play(Service, name, SCRIPTS[title], until)
    got = _broken(session) or "nothing breaks"
    return Seen(issue, name, f"what breaks in {title} is another issue's: {got}", title, shows_the_issue, session)


def _play(service: type[Service], name: str, script: Script, until: float) -> Session:
    app = service().app()
    return replay(app, name, script, seconds=left(until), path=PATH, lifespan=True, invariant=left_behind)


def _came_to(name: str, session: Session) -> bool:
    if "/cancel" in name:
        return session.cancelled_by == "schedule"
    return "@end" in name or bool(session.facts.get("fired"))


def _broken(session: Session) -> str:
    """Return what breaks in a session of all clients, in words, or nothing."""
    family = (session, *session.others)
    return next((got for each in JUDGED for one in family if (got := each.test(one)) is not None), "")


def _no_findings(answer: Any) -> str:
    if not isinstance(answer, dict):
        return f"This is {type(answer).__name__}; this exercise wants a dict with a schedule for each issue."
    unknown = [key for key in answer if key not in ISSUES]
    if unknown:
        return f"No issue is called {unknown[0]!r}; they are {', '.join(map(repr, ISSUES))}."
    wrong = [key for key, value in answer.items() if not isinstance(value, str)]
    return f"What stands beside {wrong[0]!r} is no text: write a schedule's name." if wrong else ""


ex1 = Find(
    lesson=LESSON,
    number=1,
    title="Find",
    kind=Kind("a dict with a schedule for each issue", _no_findings),
    parameters=(),
    rules=(names_a_schedule, comes_to_its_moment, shows_the_issue, finds_all_eight),
    hints=(
        "A report names the first schedule of each outcome: *first at* `uvicorn/close@send#2`. Explore all three "
        "scripts. `explore(…, endings=['cancel'])` shows what hides behind the louder ones.",
        "Which ending do people describe? A tunnel is `reset` or `fin`, and which code that is differs from server "
        "to server. *Cut off in mid-sentence* is a `cancel`, a closed tab a `close`. "
        "And when: before a `send`, while it `receive`s, at its `end`?",
        "`TABS` has the two tabs, `SLOW` the laptop. Of `cancel`, each await has its number: those in the midst of "
        "`save` are not those in `leave`, which are the last ones.",
        "Stuck with one? Mend another one first, as exercise 2 asks, and explore again: what is quiet is heard then.",
    ),
    why="A complaint that has become a schedule can be played as often as you like, and by whoever mends it.",
    helps={names_a_schedule: 1, comes_to_its_moment: 1, shows_the_issue: 2, finds_all_eight: 3},
)
