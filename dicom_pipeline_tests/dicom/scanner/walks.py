"""One file through one scanner, held to the careful reader at once.

Scope: what the tests of the walks share. Whatever a scanner takes must be what the careful reader reads; whether it
takes a file at all is what each test says.
"""

from collections.abc import Sequence

from dicom_pipeline.dicom.header import Header
from dicom_pipeline.dicom.scanner.noted import Noted, Status
from dicom_pipeline_tests.dicom.streams import dicom_file, plain_data_set, read, values
from dicom_pipeline_tests.fuzz.compare import all_scanners

MANY = 12
"""Files at once for which the scan in pure Python walks in lockstep."""

WAYS = [(name, count) for name in all_scanners() for count in (1, MANY)]
_OTHER_FILE = dicom_file(plain_data_set())


class Walker:
    """A scanner that is given each file ``copies`` times, among others; see ``WAYS``."""

    def __init__(self, name: str, copies: int) -> None:
        self.name, self._copies = name, copies
        self._scanner = all_scanners()[name]

    def header(self, data: bytes) -> Header | None:
        """Return what is noted of a file, which is what the careful reader says; None if the file is left to it."""
        noted = self._scanner.scan_bytes([data, *[_OTHER_FILE, data] * (self._copies - 1)])
        copies = [noted_header(noted, number) for number in range(0, 2 * self._copies - 1, 2)]
        # Later copies are left where long values have taken all room.
        assert all(copy in (copies[0], None) for copy in copies)
        if copies[0] is not None:
            assert copies[0] == read(data)
        return copies[0]

    def takes(self, data: bytes) -> bool:
        """Tell whether the scanner takes a file, and then says the same as the careful reader."""
        return self.header(data) is not None

    def taken_values(self, data: bytes) -> dict[int, bytes]:
        """Return the values of a file that the scanner has to take."""
        header = self.header(data)
        assert header is not None
        return values(header)

    def headers(self, files: Sequence[bytes]) -> list[Header | None]:
        """Return what is noted of many files at once."""
        noted = self._scanner.scan_bytes(list(files))
        return [noted_header(noted, number) for number in range(len(files))]


def noted_header(noted: Noted, number: int) -> Header | None:
    """Return the header of a PLAIN file, None of any other."""
    return noted.header(number) if noted.status[number] == Status.PLAIN else None
