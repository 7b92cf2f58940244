"""What an answer is and how it is judged: by the explorer first, then on real servers.

`exercise` is what a lesson calls; `app_exercise` and `client_exercise` say how an answer of their kind is tried;
`answers` says what cannot be an answer, `values` what clients say, `verdict` what a check says, `moment` when and where
something broke, and `patience` how long a check waits.
"""
