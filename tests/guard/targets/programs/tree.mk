# make, with shells below it: `sleeps` ends by itself, `hangs` does not unless ARGUMENTS is --fixed.
sleeps: one two
	@echo done
one two:
	@sleep 3; true
hangs:
	@"$(PYTHON)" "$(PROGRAMS)/locks.py" lock-twice $(ARGUMENTS); true
