"""What shows a Report to people: its outcomes in words, as one HTML page, and as Markdown for a pull request."""
