"""FastHTML: `setup_ws`, which keeps who is there and sends to all, behind a page that says what it hears."""

from fasthtml.common import Div, FastHTML

from hangup import Expect, Leave, Send

app = FastHTML(exts="ws")


async def hear(msg: str) -> None:
    await tell(Div(msg, id="heard"))


tell = app.setup_ws(hear)
path = "/ws"
script = [
    *(Send(json={"msg": "hi"}), Expect(lambda text: "hi" in text), Expect(lambda text: "hi" in text, by="b"), Leave()),
    *(Send(json={"msg": "ho"}, by="b"), Expect(lambda text: "ho" in text, by="b")),
]
