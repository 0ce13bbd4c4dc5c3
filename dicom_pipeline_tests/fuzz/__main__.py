"""The fuzzer's command: damaged files for some minutes, the same ones for the same seed.

Scope: the loop, what is counted, and what is kept of a difference. Run it with ``make fuzz``.
"""

import argparse
import secrets
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from dicom_pipeline.dicom.records import OnInvalidValue
from dicom_pipeline_tests.fuzz.compare import Comparer, Comparison, all_scanners
from dicom_pipeline_tests.fuzz.generate import made_up_file
from dicom_pipeline_tests.fuzz.mutate import Mutant, mutant
from dicom_pipeline_tests.fuzz.seeds import Seed, seeds

BATCH = 64
ROWS_EVERY = 16
"""Every so many batches whole rows are compared, under one policy after the other."""
MADE_UP_SEEDS = 200
_FRESH = 0.1
_REPORT_SECONDS = 30.0


def main() -> int:
    """Fuzz until the time is over; return 1 if there was any difference."""
    options = _options()
    scanners = " and ".join(all_scanners())
    say(f"seed {options.seed}, {options.minutes} minutes, {scanners}; files that differ go to {options.keep}")
    fuzzer = _Fuzzer(options.seed, options.keep)
    end = time.monotonic() + 60 * options.minutes
    told = time.monotonic()
    number = options.batch
    while time.monotonic() < end:
        fuzzer.run(number)
        number += 1
        if time.monotonic() - told > _REPORT_SECONDS:
            told = time.monotonic()
            say(fuzzer.summary())
    say(fuzzer.summary())
    return int(fuzzer.counts["differences"] > 0)


def say(line: str) -> None:
    """Write a line to whoever watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare the scanners with the careful reader on damaged files.")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", default=secrets.token_hex(4), help="the same seed makes the same files")
    parser.add_argument("--batch", type=int, default=0, help="the batch to begin with, to see one again")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "dicom-pipeline-fuzz")
    return parser.parse_args()


class _Fuzzer:
    """Batches of damaged files, each made of the seed and its number alone."""

    def __init__(self, seed: str, keep: Path) -> None:
        self._seed, self._keep = seed, keep
        self._seeds = seeds(Random(seed), MADE_UP_SEEDS)
        self._comparer = Comparer()
        self.counts: Counter[str] = Counter(seeds=len(self._seeds))

    def run(self, number: int) -> None:
        """Make and compare one batch."""
        batch = list(self._batch(Random(f"{self._seed} {number}")))
        files = [made.data for _, made in batch]
        if number % ROWS_EVERY:
            compared = self._comparer.notes(files)
        else:
            policy = list(OnInvalidValue)[number // ROWS_EVERY % len(OnInvalidValue)]
            with tempfile.TemporaryDirectory() as folder:
                compared = self._comparer.rows(Path(folder), files, policy)
            self.counts["rows"] += len(files)
        self._count(number, compared, batch)

    def _batch(self, random: Random) -> list[tuple[str, Mutant]]:
        """Return files with the names of what they came from; half of them from one, as series lie together."""
        if random.random() < _FRESH:
            return [("nothing", Mutant(made_up_file(random), [])) for _ in range(BATCH)]
        common = random.choice(self._seeds)
        return [self._mutant(random, common if random.random() < 0.5 else None) for _ in range(BATCH)]

    def _mutant(self, random: Random, common: Seed | None) -> tuple[str, Mutant]:
        seed = common or random.choice(self._seeds)
        return seed.name, mutant(random, seed, self._seeds)

    def _count(self, number: int, compared: Comparison, batch: list[tuple[str, Mutant]]) -> None:
        self.counts.update(compared.plain)
        self.counts["files"] += len(batch)
        self.counts["too slow"] += compared.slow
        self.counts["differences"] += len(compared.differences)
        for difference in compared.differences:
            name, made = batch[difference.file]
            kept = self._keep / f"{self._seed}-{number}-{difference.file}.dcm"
            self._keep.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(made.data)
            say(f"DIFFERENCE: {difference.what}\n  from {name}: {'; '.join(made.changes)}\n  kept as {kept}")

    def summary(self) -> str:
        """Return the counts as one line."""
        return ", ".join(f"{name} {count}" for name, count in self.counts.items())


if __name__ == "__main__":
    sys.exit(main())
