"""Which schedules failed in a test's last run, in pytest's cache: a file for each test, so that workers do not meet."""

import hashlib
from collections.abc import Iterable

import pytest

MOST = 10  # schedules of one exploration that are remembered


class Memory:
    """The schedules of one test that failed; an exploration is known by its number in the test."""

    def __init__(self, config: pytest.Config, test: str) -> None:
        self._cache: pytest.Cache | None = getattr(config, "cache", None)  # none with -p no:cacheprovider
        self._test = test
        self._key = f"hangup/{hashlib.sha256(test.encode()).hexdigest()[:24]}"

    def failed(self, number: int) -> list[str]:
        """Return the names of the schedules that failed last time."""
        names = self._all().get(str(number))
        return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []

    def keep(self, number: int, names: Iterable[str]) -> None:
        """Remember the first schedules that failed, or that none did."""
        kept = self._all()
        before = kept.get(str(number), [])
        kept[str(number)] = list(dict.fromkeys(names))[:MOST]
        if self._cache is not None and kept[str(number)] != before:
            self._cache.set(self._key, {"test": self._test, "failed": kept})

    def _all(self) -> dict[str, object]:
        found = self._cache.get(self._key, None) if self._cache is not None else None
        failed = found.get("failed") if isinstance(found, dict) else None
        return dict(failed) if isinstance(failed, dict) else {}
