"""What runs a learner's answers without him: on the command line, and in the CI of a fork."""
