"""Placeholder until the loop is written."""

from __future__ import annotations
import math

class Prover:
    def __init__(self, spec, supervisor): pass
    def look(self, channel): return math.inf
    def last_look(self, channel):
        channel.say({"seen": {}})
        return math.inf
