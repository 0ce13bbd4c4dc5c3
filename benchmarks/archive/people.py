"""Made-up patients.

Scope: the attributes of a patient, the same in all of a patient's studies, in the patient's character set. Names are
common ones put together by chance.
"""

from dataclasses import dataclass
from random import Random

_FAMILY = {
    "": ("SMITH", "GARCIA", "NOVAK", "DE VRIES", "ROSSI", "KIM", "OKAFOR", "JENSEN"),
    "ISO_IR 100": ("Müller", "Lefèvre", "Sørensen", "Núñez", "Ågren", "Weiß", "Smith", "Conceição"),
    "ISO_IR 192": ("Dvořák", "Łukasiewicz", "Иванова", "Παπαδόπουλος", "Öztürk", "王", "Smith", "Nguyễn"),
    "\\ISO 2022 IR 87": ("Yamada", "Suzuki", "Tanaka", "Kobayashi"),
}
_GIVEN = ("ANNA", "Jean Luc", "Maria", "LI", "Thomas", "Ida", "O.", "Peter^J.")
_KANJI = ("山田^太郎", "鈴木^花子", "田中^一郎", "小林^美咲")
_CODECS = {"": "ascii", "ISO_IR 100": "latin-1", "ISO_IR 192": "utf-8", "\\ISO 2022 IR 87": "iso2022_jp"}


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient's attributes as they stand in headers, names encoded."""

    identifier: bytes
    name: bytes
    birth_date: bytes
    sex: bytes


def make_patient(seed: int, number: int, character_set: str) -> Patient:
    """Return patient ``number``, always the same."""
    random = Random(f"{seed}/patient/{number}")
    identifier = f"{random.choice(('', 'PAT', 'H-', '00'))}{number + 100_000}"
    # Some systems pad an identifier with blanks, before or behind.
    identifier = random.choices((identifier, f" {identifier}", f"{identifier}  "), (94, 3, 3))[0]
    birth = f"{random.randint(1930, 2020)}{random.randint(1, 12):02}{random.randint(1, 28):02}"
    return Patient(
        identifier.encode(),
        _name(random, character_set).encode(_CODECS[character_set]),
        random.choices((birth, "", birth[:4]), (95, 4, 1))[0].encode(),
        random.choice((b"F", b"M", b"F", b"M", b"F", b"M", b"O", b"")),
    )


def _name(random: Random, character_set: str) -> str:
    family = random.choice(_FAMILY[character_set])
    name = f"{family}^{random.choice(_GIVEN)}"
    if "87" in character_set:
        # An ideographic group, whose escape sequences are in the codec (PS3.5 H).
        return f"{name}={random.choice(_KANJI)}"
    return name
