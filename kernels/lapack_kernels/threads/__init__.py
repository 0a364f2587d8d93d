"""Python threads that share a batch: how many of them work at once depends on who releases the GIL."""
