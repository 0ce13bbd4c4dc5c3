"""What is wrong with settings, one line a problem: where it stands, and what is allowed there.

Scope: from pydantic's errors to lines for a person. Values are not repeated: a URL may hold a password.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from dicom_pipeline.settings.file import Place, SettingsFile


class PlacedError(ValueError):
    """An error of a validator that looks at several values, with the place of the one that is wrong."""

    def __init__(self, place: Place, message: str) -> None:
        self.place = place
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where settings came from.

    Attributes:
        file: The file.
        variables: The environment variable behind a value that is not the file's.
        hidden: Settings that are written by us and not offered to people.
    """

    file: SettingsFile
    variables: Mapping[Place, str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()

    def where(self, place: Place) -> str:
        """Return how a message names the source of a value."""
        for end in range(len(place), 0, -1):
            if place[:end] in self.variables:
                return self.variables[place[:end]]
        return self.file.where(place)


def told_problems(error: ValidationError, models: Mapping[str, type[BaseModel]], sources: Sources) -> list[str]:
    """Return one line a problem, in the file's order.

    Args:
        error: What pydantic found.
        models: The model of the entries of each list, by the list's name; the whole's model under ''.
        sources: Where the values came from.
    """
    errors = error.errors(include_url=False, include_input=False)
    in_order = sorted(errors, key=lambda e: sources.file.line(_place(e)) or 0)
    return [_problem(e, models, sources) for e in in_order]


def _place(error: Any) -> Place:
    raised = error.get("ctx", {}).get("error")
    return raised.place if isinstance(raised, PlacedError) else tuple(error["loc"])


def _problem(error: Any, models: Mapping[str, type[BaseModel]], sources: Sources) -> str:
    place = _place(error)
    model, name = _model_of(place, models), str(place[-1]) if place else ""
    if error["type"] == "extra_forbidden":
        message = _unknown(name, [n for n in model.model_fields if n not in sources.hidden])
    elif error["type"] == "missing":
        message = "is missing"
    elif error["type"] == "value_error":
        message = str(error["msg"]).removeprefix("Value error, ")
    else:
        message = _must_be(model, name) or str(error["msg"]).replace("Input should", "must")
    shown = ".".join(str(part) for part in place)
    return ": ".join(filter(None, (sources.where(place), shown, message)))


def _model_of(place: Place, models: Mapping[str, type[BaseModel]]) -> type[BaseModel]:
    inside = models.get(str(place[0])) if len(place) > 2 else None
    return inside or models[""]


def _unknown(name: str, allowed: list[str]) -> str:
    near = difflib.get_close_matches(name, allowed, 1)
    meant = f" did you mean {near[0]}?" if near else ""
    return f"is no setting;{meant} allowed here: {', '.join(allowed)}"


def _must_be(model: type[BaseModel], name: str) -> str | None:
    """Say what a setting may be, from the model's own description of itself."""
    document = model.model_json_schema()
    described = document["properties"].get(name)
    if described is None:
        return None
    choices = [c for c in described.get("anyOf", [described]) if c.get("type") != "null"]
    choice: dict[str, Any] = choices[0]
    if "$ref" in choice:
        choice = document["$defs"][choice["$ref"].rpartition("/")[2]]
    if "enum" in choice:
        return f"must be one of: {', '.join(map(str, choice['enum']))}"
    if "minimum" in choice and "maximum" in choice:
        kind = "a whole number" if choice.get("type") == "integer" else "a number"
        return f"must be {kind} from {choice['minimum']} to {choice['maximum']}"
    words = {"boolean": "true or false", "string": "a text", "array": "a list", "object": "a mapping"}
    return f"must be {words[choice['type']]}" if choice.get("type") in words else None
