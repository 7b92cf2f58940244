"""shiny 1.8.0: a number that is doubled; the client says what the browser's part of Shiny says.

    hangup explore shiny_slider.py:app --script shiny_slider.py

What comes out: every rule holds, in 382 schedules.
"""

import re

from shiny import App, Inputs, Outputs, Session, render, ui

from hangup import Expect, Send

page = ui.page_fluid(ui.input_slider("n", "N", 0, 100, 20), ui.output_text("twice"))


def server(input: Inputs, output: Outputs, session: Session) -> None:  # noqa: A002  # as Shiny calls them
    @render.text
    def twice() -> str:
        return f"{2 * input.n()}"


app = App(page, server)
path = "/websocket/"
script = [
    Expect(re.compile("config")),
    Send(json={"method": "init", "data": {"n": 20, ".clientdata_output_twice_hidden": False}}),
    *([Expect()] * 4),  # busy, recalculating, recalculated, idle
    Expect(re.compile('"40"')),
    Send(json={"method": "update", "data": {"n": 21}}),
    *([Expect()] * 6),
    Expect(re.compile('"42"')),
]
