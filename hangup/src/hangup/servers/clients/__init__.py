"""The clients of a script: what they accept as an answer, how they ask for a connection, their HTTP requests."""
