"""python-fasthtml 0.14.14: `setup_ws`, its own list of who is there.

    hangup explore fasthtml_setup_ws.py:app --script fasthtml_setup_ws.py

What comes out: AttributeError before the first message, on every server: it cannot be used in this release.
"""

import re

from fasthtml.common import Div, FastHTML

from hangup import Expect, Send

app = FastHTML(exts="ws")


async def hear(msg: str) -> None:
    await tell(Div(msg, id="heard"))


tell = app.setup_ws(hear)
path = "/ws"
script = [Send(json={"msg": "hi"}), Expect(re.compile("hi"))]
