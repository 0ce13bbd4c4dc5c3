"""The reader that takes any file: bytes of one file to its ``Header``.

Scope: putting together what finds the beginning (``encoding.py``) and what finds the elements (``walker.py``), and
fetching the values. pydicom supplies the data dictionary, the VRs and the transfer syntaxes; its parser is not used,
because it recurses into sequences, inflates without bound, and drops a cut tail without a word.
"""

from typing import BinaryIO

from dicom_pipeline.dicom.encoding import TRANSFER_SYNTAX_UID, find_beginning, starts, uid_text
from dicom_pipeline.dicom.frames import Place
from dicom_pipeline.dicom.header import MAX_VALUE_BYTES, Element, Header, HeaderError
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.dicom.source import Deadline, FileSource, Source
from dicom_pipeline.dicom.walker import Walk

DEFAULT_SECONDS = 10.0


class PydicomReader:
    """Reads headers of files of any content at bounded cost; safe to share between threads.

    Args:
        seconds: Longest time one file may take.
        deadline: What happens after it: the file is refused, or left to another reader (``Moment``).
    """

    def __init__(self, seconds: float = DEFAULT_SECONDS, deadline: type[Deadline] = Deadline) -> None:
        self._seconds = seconds
        self._deadline = deadline

    def read(self, stream: BinaryIO, size: int) -> Header:
        """Read the header of a file of ``size`` bytes, whatever its content.

        Raises:
            HeaderError: EmptyFile for no bytes; NotDicom; Unreadable if it is DICOM but ends inside an element or
                cannot be followed before everything wanted was read; LimitExceeded.
            OutOfTime: The deadline is a ``Moment``, and over.
            OSError: The operating system could not read.
        """
        deadline = self._deadline(self._seconds)
        file = FileSource(stream, size)
        if not file.peek(0):
            raise HeaderError(Reason.EMPTY_FILE)
        beginning = find_beginning(file)
        source, candidates = starts(file, beginning)
        found = Walk(source, candidates, deadline).run()
        places = {tag: place for tag, place in found.places.items() if place is not None}
        in_data_set = places.pop(TRANSFER_SYNTAX_UID, None)
        uid = beginning.transfer_syntax_uid
        if uid is None and in_data_set is not None:
            uid = uid_text(source, in_data_set.offset, in_data_set.length)
        elements = {tag: _element(source, place) for tag, place in places.items()}
        return Header(elements, found.encoding.little_endian, uid)


def _element(source: Source, place: Place) -> Element:
    length = min(place.length, MAX_VALUE_BYTES)
    value = source.read(place.offset, length)
    if len(value) < length:
        raise HeaderError(Reason.UNREADABLE)
    return Element(place.vr, value)
