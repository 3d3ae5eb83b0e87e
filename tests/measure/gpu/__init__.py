"""What scripts/gpu_check.py measures, a file a subject; each gives rows of a table."""
