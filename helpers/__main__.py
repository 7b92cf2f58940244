"""`python -m helpers`: work through the lessons, see where you are, and, for authors, derive and run them."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

MISUSE = 2


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 1 if something is wrong, 2 if it was called in a wrong way."""
    arguments = sys.argv[1:] if argv is None else argv
    own, _, rest = _partition(arguments, "--")
    options = _parser().parse_args(own)
    options.rest = rest
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        return command(options)
    except (LookupError, TimeoutError, OSError) as error:
        print(error.args[0] if isinstance(error, LookupError) else error, file=sys.stderr)
        return MISUSE if isinstance(error, LookupError) else 1


def _partition(arguments: list[str], mark: str) -> tuple[list[str], bool, list[str]]:
    found = mark in arguments
    place = arguments.index(mark) if found else len(arguments)
    return arguments[:place], found, arguments[place + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m helpers", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
        added.set_defaults(run=run)
        return added

    learn = command("learn", _learn, "make or renew work/, your copies of the lessons; your answers stay")
    learn.add_argument("--lab", action="store_true", help="then open JupyterLab there; what follows -- goes to it")
    check = command(
        "check", _check, "judge the answers in work/, each notebook in a new kernel; exit with 1 if one fails"
    )
    check.add_argument("lessons", nargs="*", metavar="NN", help="numbers or names; all lessons if there are none")
    check.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    check.add_argument("--junit", type=Path, metavar="FILE", help="write the results as JUnit XML")
    check.add_argument("--timeout", type=float, default=60.0, metavar="S", help="seconds that a cell may take: 60")
    command("progress", _progress, "show what you have solved and what comes next")
    command("doctor", _doctor, "look at this machine: what is missing, and what to do")
    reset = command("reset", _reset, "hand out a lesson, or one exercise of it, afresh; a dated copy is kept first")
    reset.add_argument("lesson", metavar="NN", help="number or name: 02, double-receive")
    reset.add_argument("exercise", nargs="?", metavar="exN", help="only this exercise: ex1")
    collect = command("collect", _collect, "for a room: one table of the progress files in a folder")
    collect.add_argument("folder", type=Path, metavar="DIR", help="holds NAME.json, or NAME/progress.json")
    form = collect.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="a column for each exercise")
    form.add_argument("--json", action="store_true", help="outcomes by name")
    build = command("build", _build, "for authors: derive notebooks/ from solutions/")
    build.add_argument("--check", action="store_true", help="change nothing; name the files that drifted, exit with 1")
    command("book", _book, "for authors: build the lessons as a book, from what is stored, into docs/_build")
    run = command("run", _run, "for authors: run solutions notebooks in new kernels and store their outputs")
    run.add_argument("lessons", nargs="+", metavar="NN", help="how the name of a lesson starts: 02")
    return parser


def _book(options: argparse.Namespace) -> int:
    from helpers import book, lessons

    try:
        book.build(lessons.ROOT / "docs" / "_build")
    except book.BookError as error:
        print(error, file=sys.stderr)
        return 1
    print("docs/_build/html/index.html")
    return 0


def _learn(options: argparse.Namespace) -> int:
    from helpers.workspace import files, renew

    try:
        done, failed = renew.learn()
    except OSError as error:  # a TimeoutError, too
        print(f"{error}\nTo work in another folder, name it in the environment: {files.WORK}", file=sys.stderr)
        return 1
    print("\n".join(done or ["work/ is up to date"]))
    for sentence in failed:
        print(sentence, file=sys.stderr)
    if any(not sentence.endswith(" is new") for sentence in done):
        print("Is one of them open in JupyterLab? Choose File, Reload Notebook from Disk.")
    if options.lab:
        renew.lab(options.rest)
    return 1 if failed else 0


def _reset(options: argparse.Namespace) -> int:
    from helpers.catalogue import chosen
    from helpers.workspace import renew

    (lesson,) = chosen([options.lesson])
    digits = (options.exercise or "").removeprefix("ex")
    if options.exercise is not None and not digits.isdecimal():
        raise LookupError(f"{options.exercise!r} is no exercise; ex1 is one")
    done = "\n".join(renew.reset(lesson, int(digits) if digits else None))
    print(done)
    if "what you had" in done:
        print("In JupyterLab: File, Reload Notebook from Disk if it is open; File, Open from Path… opens what you had.")
    return 0


def _check(options: argparse.Namespace) -> int:
    from helpers.catalogue import chosen
    from helpers.grading import report
    from helpers.grading.attempts import attempt
    from helpers.workspace import files
    from helpers.workspace.renew import copy_of

    lessons = chosen(options.lessons)
    if not files.work().is_dir():
        raise LookupError(f"there is no {files.shown(files.work())} yet: run python -m helpers learn")
    graded = []
    for lesson in lessons:
        graded.append(report.Graded(lesson, tuple(attempt(lesson, copy_of(lesson), timeout=options.timeout))))
        print(graded[-1], flush=True)
    for path, told in ((options.json, report.as_json), (options.junit, report.as_junit)):
        if path is not None:
            files.write(path, told(graded))
    return 1 if any(each.failed for each in graded) else 0


def _progress(options: argparse.Namespace) -> int:
    from helpers.progress import progress

    print(progress())
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from helpers.doctor import examine

    missing = False
    for finding in examine():
        print(finding, flush=True)
        missing |= finding.grade == "missing"
    return 1 if missing else 0


def _collect(options: argparse.Namespace) -> int:
    from helpers.progress import room

    try:
        learners = room.collected(options.folder)
    except NotADirectoryError as error:
        raise LookupError(str(error)) from None
    print((room.as_csv if options.csv else room.as_json if options.json else room.as_text)(learners).rstrip("\n"))
    problems = [learner.problem for learner in learners if learner.problem]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _build(options: argparse.Namespace) -> int:
    from helpers import lessons
    from helpers.workspace import edited, files

    if options.check:
        drifted = lessons.drifted()
        for path in drifted:
            print(f"{files.shown(path)} is not what solutions/ gives: run python -m helpers build")
        return 1 if drifted else 0

    def keep(path: Path) -> None:
        if (copy := edited.keep_edited(path)) is not None:
            print(f"{files.shown(path)} was edited by hand; that text is kept as {files.shown(copy)}")

    built = lessons.build(keep=keep)
    if built:
        edited.note_built(built)
    for path in built:
        print(files.shown(path))
    return 0


def _run(options: argparse.Namespace) -> int:
    from nbclient.exceptions import CellExecutionError

    from helpers import lessons

    for number in options.lessons:
        try:
            path = lessons.source(number)
            lessons.execute(path)
        except (LookupError, CellExecutionError) as error:
            print(error, file=sys.stderr)
            return 1
        print(f"{path.relative_to(lessons.ROOT)} is run and stored")
    return 0


if __name__ == "__main__":
    sys.exit(main())
