"""A cell that does not compile leaves the definition before it: a check says so, in a notebook only."""

import pytest
from jupyter_client.manager import start_new_kernel

from helpers.judging.answers import STALE, is_stale, last_is_broken

GOOD = "async def shout(websocket):\n    await websocket.accept()\n    async for text in websocket.iter_text():\n"
BODY = "        await websocket.send_text(text.upper())\n"
CHECK = "verdict = ex1.check(shout)\nprint(verdict.outcome, dict(verdict.facts).get('note'))"
BROKEN = GOOD + BODY.replace("))", ")")


@pytest.mark.parametrize(
    ("cells", "broken"),
    [
        (["", GOOD + BODY], False),
        (["", GOOD + BODY, BROKEN], True),
        (["", BROKEN, GOOD + BODY], False),
        (["", GOOD + BODY, BROKEN.replace("shout", "other")], False),
        (["", GOOD + BODY, "x = (\n"], False),
        (["", "shout = 1", "await shout(1)\n" + GOOD + BODY], False),
        (["", "class shout(\n"], True),
    ],
)
def test_the_last_definition_of_the_name_counts(cells, broken):
    assert last_is_broken([*cells, "ex1.check(shout)"], {"shout"}) == broken


def test_outside_a_notebook_nothing_is_stale():
    assert not is_stale(test_outside_a_notebook_nothing_is_stale)
    assert not last_is_broken([BROKEN], set())


def test_a_check_in_a_notebook_says_so():
    manager, client = start_new_kernel(kernel_name="python3")
    try:

        def run(code: str) -> str:
            printed: list[str] = []
            client.execute_interactive(code, timeout=60, output_hook=lambda m: printed.append(_text(m)))
            return "".join(printed)

        assert run("from helpers.exercises.start_here import ex1") == ""
        run(GOOD + BODY)
        assert run(CHECK) == "pass None\n"
        assert run(BROKEN) in {"SyntaxError", "_IncompleteInputError"}  # the latter from Python 3.13 on
        assert run(CHECK) == f"pass {STALE}\n"
        run(GOOD + BODY)
        assert run(CHECK) == "pass None\n"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _text(message):
    content = message["content"]
    return content.get("text", "") + content.get("ename", "")
