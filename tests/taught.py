"""Which lessons teach what a model says: what to look at when a new release of a server behaves otherwise.

The keys are the names of hangup's probes, and of the ways in which an app ends (hangup/tests/support/probes.py).
"""

TAUGHT: dict[str, tuple[str, ...]] = {
    "reads_on": ("01-three-endings", "02-double-receive", "03-flow-error"),
    "sends_late": ("03-flow-error", "07-chat-room"),
    "closes_late": ("04-listener-lifespan",),
    "closes_at_once": ("04-listener-lifespan",),
    "only_sends": ("01-three-endings", "07-chat-room"),
    "closes_unread": (),
    "closes_itself": ("01-three-endings",),
    "accepts_nobody": (),
    "reads_first": (),
    "rejects": ("01-three-endings",),
    "rejects_twice": ("01-three-endings",),
    "returns": (),
    "raises": (),
    "is_cancelled": (),
    "closes": ("01-three-endings", "08-the-client-that-comes-back"),
    "shutdown": ("01-three-endings", "05-cancelled-cleanup", "08-the-client-that-comes-back"),
}
"""The lessons, by their names in solutions/; "shutdown" is a server's own command that is told to stop."""


def lessons_on(params: dict[str, object]) -> str:
    """Return one sentence for a failed test of hangup/tests/test_models.py that has these parameters."""
    asked = params.get("probe") or params.get("how")
    name = getattr(asked, "__name__", "shutdown")
    if name not in TAUGHT:
        return f"tests/taught.py does not say which lessons teach {name}."
    return f"Lessons that teach it: {', '.join(TAUGHT[name]) or 'none'}."
