"""The fewest deviations under which a session still fails: delta debugging over their list (Zeller, TSE 2002)."""

from collections.abc import Awaitable, Callable, Sequence

from hangup.time.order import LAST

Deviation = tuple[str, int]
ATTEMPTS = 200  # sessions


async def shrunk(
    deviations: Sequence[Deviation], fails: "Callable[[list[Deviation]], Awaitable[bool]]"
) -> list[Deviation]:
    """Return deviations of which none can be left out, each as plain as can be; all of them fail to begin with."""
    left, attempts = list(deviations), ATTEMPTS

    async def still(some: list[Deviation]) -> bool:
        nonlocal attempts
        attempts -= 1
        return attempts >= 0 and await fails(some)

    if left and await still([]):
        return []
    parts = 2
    while len(left) > 1:
        size = -(-len(left) // parts)
        chunks = [left[at : at + size] for at in range(0, len(left), size)]
        for n, chunk in enumerate(chunks):
            rest = [each for m, other in enumerate(chunks) for each in other if m != n]
            if len(chunks) > 2 and await still(chunk):
                left, parts = chunk, 2
                break
            if await still(rest):
                left, parts = rest, max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(2 * parts, len(left))
    for n, (name, choice) in enumerate(left):
        plain = [*left[:n], (name, LAST), *left[n + 1 :]]
        if choice != LAST and await still(plain):
            left = plain
    return left
