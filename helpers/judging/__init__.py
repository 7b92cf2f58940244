"""What an answer is and how it is judged: by the explorer first, then on real servers."""
