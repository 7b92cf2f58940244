"""A run in words: an aligned timeline for a terminal, a diff or a screen reader, and a Mermaid diagram for an issue."""

from hangup.trace.events import Run


def timeline(run: Run) -> str:
    """Return a line for each event: who, to whom, what; `✗` marks what broke."""
    titles = run.titles
    named = [event for event in run.rows if not event.folded]
    actor = max((len(titles[event.actor]) for event in named), default=0)
    to = max((len(titles[event.to]) for event in named if event.to), default=0)
    lines = []
    for event in run.rows:
        if event.folded:
            lines.append(f"{event}")
            continue
        arrow = f"→ {titles[event.to]:{to}}" if event.to else " " * (to + 2)
        mark = "✗" if event.broken or event.cut else " "
        lines.append(f"{titles[event.actor]:{actor}} {arrow} {mark} {event.label}")
    return "\n".join(lines) or "(nothing happened)"


def mermaid(run: Run) -> str:
    """Return the run as a Mermaid sequence diagram."""
    ids = {name: f"p{number}" for number, name in enumerate(run.titles)}
    lines = ["sequenceDiagram"]
    lines += [f"    participant {ids[name]} as {_escaped(title)}" for name, title in run.titles.items()]
    for event in run.rows:
        if event.folded:
            text = f"Note over {','.join({ids[event.actor]: 0, ids[event.to or event.actor]: 0})}: {event}"
        elif event.to:
            arrow = "-x" if event.cut else "->>"
            text = f"{ids[event.actor]}{arrow}{ids[event.to]}: {_escaped(event.label)}"
        else:
            text = f"Note over {ids[event.actor]}: {'✗ ' if event.broken else ''}{_escaped(event.label)}"
        lines.append(f"    {text}")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """Escape what Mermaid reads as its own syntax, as entity codes without the ampersand."""
    special = {ord(c): f"#{ord(c)};" for c in '#;<>"%:`\\{}()[]|&*_~'}
    return text.translate(special)
