"""Notebooks in work/ and notebooks/ hold answers: pytest judges them; those in solutions/ are compared by nbval."""

pytest_plugins = ("helpers.grading.pytest_plugin",)
