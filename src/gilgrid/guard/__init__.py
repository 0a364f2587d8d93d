"""Runs one command out of gilgrid's reach to hang with it, and ends all of it when it is over."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as typing has it, whose import costs the supervisor 4 ms
if TYPE_CHECKING:
    from gilgrid.guard.attach import examine
    from gilgrid.guard.command import Command, Ending, Leftover, cancel_all, run
    from gilgrid.guard.protocol import End

_OF_COMMAND = ("Command", "End", "Ending", "Leftover", "cancel_all", "run")
_MODULES = {"examine": "attach", **dict.fromkeys(_OF_COMMAND, "command")}

__all__ = ["Command", "End", "Ending", "Leftover", "cancel_all", "examine", "run"]


def __getattr__(name: str) -> object:
    # The supervisor imports this package as well, and must start in milliseconds: what only the
    # client needs is imported when it is asked for (PEP 562).
    if name in _MODULES:
        return getattr(import_module(f"gilgrid.guard.{_MODULES[name]}"), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
