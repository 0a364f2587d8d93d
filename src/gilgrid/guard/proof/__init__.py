"""From what was observed of threads to who can never run again, and why; pure: see `fixed_point`."""
