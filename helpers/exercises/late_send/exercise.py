"""An exercise whose answer is given messages to send: judged in scenes, then by the client's explorer."""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hangup.explorer.clients.schedules import ClientSchedule
from hangup.record.recorder import Session, watch_tasks
from hangup.record.threads import Stuck, run_in_thread
from hangup.time.loopback import LoopbackLoop
from helpers.exercises.late_send.play import Play, facts_of
from helpers.exercises.late_send.scenes import Line, Paced, Scene, Script, collect, with_a_websocket
from helpers.judging.client_exercise import ClientExercise
from helpers.judging.exercise import too_late
from helpers.judging.patience import left
from helpers.judging.verdict import Verdict


def _probe(line: Line, session: Session) -> None:
    """Add the facts to a session of the explorer."""
    schedule = ClientSchedule.parse(session.schedule)
    ending = "cancel" if schedule.cancel_at else schedule.fault
    scene = replace(line.scene, ending=ending, after=0)
    early = bool(schedule.fault) and schedule.frame == 0
    facts = facts_of(line, scene) | {"opened": session.facts["connections"], "open": 0, "early": early}
    session.facts |= facts
    if early and not (isinstance(scene, Paced) and schedule.fault == "silence"):
        session.facts["took"] = None  # there was no connection yet that could have ended


@dataclass(kw_only=True)
class SceneExercise(ClientExercise):
    """An exercise for a client that sends messages: played in each of `scenes`, then explored with those of `short`.

    `call` calls the answer with a URL and a Line; `script` is what the server does.
    """

    scenes: Sequence[Scene]
    short: Scene
    script: Script = collect
    server: Callable[[], Any] = lambda: None  # made of script and short
    call: Callable[[Any, str, Any], Coroutine[Any, Any, Any]] = with_a_websocket
    probe: Callable[[Any, Session], None] = _probe

    def __post_init__(self) -> None:
        self.server = functools.partial(Line, self.script, self.short)

    def judge(self, answer: Any, until: float) -> Verdict:
        """Play the scenes, judge them, and explore only what holds there."""
        sessions: list[Session] = []
        late: Stuck | None = None
        try:
            work = functools.partial(self._play, answer, sessions)
            run_in_thread(work, seconds=left(until), loop_factory=LoopbackLoop)
        except Stuck as stuck:
            if not stuck.ended:
                raise
            late = stuck
        if found := self.first_broken(sessions):
            place, broken = found
            verdict = self.broken(answer, *broken[0], place, f"{len(broken)} of {len(sessions)} scenes")
            return verdict if late is None else too_late(verdict)
        if late is not None:
            raise late
        explored = super().judge(answer, until)
        if not explored.passed:
            return explored
        # how many schedules there are depends on the release of Python
        return self.holds(f"{len(sessions)} scenes, and when a short session ends at any frame")

    async def _play(self, answer: Any, sessions: list[Session]) -> None:
        with watch_tasks(asyncio.get_running_loop()):
            for scene in self.scenes:
                if scene.full and self.first_broken(sessions):
                    continue  # who hangs there would hear of nothing else
                sessions.append(await Play(self.call, self.script, answer, scene).play())
                if sessions[-1].cancelled_by == "server":
                    break  # all others may take as long

    def told(self, session: Session) -> bool:
        """Return whether the connection ended early, or the client was cancelled."""
        scene: Scene | None = session.facts.get("scene")
        return bool(session.cancelled_by or scene is None or scene.ending)

    def when(self, session: Session) -> str:
        """Return what a scene says of itself, or the explorer's words."""
        return session.schedule if "early" not in session.facts else super().when(session)
