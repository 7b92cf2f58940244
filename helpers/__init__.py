"""The course: its exercises, the judging of answers, what single lessons play with, and lessons as files."""
