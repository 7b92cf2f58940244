"""Where a learner works: copies of the lessons that are renewed and never overwritten, and what runs his answers."""
