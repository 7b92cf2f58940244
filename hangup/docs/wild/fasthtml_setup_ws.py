"""FastHTML: `setup_ws`, its own list of who is there."""

import re

from fasthtml.common import Div, FastHTML

from hangup import Expect, Send

app = FastHTML(exts="ws")


async def hear(msg: str) -> None:
    await tell(Div(msg, id="heard"))


tell = app.setup_ws(hear)
path = "/ws"
script = [Send(json={"msg": "hi"}), Expect(re.compile("hi"))]
