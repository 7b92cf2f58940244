"""What each lesson asks: a module per lesson, a folder where it needs several, each with `ex1`, `ex2` and so on.

How an answer is judged is in `helpers.judging`, the rules that hold for every app in `hangup.record.rules`.
"""
