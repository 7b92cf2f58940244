"""Scenes: messages that come in their time, words for what happens, and a fault that must happen."""

import asyncio

from hangup.time.loopback import in_virtual_time
from helpers.exercises.late_send import ex1, ex2, ex3
from helpers.exercises.late_send.scenes import Messages, Scene
from tests.answers import late_send


def test_messages_come_in_their_time():
    """Each after its pause, and the end after the tail; a cancelled wait loses none."""

    async def session():
        loop, came = asyncio.get_running_loop(), []
        messages = Messages(Scene("", (0.0, 5.0), tail=7.0))
        came.append((await anext(messages), loop.time()))
        waiting = asyncio.ensure_future(anext(messages))
        await asyncio.wait([waiting], timeout=1)
        waiting.cancel()
        async for message in messages:
            came.append((message, loop.time()))
        return came, loop.time()

    assert in_virtual_time(session) == ([("message 1", 0.0), ("message 2", 6.0)], 13.0)


def test_a_scene_says_what_happens():
    """In words, with the moment."""
    assert Scene("silence", ()).when == "silence"
    words = "talk · the wire goes silent 2 s after message 3 has come"
    assert Scene("talk", (0.0,), "silence", after=3, wait=2.0).when == words
    words = "talk · your client is cancelled once message 1 has come"
    assert Scene("talk", (0.0,), "cancel").when == words


def test_a_scene_of_the_second_exercise_names_its_interval():
    """Its times are shares of the interval, and no constants do for all of them."""
    silent = {scene.when.partition(" · ")[0] for scene in ex2.scenes if scene.ending == "silence"}
    assert silent == {"interval=0.1", "interval=3", "interval=20"}


def test_what_is_cancelled_has_not_ended():
    """The verdict on a cancelled client says nothing of an end of the connection."""
    verdict = ex1.check(late_send.leaves_them_when_cancelled)
    assert verdict.rule == "leaves_no_task"
    assert "is cancelled" in str(verdict)
    assert "after the end" not in str(verdict)


async def forgets(websocket, messages):
    """Send nothing."""
    return 0


def test_a_verdict_says_it_in_words():
    """The scene, what came of it, and the picture of it on the client's lifeline."""
    verdict = ex1.check(forgets)
    assert (verdict.rule, verdict.facts[0]) == ("delivers", ("when", "three messages, a second apart"))
    assert "the server has 0 of 3 messages" in str(verdict)
    assert "client            returns 0" in str(verdict)


def test_every_ending_is_played():
    """Each exercise has scenes of every kind of ending that it speaks of."""
    endings = [{scene.ending for scene in exercise.scenes} for exercise in (ex1, ex2, ex3)]
    assert endings == [
        {"", "close", "fin", "reset", "silence", "cancel"},
        {"", "silence", "close", "reset", "cancel"},
        {"", "close", "fin", "reset", "silence", "cancel"},
    ]
