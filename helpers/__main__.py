"""`python -m helpers` is for authors: `build` derives notebooks/ from solutions/, `run 02` runs a lesson anew."""

import argparse
import sys


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m helpers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    build = commands.add_parser("build", help="derive notebooks/ from solutions/")
    build.add_argument("--check", action="store_true", help="change nothing; name the files that drifted, exit with 1")
    run = commands.add_parser("run", help="run solutions notebooks in new kernels and store their outputs")
    run.add_argument("lessons", nargs="+", metavar="NN", help="how the name of a lesson starts: 02")
    options = parser.parse_args(argv)
    return _build(check=options.check) if options.command == "build" else _run(options.lessons)


def _build(*, check: bool) -> int:
    from helpers import lessons  # nbconvert takes two seconds to import

    if check:
        drifted = lessons.drifted()
        for path in drifted:
            print(f"{path.relative_to(lessons.ROOT)} is not what solutions/ gives: run python -m helpers build")
        return 1 if drifted else 0
    for path in lessons.build():
        print(path.relative_to(lessons.ROOT))
    return 0


def _run(numbers: list[str]) -> int:
    from nbclient.exceptions import CellExecutionError

    from helpers import lessons

    for number in numbers:
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
