"""What a test explores, an app or a client: how it is explored, and how one of its schedules is played again."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hangup.explorer.apps.explore import explore, replay
from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.clients.schedules import ClientSchedule
from hangup.explorer.findings import Findings
from hangup.explorer.invariant import rules_with
from hangup.explorer.report import Report
from hangup.explorer.showing.outcomes import Play
from hangup.record.rules import CLIENT, GENERAL, Rule
from hangup.record.session import Session
from hangup.servers.script import Script


@dataclass(frozen=True)
class Target:
    """What is explored; `asked` tells whether a schedule of that name is among what the test asks for."""

    what: str
    """What it is called in a sentence."""
    explore: Callable[[Mapping[str, Any]], Report]
    """Explores it, with these options changed."""
    play: Play
    asked: Callable[[str], bool]
    rules: Sequence[Rule]
    rows: str

    def judged(self, sessions: Mapping[str, Session]) -> Report:
        """Return the report on schedules that have been played, by their names."""
        findings = Findings(self.rules, schedules=len(sessions))
        for name, session in sessions.items():
            findings.add(name, (session, *session.others))
        return findings.report(self.rows)


def an_app(app: Any, script: Script, options: Mapping[str, Any]) -> Target:
    """Return the target that an app is, with the options of `explore`."""

    def play(name: str) -> Session:
        made = app if app is not None else options["make"]()
        return replay(made, name, script, **_known(replay, options))

    def asked(name: str) -> bool:
        try:
            schedule = Schedule.parse(name)
        except ValueError:
            return False
        ending = "cancel" if schedule.cancel_at else schedule.ending
        return schedule.model in _given(explore, "models", options) and ending in _given(explore, "endings", options)

    rules = rules_with(tuple(options.get("rules", GENERAL)), options.get("invariant"))
    return Target("app", lambda more: explore(app, script, **{**options, **more}), play, asked, rules, "server")


def a_client(client: Any, server: Any, options: Mapping[str, Any]) -> Target:
    """Return the target that a client is, against what `server` returns, with the options of `explore_client`."""
    from hangup import explore_client, replay_client  # which say what to install

    def play(name: str) -> Session:
        return replay_client(client, name, server, **_known(replay_client, options))

    def asked(name: str) -> bool:
        try:
            schedule = ClientSchedule.parse(name)
        except ValueError:
            return False
        fault = "cancel" if schedule.cancel_at else schedule.fault
        return not fault or fault in _given(explore_client, "faults", options)

    rules = options.get("rules", CLIENT)
    call = lambda more: explore_client(client, server, **{**options, **more})  # noqa: E731
    return Target("client", call, play, asked, rules, "stream")


def came_to(name: str, session: Session) -> bool:
    """Return whether a session came to the moment that its schedule names; one that did not is no ground to accuse."""
    if "/cancel@" in name:
        return session.cancelled_by == "schedule"
    if name.endswith("@end"):
        return True
    return bool(session.facts.get("fired")) and session.facts.get("gone") != "own"  # an app that closed first


def _known(function: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the options that the function takes; a replay looks closer if it can."""
    taken = inspect.signature(function).parameters
    closer = {"closer": True} if "closer" in taken else {}
    return {name: value for name, value in options.items() if name in taken} | closer


def _given(function: Callable[..., Any], option: str, options: Mapping[str, Any]) -> Any:
    """Return an option's value, or the function's default."""
    return options.get(option, inspect.signature(function).parameters[option].default)
