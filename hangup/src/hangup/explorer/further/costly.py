"""Why an app is not explored further: each of its sessions takes long, or leaves something that stays for good."""

from dataclasses import dataclass

STOPPED = "and then stopped, because it spins"
HOLDS = "and then stopped, because it holds the event loop"
THREADS = "and then stopped, because it leaves more and more threads"
VAIN = "and then stopped, because it leaves more and more, for which it is waited in vain"
HOLDS_AT_MOST = 4  # sessions in which an app holds the event loop
THREADS_AT_MOST = 200  # that an app's sessions leave: each costs whoever looks at threads, for as long as they run
VAIN_AT_MOST = 1  # sessions that were waited for in vain, and left one more of that: of those nothing else is known


@dataclass
class Costly:
    """Counts what an app's sessions cost."""

    holds: int = 0
    """In how many sessions the app has held the event loop."""
    vain: int = 0
    """How many sessions waited in vain, and left one more of what each session leaves."""
    threads: int = 0
    """How many threads its sessions have left."""

    def stops(self, *, spins: bool) -> str:
        """Return why the app is not explored further, nothing if it is; `spins` says what its last session did."""
        if spins:
            return STOPPED
        if self.holds >= HOLDS_AT_MOST:
            return HOLDS
        if self.vain >= VAIN_AT_MOST:
            return VAIN
        return THREADS if self.threads >= THREADS_AT_MOST else ""
