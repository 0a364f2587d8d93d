"""The expressions of GitHub's workflows, as far as those of this repository use them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||==|!=|[!(),]|[A-Za-z_][\w.-]*|\d+)")
_STATUS = {"success", "failure", "always", "cancelled"}
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


class Expressions:
    """Evaluates in a context: ``github``, ``matrix``, ``needs`` and so on, and whether all is well so far."""

    def __init__(self, context: Mapping[str, Any], *, is_well: bool) -> None:
        self._context = context
        self._functions: dict[str, Callable[..., Any]] = {
            "success": lambda: is_well,
            "failure": lambda: not is_well,
            "always": lambda: True,
            "cancelled": lambda: False,
            "fromJSON": json.loads,
        }

    def filled(self, value: Any) -> Any:
        """A value of the file with its expressions evaluated: one alone keeps its type."""
        match value:
            case dict():
                return {key: self.filled(item) for key, item in value.items()}
            case list():
                return [self.filled(item) for item in value]
            case str():
                if (whole := _EXPRESSION.fullmatch(value.strip())) and "${{" not in whole[1]:
                    return self.evaluate(whole[1])
                return _EXPRESSION.sub(lambda found: _text(self.evaluate(found[1])), value)
            case _:
                return value

    def holds(self, condition: str | None) -> bool:
        """Of an ``if``: what does not ask how it went so far holds only where all is well."""
        text = (condition or "success()").strip()
        whole = _EXPRESSION.fullmatch(text)
        text = whole[1] if whole else text
        asks = any(re.search(rf"\b{name}\(", text) for name in _STATUS)
        return bool(self.evaluate(text)) and (asks or bool(self._functions["success"]()))

    def evaluate(self, text: str) -> Any:
        """The value of an expression; one that is not understood is an error."""
        tokens = _TOKEN.findall(text)
        assert "".join(tokens) == re.sub(r"\s", "", text) or "'" in text, f"not understood: {text}"
        value, rest = self._either(tokens)
        assert not rest, f"not understood: {text}"
        return value

    def _either(self, tokens: list[str]) -> tuple[Any, list[str]]:
        value, rest = self._both(tokens)
        while rest and rest[0] == "||":
            other, rest = self._both(rest[1:])
            value = value or other
        return value, rest

    def _both(self, tokens: list[str]) -> tuple[Any, list[str]]:
        value, rest = self._equal(tokens)
        while rest and rest[0] == "&&":
            other, rest = self._equal(rest[1:])
            value = value and other
        return value, rest

    def _equal(self, tokens: list[str]) -> tuple[Any, list[str]]:
        value, rest = self._one(tokens)
        if rest and rest[0] in {"==", "!="}:
            other, after = self._one(rest[1:])
            return (_text(value) == _text(other)) is (rest[0] == "=="), after
        return value, rest

    def _one(self, tokens: list[str]) -> tuple[Any, list[str]]:
        first, *rest = tokens
        if first == "!":
            value, rest = self._one(rest)
            return not value, rest
        if first == "(":
            value, rest = self._either(rest)
            return value, rest[1:]
        if first.startswith("'"):
            return first[1:-1].replace("''", "'"), rest
        if first in {"true", "false"}:
            return first == "true", rest
        if rest and rest[0] == "(":
            given = []
            rest = rest[1:]
            while rest[0] != ")":
                value, rest = self._either(rest)
                given.append(value)
                rest = rest[1:] if rest[0] == "," else rest
            return self._functions[first](*given), rest[1:]
        return self._look_up(first), rest

    def _look_up(self, name: str) -> Any:
        found: Any = self._context
        for part in name.split("."):
            found = found.get(part, "") if isinstance(found, dict) else ""
        return found


def _text(value: Any) -> str:
    return (
        {True: "true", False: "false", None: ""}.get(value) or str(value)
        if isinstance(value, bool | None)
        else str(value)
    )
