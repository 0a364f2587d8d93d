"""What /proc, the memory and the stacks of running processes say; see `collect`."""
