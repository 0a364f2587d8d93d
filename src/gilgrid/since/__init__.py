"""What newer Pythons have: ``pytest --gilgrid`` is for tests that run with 3.9 and 3.10 as well.

Each module has the name of the one that it stands in for. The command itself needs 3.11.
"""
