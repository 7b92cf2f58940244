"""What hangup's README shows, made anew: `python -m support.readme`, in hangup/tests, writes outputs and picture.

Its first Python block is chat.py, its second listener.py. Below each line `$ hangup ...` stands what that prints.
"""

import io
import re
import shlex
import sys
import tempfile
from contextlib import chdir, redirect_stdout
from pathlib import Path

from hangup import replay
from hangup.cli import main
from hangup.cli.loading import load
from hangup.trace.picture import svg

ROOT = Path(__file__).parent.parent.parent
README, PICTURE = ROOT / "README.md", ROOT / "docs" / "chat.svg"
SCHEDULE = "uvicorn/close@send#2"


def blocks(text: str, language: str) -> list[str]:
    """Return the text of each block in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def printed(command: str) -> str:
    """Run a `hangup ...` in this process and return what it prints, but for what it says of the releases installed."""
    with redirect_stdout(io.StringIO()) as out:
        main(shlex.split(command)[1:])
    doubted = re.sub(r"^.* is installed here[,;] .*\n", "", out.getvalue(), flags=re.MULTILINE)
    return doubted.replace(", not installed here", "")


def in_a_folder_with_its_files(text: str, folder: Path) -> None:
    """Write the README's two files."""
    for name, block in zip(("chat.py", "listener.py"), blocks(text, "python"), strict=False):
        (folder / name).write_text(block, encoding="utf-8")


def written_anew(text: str) -> str:
    """Return the README with the output that each of its commands has now; call it where its files are."""
    return re.sub(
        r"^```console\n\$ (hangup .*)\n(?:.*\n)*?```$",
        lambda found: f"```console\n$ {found[1]}\n{printed(found[1])}```",
        text,
        flags=re.MULTILINE,
    )


def picture() -> str:
    """Return the SVG of one schedule of the chat; call it where the README's files are."""
    return svg(replay(load("chat:app", "app", sys.exit), SCHEDULE, path="/chat").trace.run) + "\n"


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        in_a_folder_with_its_files(text, Path(folder))
        README.write_text(written_anew(text), encoding="utf-8")
        PICTURE.write_text(picture(), encoding="utf-8")
