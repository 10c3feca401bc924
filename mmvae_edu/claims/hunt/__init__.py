"""The bug hunt: graders of the checks and fixes of twelve files, one module a file."""
