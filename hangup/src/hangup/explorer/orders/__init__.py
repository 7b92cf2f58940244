"""The order of ready tasks: sessions in which events of the outside come later, and the fewest that make one fail."""
