"""An exercise with one more test in memory, once its sessions have passed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from hangup.record.recorder import Session
from hangup.record.rules import Rule
from hangup.time.shared import run_on_loop
from hangup.trace.trace import Trace
from helpers.judging.app_exercise import AppExercise
from helpers.judging.patience import left
from helpers.judging.verdict import Verdict


async def _nothing(answer: Any) -> tuple[Rule, str] | None:
    return None


@dataclass(kw_only=True)
class BesideExercise(AppExercise):
    """An exercise with something that is judged beside the sessions: such a verdict has no moment and no picture.

    `aside` holds rules that sessions break so. `beside` judges an answer in virtual time when its sessions have broken
    none, and returns the rule that it breaks, and how.
    """

    aside: tuple[Rule, ...] = ()
    beside: Callable[[Any], Awaitable[tuple[Rule, str] | None]] = _nothing

    def judge(self, answer: Any, until: float) -> Verdict:
        """Explore and play the sessions, then judge beside them."""
        verdict = super().judge(answer, until)
        if not verdict.passed:
            return verdict

        async def judged() -> tuple[Rule, str] | None:
            return await self.beside(answer)

        found = run_on_loop(judged, seconds=left(until))
        if found is None:
            return verdict
        session = Session(Trace(silent=True), "a")
        place = self.all_rules.index(found[0])
        return self._plain(super().broken(answer, session, found[1], place, "1 of 1 sessions in memory"))

    def broken(
        self, answer: Any, session: Session, got: str, place: int, count: str, *, replayed: bool = False
    ) -> Verdict:
        """Return the verdict on a session, without moment and picture where it says nothing of them."""
        verdict = super().broken(answer, session, got, place, count, replayed=replayed)
        return self._plain(verdict) if verdict.rule in {rule.name for rule in self.aside} else verdict

    def _plain(self, verdict: Verdict) -> Verdict:
        facts = tuple(fact for fact in verdict.facts if fact[0] not in {"when", "where"})
        return replace(verdict, facts=facts, note=self.stuck, trace=None)
