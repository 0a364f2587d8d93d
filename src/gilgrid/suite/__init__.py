"""``pytest --gilgrid``: a test suite that cannot hang."""
