"""Runs a file of tests against the chat service as it is, mended, and with one fault each, in one run of pytest's.

`python -m helpers.props.chat_trial FOLDER` takes FOLDER/test_chat.py and writes FOLDER/trial.json: for each variant how
many tests ran, and the first failure in words. Explorations are narrowed to one model and to the ending that shows the
fault, if the test asks for it: ten whole ones would take a minute.
"""

import functools
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import hangup
from hangup.explorer.apps import explore as exploring
from hangup.explorer.apps.schedules import USUAL
from hangup.explorer.report import Report
from hangup.pytest_plugin import exploring as plugin
from hangup.pytest_plugin import targets
from hangup.record.rules import GENERAL, keeps_no_connection
from helpers.props import chat_service
from helpers.props.chat_mended import FAULTS, Mended, only

TEST, RESULTS, MENDED, AS_IT_IS = "test_chat.py", "trial.json", "mended", "as it is"
VARIANTS: dict[str, type[chat_service.Service]] = {
    MENDED: Mended,
    AS_IT_IS: chat_service.Service,
    **{issue: only(issue) for issue in FAULTS},
}
CLOSES = ("close",)
ENDINGS = {MENDED: ("close", "cancel"), "tunnel": ("reset",), "mute": ("cancel",), "deploy": ("cancel",)}
"""What shows an issue; others are shown by a client that closes, or by any."""
QUICK = tuple(each for each in GENERAL if each is not keeps_no_connection)
"""Without the rule that takes many sessions to find out."""
_explore = exploring.explore


def service_is(service: type[chat_service.Service]) -> None:
    """Let `import chat_service` find this class as the module's Service."""
    module = ModuleType("chat_service")
    vars(module).update({**vars(chat_service), "Service": service, "__name__": "chat_service"})
    sys.modules["chat_service"] = module


def narrow(endings: tuple[str, ...], *, at_once: bool) -> None:
    """Let `explore` play on one model, with those of these endings that are asked for, or else with all that are.

    Unless `at_once`, the rule that takes long is left out at first.
    """

    @functools.wraps(_explore)
    def explore(*args: Any, **options: Any) -> Report:
        asked = tuple(options.get("endings", USUAL))
        options["endings"] = tuple(each for each in asked if each in endings) or asked
        options["models"] = tuple(options.get("models", ("uvicorn",)))[:1]
        if not at_once and "rules" not in options and not (report := _explore(*args, **options, rules=QUICK)).ok:
            return report
        return _explore(*args, **options)

    for module in (exploring, targets, hangup):
        vars(module)["explore"] = explore


class Trial:
    """A plugin of pytest's: a copy of the test file for each variant, which is run until its first failure."""

    def __init__(self, folder: Path) -> None:
        text = (folder / TEST).read_text(encoding="utf-8")
        self.variant: dict[str, str] = {}
        self.ran = dict.fromkeys(VARIANTS, 0)
        self.words: dict[str, str] = {}
        for number, name in enumerate(VARIANTS):
            file = folder / f"test_{number}.py"
            file.write_text(text, encoding="utf-8")
            self.variant[file.name] = name

    @property
    def over(self) -> bool:
        """Whether it is no use to go on: the test fails on the mended service, or passes on the other."""
        name = next((each for each in (MENDED, AS_IT_IS) if each not in self.words), "")
        return MENDED in self.words or (name == AS_IT_IS and self._later)

    _later = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        """Let the copy that is about to be imported find its variant."""
        name = self.variant.get(collector.path.name) if isinstance(collector, pytest.Module) else None
        if name is not None:
            service_is(VARIANTS[name])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Let a test find its variant, unless that is known to fail, or nothing more is to be found out."""
        name = self.variant[item.path.name]
        self._later = name not in (MENDED, AS_IT_IS)
        if name in self.words or self.over:
            pytest.skip("this is known")
        service_is(VARIANTS[name])
        narrow(ENDINGS.get(name, CLOSES), at_once=name != "tunnel")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of a test that ran, or failed."""
        name = self.variant[report.nodeid.partition("::")[0]]
        self.ran[name] += report.when == "call" and not report.skipped
        self._failed(name, report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take note of a file that cannot be imported."""
        if report.nodeid in self.variant:
            self._failed(self.variant[report.nodeid], report)

    def _failed(self, name: str, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed and name not in self.words:
            crash = getattr(report.longrepr, "reprcrash", None)
            said = str(crash.message) if crash is not None else report.longreprtext.strip().rpartition("\n")[2]
            self.words[name] = said.strip().partition("\n")[0].removeprefix("E").strip()


def _in_short(report: Report, *_: object) -> str:
    """Return what broke first; the pictures, which take their time, nobody sees here."""
    return next((f"{each.rule}: {each.got} ({each.schedule})" for each in report.broken), report.findings)


def main(folder: Path) -> None:
    """Run the test against every variant, as long as the first two come out as they should."""
    vars(plugin)["failure"] = _in_short
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    plugins = [f"-pno:{name}" for name in ("cacheprovider", "nbval", "xdist", "faulthandler")]
    trial = Trial(folder)
    files = [str(folder / name) for name in trial.variant]
    options = ["-q", "--continue-on-collection-errors", "--rootdir", str(folder), "-c", str(folder / "pytest.ini")]
    pytest.main([*options, *plugins, *files], plugins=[trial])
    found = {name: {"ran": trial.ran[name], "words": trial.words.get(name, "")} for name in VARIANTS}
    (folder / RESULTS).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
