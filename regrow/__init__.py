"""The loop and the doors: tasks, rounds, evaluation, trace store, report, command line."""
