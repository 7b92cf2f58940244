"""What clients do, as the command is told: in words, or in a file."""
