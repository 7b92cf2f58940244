"""`python -m hangup` is the command `hangup`."""

from hangup.cli import command

if __name__ == "__main__":
    command()
