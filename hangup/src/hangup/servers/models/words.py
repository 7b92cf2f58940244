"""The models in words: a table with a column for each server and a row for each question."""

from collections.abc import Collection

from hangup.servers.models.model import ENDED, SAME, Call, Early, Model, Raises, Seen
from hangup.trace.table import Table

_OWN = {
    "": "nothing of that",
    "breath": "of that, too, if it was in the same breath",
    "too": "of that, too",
    "instead": "of that alone",
}
LIMIT = 60.0  # seconds after which a proxy ends a connection on which nothing passes: nginx's proxy_read_timeout


def table(models: Collection[Model]) -> Table:
    """Return what these models say, at least one, as a table."""
    columns = [_answers(model) for model in models]
    rows = [(question, *(column[question] for column in columns)) for question in columns[0]]
    return Table(("", *(model.name for model in models)), tuple(rows))


def _answers(model: Model) -> dict[str, str]:
    said = {
        "the client closes": "close",
        "the client dies (FIN)": "fin",
        "the network resets": "reset",
        "the server shuts down": "shutdown",
        "the app has closed": "own",
    }
    gone, refused = model.early.get("fin", Early()), model.early["own"]
    early = _told(gone.told, gone.forever) if "fin" in model.early else "waits for accept"
    silent = "silence" in model.told
    idle = "kept open, by pings" if model.pings_every is not None else "cut"
    big = "too-big" in model.told
    full = "returns" if model.full == "takes all" else f"{model.full} after {model.takes:g} MiB"
    cancels = {"": "never", "lifespan": "with a lifespan", "always": "always"}
    further = {
        "the app has accepted: accept": _done(model.accept_again),
        "a receive() waits: receive()": _done(model.receive_again) if model.receive_again else "waits, too",
        "accepted while it was closing: send()": _done(model.early_closing) if model.early_closing else "no such state",
        "reset before the app is called: the client in its scope": "None" if model.loses_client else "its address",
        "the client falls silent: receive()": _told(model.told["silence"], model.forever) if silent else "waits",
        "the client falls silent: the app is told": f"after {model.after['silence']:g} s" if silent else "never",
        f"nothing passes, behind a proxy ({LIMIT:g} s)": idle,
        "the client does not read: send()": full,
        "a message above the limit: receive()": _told(model.told["too-big"], model.forever) if big else "not known",
        "a message above the limit: the client sees": _seen(Seen(model.big_seen.open, model.big_seen.open))
        if big
        else "not known",
    }
    if not model.further:
        further = dict.fromkeys(further, "not known")
    return {
        "true of these releases": model.releases,
        "the client closes without a code: receive()": _told(model.told["close"], model.forever, model.no_code),
        **{f"{words}: receive()": _told(model.told.get(how), model.forever) for words, how in said.items()},
        "the peer has left: send()": _done(model.send_gone),
        "the peer has left: close()": _done(model.close_gone),
        "the disconnect was received: send()": _done(model.send_read),
        "the disconnect was received: close()": _done(model.close_read),
        "in the same breath: close()": _done(model.close_closing),
        "the peer has left, and the app closes: it is told": _OWN[model.late_close],
        "the app has closed: send()": _done(model.send_closed),
        "the app has closed: close()": _done(model.close_closed),
        "left before accept: receive()": early,
        "left before accept: accept": _done(gone.accept),
        "left before accept: close()": _done(gone.reject),
        "left before accept: accept, send()": _done(gone.send),
        "left before accept: accept, close()": _done(gone.close),
        "the app has refused: receive()": _told(refused.told, refused.forever),
        "the app has refused: send()": _done(refused.send),
        "the app has refused: close()": _done(refused.close),
        **further,
        **{f"the app ends ({how}): the client sees": _seen(model.ends[how]) for how in ENDED},
        "the server shuts down: the client sees": _seen(model.shuts_down or Seen(None, None)),
        "the server shuts down: the app is cancelled": cancels[model.cancels],
    }


def _told(codes: tuple[int, ...] | None, forever: int | Call, same: object = "its code") -> str:
    words = [str(same if code == SAME else code) for code in codes or ()]
    then = f"raises {_done(forever)}" if isinstance(forever, Raises) else f"{forever} for ever"
    return ", ".join([*words, "waits" if codes is None or forever is None else then])


def _done(call: Call) -> str:
    return call.error.__name__ if call is not None else "returns"


def _seen(seen: Seen) -> str:
    codes = dict.fromkeys((seen.handshake, seen.open))
    return ", ".join("nothing" if code is None else f"HTTP {code}" if code < 600 else str(code) for code in codes)
