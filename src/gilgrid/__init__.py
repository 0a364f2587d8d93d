"""gilgrid builds a native extension against every pair of versions and says which pairs hang, and why."""
