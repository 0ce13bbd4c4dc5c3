"""A settings file as it stands: its values, and the line each of them is on.

Scope: YAML and nothing of what the settings mean. Scalars stay the text that was written, so that ``13:30`` is a time
of day, ``no`` a tenant and ``007`` keeps its zeros; the models make numbers and dates of it.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from dicom_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    import yaml

Place: TypeAlias = tuple[Hashable, ...]
"""Where a value is: names of settings and numbers in lists, outermost first."""

_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
# Here the word is a value.
_NULL_IS_TEXT = "on_invalid_value"


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """A file that was read.

    Attributes:
        path: Its path, as messages tell it.
        values: What it says: dictionaries, lists, texts and None.
        lines: The line of each value, from 1.
    """

    path: str
    values: dict[str, Any] = field(default_factory=dict)
    lines: Mapping[Place, int] = field(default_factory=dict)

    def line(self, place: Place) -> int | None:
        """Return the line of a value, or of the nearest thing around it that the file holds."""
        around = (place[:end] for end in range(len(place), 0, -1))
        return next((self.lines[found] for found in around if found in self.lines), None)

    def where(self, place: Place) -> str:
        """Return how a message names the place of a value."""
        line = self.line(place)
        return self.path if line is None else f"{self.path} line {line}"


def read_settings_file(path: Path) -> SettingsFile:
    """Read a YAML file.

    Raises:
        ConfigurationError: It cannot be read, is no YAML, or says something twice.
    """
    import yaml

    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark is not None else ""
        problem = f" ({error.problem})" if getattr(error, "problem", None) else ""  # type: ignore[union-attr]
        raise ConfigurationError(f"{path}{where}: is not valid YAML{problem}") from None
    reading = _Reading(str(path))
    values = {} if root is None else reading.value(root, ())
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path}: must hold a mapping such as 'archives: [...]'")
    return SettingsFile(str(path), values, reading.lines)


class _Reading:
    """One pass over the nodes of a file."""

    def __init__(self, path: str) -> None:
        self.lines: dict[Place, int] = {}
        self._path = path
        self._open: set[int] = set()

    def value(self, node: "yaml.Node", place: Place) -> Any:
        """Return what a node says, and note its line."""
        import yaml

        self.lines.setdefault(place, node.start_mark.line + 1)
        if id(node) in self._open:
            raise ConfigurationError(f"{self._where(node)}: an alias stands inside of what it is an alias of")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, place)
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item, (*place, number)) for number, item in enumerate(node.value)]
            return _scalar(node, place)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: "yaml.MappingNode", place: Place) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for name, key, item in self._entries(node):
            if name == "<<":
                for one in self._merged(item, place):
                    merged = {**one, **merged}
                continue
            if name in values:
                raise ConfigurationError(f"{self._where(key)}: {name!r} stands twice")
            self.lines[*place, name] = key.start_mark.line + 1
            values[name] = self.value(item, (*place, name))
        return {**merged, **values}

    def _entries(self, node: "yaml.MappingNode") -> Iterator[tuple[str, "yaml.Node", "yaml.Node"]]:
        import yaml

        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigurationError(f"{self._where(key)}: the name of a setting must be a plain word")
            yield key.value, key, item

    def _merged(self, node: "yaml.Node", place: Place) -> list[dict[str, Any]]:
        value = self.value(node, (*place, "<<"))
        merged = value if isinstance(value, list) else [value]
        if not all(isinstance(one, dict) for one in merged):
            raise ConfigurationError(f"{self._where(node)}: '<<' takes the alias of a mapping")
        return merged

    def _where(self, node: "yaml.Node") -> str:
        return f"{self._path} line {node.start_mark.line + 1}"


def _scalar(node: "yaml.Node", place: Place) -> str | None:
    text = str(node.value)
    if getattr(node, "style", None) is None and text in _NOTHING and not (place[-1:] == (_NULL_IS_TEXT,) and text):
        return None
    return text
