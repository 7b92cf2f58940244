"""The matrix: what each server does in every ending, asked of the server itself, beside what the specification says.

- `asked` is the app that it serves, `asking` runs the server's own command and is its clients
- `commands` knows the command lines, and makes environments of older releases
- `answers` turns logs into words, the words of `hangup models`; `specification` has the sentence for each question
- `rows` keeps what was measured, as JSON in `measured/`, and shows it as a table, as HTML, against another
"""
