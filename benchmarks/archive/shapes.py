"""How large and of what kind things are in a real archive: the frequencies of ``shapes.json``.

Scope: reading that file and drawing from it. What is drawn becomes a plan in ``plan.py`` and attributes in
``content.py``.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any


@dataclass(frozen=True, slots=True)
class Weighted:
    """Things with their relative frequencies."""

    things: tuple[Any, ...]
    weights: tuple[float, ...]

    def draw(self, random: Random) -> Any:
        """Return one of the things."""
        return random.choices(self.things, self.weights)[0]


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A distribution of positive whole numbers by some of its quantiles: probabilities from 0, and their values."""

    probabilities: tuple[float, ...]
    values: tuple[int, ...]

    def draw(self, random: Random) -> int:
        """Return a number, between two quantiles evenly by its logarithm; never above the last one."""
        wanted = random.uniform(0, self.probabilities[-1])
        upper = next(i for i, p in enumerate(self.probabilities) if p >= wanted and i)
        low, high = self.probabilities[upper - 1], self.probabilities[upper]
        share = (wanted - low) / (high - low)
        logarithm = math.log(self.values[upper - 1]) * (1 - share) + math.log(self.values[upper]) * share
        return round(math.exp(logarithm))


@dataclass(frozen=True, slots=True)
class ModalityShape:
    """What series of one modality are like."""

    series_a_study: Quantiles
    instances_a_series: Quantiles
    manufacturers: Weighted
    models: Weighted
    body_parts: Weighted
    sop_class: str


@dataclass(frozen=True, slots=True)
class Shapes:
    """All of ``shapes.json``.

    Attributes:
        studies: Which modalities a study has, as tuples, the main one first.
        modalities: What their series are like.
        absent: Share of series without an attribute, by its keyword.
        lengths: Lengths of texts in characters, by keyword.
        transfer_syntaxes: Share of files of each transfer syntax.
        character_sets: Specific Character Set of patients, '' for none.
    """

    studies: Weighted
    modalities: Mapping[str, ModalityShape]
    absent: Mapping[str, float]
    lengths: Mapping[str, Quantiles]
    transfer_syntaxes: Weighted
    character_sets: Weighted


@cache
def load_shapes() -> Shapes:
    """Read ``shapes.json``."""
    raw = json.loads(files("benchmarks.archive").joinpath("shapes.json").read_text(encoding="utf-8"))
    return Shapes(
        studies=_weighted([(tuple(study["modalities"]), study["share"]) for study in raw["studies"]]),
        modalities={name: _modality(shape) for name, shape in raw["modalities"].items()},
        absent=raw["absent"],
        lengths={keyword: _quantiles(pairs) for keyword, pairs in raw["lengths"].items()},
        transfer_syntaxes=_weighted(list(raw["transfer_syntaxes"].items())),
        character_sets=_weighted(list(raw["character_sets"].items())),
    )


def _modality(raw: Mapping[str, Any]) -> ModalityShape:
    return ModalityShape(
        _quantiles(raw["series_a_study"]),
        _quantiles(raw["instances_a_series"]),
        _weighted(raw["manufacturers"]),
        _weighted(raw["models"]),
        _weighted(raw["body_parts"]),
        raw["sop_class"],
    )


def _weighted(pairs: Sequence[tuple[Any, float]]) -> Weighted:
    things, weights = zip(*pairs, strict=True)
    return Weighted(things, weights)


def _quantiles(pairs: Sequence[tuple[float, int]]) -> Quantiles:
    probabilities, values = zip(*pairs, strict=True)
    return Quantiles(probabilities, values)
