"""The bug hunt: what grades the checks and the fixes of twelve files, one module a file."""
