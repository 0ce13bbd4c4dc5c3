# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False, cdivision=True
"""The walk over ordinary files, compiled.

Scope: the same walk as ``pure.py``, and the reading of the files it walks over, without Python objects and without the
global lock. Every access to bytes of a file goes through a bounds-checked view of the window that holds them. A file is
PLAIN only if ``walker.py`` would go the same way without a doubt; anything else is ODD, and that is all that is said.
"""

import numpy as np

cdef extern from "_system.h" nogil:
    int open_beneath(int root, const char *path, const char *prefix, size_t prefix_length)
    int regular_status(int file, long long *size, long long *modified)
    long read_cached(int file, unsigned char *into, size_t length, long long offset)
    long read_fully(int file, unsigned char *into, size_t length, long long offset)

cdef extern from "fcntl.h" nogil:
    int posix_fadvise(int file, long long offset, long long length, int advice)
    int POSIX_FADV_RANDOM
    int POSIX_FADV_WILLNEED

cdef extern from "unistd.h" nogil:
    int close(int file)

from libc.string cimport memcmp, memcpy

ctypedef unsigned char byte
ctypedef unsigned int word
ctypedef long long place

cdef enum:
    # Statuses, as noted.Status.
    PLAIN = 0
    ODD = 1
    DEFLATED = 2
    # Encodings of a data set (PS3.5 A).
    EXPLICIT_LITTLE = 0
    IMPLICIT_LITTLE = 1
    EXPLICIT_BIG = 2
    DEFLATED_LITTLE = 3
    BLOCK = 16384
    REFILLS = 4096
    META_ELEMENTS = 256
    DEPTH = 64
    IN_FLIGHT = 64
    LONGEST_PATH = 4096
    SHORT_HEADER = 8
    LONG_HEADER = 12
    PREFIX_END = 132

cdef word UNDEFINED = 0xFFFFFFFF
cdef place UNKNOWN = -0x7FFFFFFFFFFFFFFF - 1
cdef word ITEM = 0xFFFEE000
cdef word ITEM_DELIMITER = 0xFFFEE00D
cdef word SEQUENCE_DELIMITER = 0xFFFEE0DD


cdef class Scan:
    """A scanner's working memory; one thread at a time.

    Args:
        slots: The wanted tags, ascending, uint32; the first is (0002,0010).
        known: Every tag of the data dictionary, ascending, uint32.
        lengths: For each pair of letters ``26 * first + second`` the bytes its length takes as a VR: 2, 4, or 0 where it
            is none, uint8, shape (676,).
        syntaxes: Transfer Syntax UIDs that are not Explicit VR Little Endian, with ``EXPLICIT_BIG``, … of each.
        in_flight: Files that may be open at once, waiting for a disk; at most 64.
    """

    cdef int in_flight
    cdef const word[::1] slots
    cdef const word[::1] known
    cdef const byte[::1] vr_lengths
    cdef byte[:, ::1] syntaxes
    cdef int[::1] syntax_lengths
    cdef int[::1] syntax_encodings
    # The window on the file: `block[0:filled]` are its bytes from `start`; without a file it holds all there is.
    cdef const byte[::1] block
    cdef byte[::1] scratch
    cdef place start, filled, size
    cdef bint whole
    cdef int file, refills
    # Where the File Meta Information ends by its own length; 0 if that is not told.
    cdef place stated_end
    # Open sequences and items: what they are, how they are encoded, the last tag around them.
    cdef byte[::1] is_sequence
    cdef int[::1] encoding
    cdef place[::1] resumed
    # The bytes of the element header looked at last, and what they say.
    cdef byte raw[LONG_HEADER]
    cdef word tag, length
    cdef place value
    cdef int vr
    # What is noted.
    cdef byte[::1] buffer
    cdef place used
    cdef byte[::1] status
    cdef place[:, ::1] offsets
    cdef int[:, ::1] lengths
    cdef unsigned short[:, ::1] vrs
    cdef byte[::1] big_endian
    cdef place[::1] sizes

    def __init__(self, slots, known, lengths, syntaxes, int in_flight):
        self.in_flight = min(max(in_flight, 1), IN_FLIGHT)
        self.slots = slots
        self.known = known
        self.vr_lengths = lengths
        self.syntaxes = np.zeros((len(syntaxes), 64), np.uint8)
        self.syntax_lengths = np.array([len(uid) for uid in syntaxes], np.intc)
        self.syntax_encodings = np.array(list(syntaxes.values()), np.intc)
        for number, uid in enumerate(syntaxes):
            np.asarray(self.syntaxes)[number, : len(uid)] = np.frombuffer(uid, np.uint8)
        self.scratch = np.empty(BLOCK, np.uint8)
        self.is_sequence = np.zeros(DEPTH, np.uint8)
        self.encoding = np.zeros(DEPTH, np.intc)
        self.resumed = np.zeros(DEPTH, np.int64)

    def note_into(self, buffer, status, offsets, lengths, vrs, big_endian, sizes):
        """Take the arrays of a batch; their shapes are those of ``Noted``. The buffer is filled from its beginning."""
        self.buffer, self.used = buffer, 0
        self.status, self.offsets, self.lengths, self.vrs = status, offsets, lengths, vrs
        self.big_endian, self.sizes = big_endian, sizes

    def read_files(
        self,
        int root,
        const byte[::1] prefix,
        const byte[::1] paths,
        const int[::1] ends,
        const place[::1] sizes,
        const place[::1] modified,
    ):
        """Read and walk over files; whatever is not as listed is ODD.

        Args:
            root: Descriptor of the archive's root.
            prefix: Real path of the root with a slash behind it.
            paths: The files' paths below the root, one behind the other.
            ends: ``paths[ends[i]:ends[i + 1]]`` is the path of file i.
            sizes: Bytes of each file as listed.
            modified: Time of modification of each file as listed, nanoseconds since 1970.
        """
        cdef Py_ssize_t count = sizes.shape[0], first
        with nogil:
            first = 0
            while first < count:
                self._read_group(root, prefix, paths, ends, sizes, modified, first, min(count, first + self.in_flight))
                first += self.in_flight

    def walk_bytes(self, Py_ssize_t number, const byte[::1] data, bint whole):
        """Walk over a data set in memory, Explicit VR Little Endian from its first byte; note it as file ``number``.

        Args:
            number: Its place in the arrays.
            data: The data set, or its beginning.
            whole: Whether ``data`` is all of it.
        """
        self._look_at(data, whole)
        with nogil:
            self.status[number] = self._walk(number, 0, EXPLICIT_LITTLE)

    def walk_file(self, Py_ssize_t number, const byte[::1] data):
        """Walk over a whole file in memory; note it as file ``number``."""
        self._look_at(data, True)
        with nogil:
            self.status[number] = self._walk_file(number)

    cdef int _look_at(self, const byte[::1] data, bint whole) except -1:
        self.block = data
        self.start, self.filled, self.size = 0, data.shape[0], data.shape[0]
        self.whole, self.file, self.refills = whole, -1, 0
        return 0

    # Reading.

    cdef int _read_group(
        self,
        int root,
        const byte[::1] prefix,
        const byte[::1] paths,
        const int[::1] ends,
        const place[::1] sizes,
        const place[::1] modified,
        Py_ssize_t first,
        Py_ssize_t last,
    ) except -1 nogil:
        """Walk at once over what the page cache holds; have the rest fetched all together, then walk over that."""
        cdef int waiting[IN_FLIGHT]
        cdef Py_ssize_t number
        cdef int file
        cdef long got
        for number in range(first, last):
            waiting[number - first] = -1
            self.status[number] = ODD
            file = self._open(root, prefix, paths, ends[number], ends[number + 1])
            if file < 0:
                continue
            # Nothing is read ahead: behind the header come pixels nobody asked for.
            posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM)
            got = read_cached(file, &self.scratch[0], BLOCK, 0)
            if not self._is_as_listed(file, number, sizes, modified):
                close(file)
            elif got == min(<place>BLOCK, self.sizes[number]):
                self._take(file, number, got, sizes, modified)
            else:
                posix_fadvise(file, 0, BLOCK, POSIX_FADV_WILLNEED)
                waiting[number - first] = file
        for number in range(first, last):
            file = waiting[number - first]
            if file < 0:
                continue
            got = read_fully(file, &self.scratch[0], BLOCK, 0)
            if self._is_as_listed(file, number, sizes, modified):
                self._take(file, number, got, sizes, modified)
            else:
                close(file)
        return 0

    cdef int _open(
        self, int root, const byte[::1] prefix, const byte[::1] paths, Py_ssize_t begin, Py_ssize_t end
    ) except -2 nogil:
        cdef char name[LONGEST_PATH]
        cdef Py_ssize_t length = end - begin, index
        if length <= 0 or length >= LONGEST_PATH or begin < 0 or end > paths.shape[0]:
            return -1
        for index in range(length):
            name[index] = <char>paths[begin + index]
            if name[index] == 0:
                return -1
        name[length] = 0
        return open_beneath(root, name, <const char *>&prefix[0], prefix.shape[0])

    cdef bint _is_as_listed(
        self, int file, Py_ssize_t number, const place[::1] sizes, const place[::1] modified
    ) except -1 nogil:
        cdef place size = 0, time = 0
        if regular_status(file, &size, &time) != 0:
            return False
        self.sizes[number] = size
        if sizes[number] != UNKNOWN and sizes[number] != size:
            return False
        return modified[number] == UNKNOWN or modified[number] == time

    cdef int _take(
        self, int file, Py_ssize_t number, long got, const place[::1] sizes, const place[::1] modified
    ) except -1 nogil:
        """Walk over an open file whose first block is in ``scratch``, read while it was as listed, and close it."""
        cdef int found = ODD
        cdef place size = self.sizes[number]
        if got == min(<place>BLOCK, size):
            self.block = self.scratch
            self.start, self.filled, self.size = 0, got, size
            self.whole, self.file = True, file
            found = self._walk_file(number)
            # Somebody may have written before other blocks were read: the values would be of two versions.
            if self.refills and (not self._is_as_listed(file, number, sizes, modified) or self.sizes[number] != size):
                found = ODD
        close(file)
        self.status[number] = found
        return 0

    cdef Py_ssize_t _reach(self, place position, place count) except -2 nogil:
        """Return where in the window ``count`` bytes from ``position`` are, moving it if need be; -1 if they cannot be had.
        """
        cdef long got
        cdef place wanted
        if position >= self.start and position + count <= self.start + self.filled:
            return position - self.start
        if self.file < 0 or count > BLOCK or position + count > self.size or self.refills >= REFILLS:
            return -1
        self.refills += 1
        wanted = min(<place>BLOCK, self.size - position)
        got = read_fully(self.file, &self.scratch[0], wanted, position)
        self.start, self.filled = position, max(0, got)
        return 0 if got == wanted else -1

    # Walking.

    cdef int _walk_file(self, Py_ssize_t number) except -1 nogil:
        """Pass preamble, prefix and File Meta Information (PS3.10 7.1), then the data set."""
        cdef place position = PREFIX_END
        cdef Py_ssize_t at
        cdef int encoding
        self.refills = 0
        if self.size < PREFIX_END:
            return ODD
        at = self._reach(PREFIX_END - 4, 4)
        if at < 0 or not (
            self.block[at] == 68 and self.block[at + 1] == 73 and self.block[at + 2] == 67 and self.block[at + 3] == 77
        ):
            return ODD
        position = self._pass_file_meta(number)
        if position < 0:
            return ODD
        encoding = self._declared_encoding(number)
        if encoding < 0:
            return ODD
        if encoding != DEFLATED_LITTLE:
            return self._walk(number, position, encoding)
        if self.stated_end > position or self._may_begin(position):
            # Perhaps it is not deflated after all.
            return ODD
        self.offsets[1, number] = position
        return DEFLATED

    cdef bint _may_begin(self, place position) except -1 nogil:
        """Tell whether an element may stand here in any encoding: ``encoding.begins`` says no where this does."""
        cdef Py_ssize_t at
        cdef word group
        cdef bint big = False
        if self.size - position < SHORT_HEADER:
            return True
        at = self._reach(position, SHORT_HEADER)
        if at < 0:
            return True
        self._load(at, SHORT_HEADER)
        while True:
            self.tag = self._tag(big)
            group = self.tag >> 16
            # A group length, a private creator, a group with repeating elements, or a known tag.
            if self.tag & 0xFFFF == 0 or (group & 1 and 0x10 <= self.tag & 0xFFFF <= 0xFF):
                return True
            if group >> 8 == 0x50 or group >> 8 == 0x60 or group >> 8 == 0x7F or group == 0x20 or group == 0x28:
                return True
            if self._is_known():
                return True
            if big:
                return False
            big = True

    cdef place _pass_file_meta(self, Py_ssize_t number) except -2 nogil:
        """Return where group 0002 ends, having noted (0002,0010); -1 if it is not by the book."""
        cdef place position = PREFIX_END
        cdef bint some = False
        cdef int index
        self.stated_end = 0
        for index in range(META_ELEMENTS):
            if self._read_header(position, EXPLICIT_LITTLE) != 0:
                # What follows may be in another encoding; it ends the group if its tag is of another one.
                return position if some and self._ends_file_meta(position) else -1
            if self.tag >> 16 != 2:
                return position if some and self.tag >> 16 != 0 else -1
            if self.length == UNDEFINED or self.length > self.size - self.value or (some and not self._is_known()):
                return -1
            if self.tag == self.slots[0] and (self.vr == 0x5351 or not self._note(number, 0)):
                return -1
            if self.tag == 0x00020000 and self.length == 4:
                self.stated_end = self.value + 4 + self._stated_length()
            some = True
            position = self.value + self.length
        return -1

    cdef place _stated_length(self) except -1 nogil:
        cdef Py_ssize_t at = self._reach(self.value, 4)
        if at < 0:
            return 0
        self._load(at, 4)
        return self._four(0, False)

    cdef bint _ends_file_meta(self, place position) except -1 nogil:
        cdef Py_ssize_t at
        if self.size - position < SHORT_HEADER:
            return False
        at = self._reach(position, SHORT_HEADER)
        if at < 0:
            return False
        self._load(at, SHORT_HEADER)
        return self._two(0, False) != 2 and self._two(0, False) != 0

    cdef int _declared_encoding(self, Py_ssize_t number) except -2 nogil:
        """Return the encoding that the noted transfer syntax means (PS3.5 A); -1 if there is none, or no proper UID."""
        cdef place begin = self.offsets[0, number]
        cdef int length = self.lengths[0, number], which, index
        while length > 0 and (self.buffer[begin + length - 1] == 32 or self.buffer[begin + length - 1] == 0):
            length -= 1
        if length <= 0 or length > 64:
            return -1
        for index in range(length):
            if not (48 <= self.buffer[begin + index] <= 57 or self.buffer[begin + index] == 46):
                return -1
        for which in range(self.syntax_lengths.shape[0]):
            if self.syntax_lengths[which] != length:
                continue
            index = 0
            while index < length and self.syntaxes[which, index] == self.buffer[begin + index]:
                index += 1
            if index == length:
                return self.syntax_encodings[which]
        return EXPLICIT_LITTLE

    cdef int _walk(self, Py_ssize_t number, place position, int encoding) except -1 nogil:
        """Walk to the pixel data or the end (PS3.5 7), noting wanted elements of the top level."""
        cdef place last = -1
        cdef int depth = 0, slot = 1, slots = <int>self.slots.shape[0]
        if not self._begins(position, encoding):
            return ODD
        self.big_endian[number] = encoding == EXPLICIT_BIG
        self.is_sequence[0], self.encoding[0] = False, encoding
        while True:
            if depth == 0 and position == self.size:
                return PLAIN if self.whole else ODD
            if self._read_header(position, self.encoding[depth]) != 0:
                if not self._pass_delimiter(&position, &depth, &last):
                    return ODD
                continue
            if self.is_sequence[depth] or <place>self.tag <= last:
                return ODD
            if depth == 0:
                if self.tag == 0x7FE00010 or self.tag == 0x7FE00009 or self.tag == 0x7FE00008:
                    return PLAIN
                while slot < slots and self.slots[slot] < self.tag:
                    slot += 1
                if slot < slots and self.slots[slot] == self.tag and not self._note(number, slot):
                    return ODD
            if self.length == UNDEFINED:
                if depth + 1 >= DEPTH:
                    return ODD
                depth += 1
                self.is_sequence[depth], self.resumed[depth] = True, self.tag
                # The content of UN is Implicit VR Little Endian (PS3.5 6.2.2).
                self.encoding[depth] = IMPLICIT_LITTLE if self.vr == 0x554E else self.encoding[depth - 1]
                position, last = self.value, -1
            elif self.length > self.size - self.value:
                return ODD
            else:
                position, last = self.value + self.length, self.tag

    cdef bint _pass_delimiter(self, place *position, int *depth, place *last) except -1 nogil:
        """Pass an item, or the end of an item or sequence (PS3.5 7.5), where one belongs; tell whether one was there."""
        cdef int encoding = self.encoding[depth[0]]
        cdef Py_ssize_t at
        cdef word tag, length
        if depth[0] == 0 or self.size - position[0] < SHORT_HEADER:
            return False
        at = self._reach(position[0], SHORT_HEADER)
        if at < 0:
            return False
        self._load(at, SHORT_HEADER)
        tag, length = self._tag(encoding == EXPLICIT_BIG), self._four(4, encoding == EXPLICIT_BIG)
        position[0] += SHORT_HEADER
        if tag == (SEQUENCE_DELIMITER if self.is_sequence[depth[0]] else ITEM_DELIMITER):
            last[0] = self.resumed[depth[0]]
            depth[0] -= 1
            return True
        if tag != ITEM or not self.is_sequence[depth[0]]:
            return False
        if length != UNDEFINED:
            if length > self.size - position[0]:
                return False
            position[0] += length
            return True
        if depth[0] + 1 >= DEPTH:
            return False
        depth[0] += 1
        self.is_sequence[depth[0]], self.encoding[depth[0]], self.resumed[depth[0]] = False, encoding, -1
        last[0] = -1
        return True

    cdef bint _begins(self, place position, int encoding) except -1 nogil:
        """Tell whether a known element leads to a second one here, or to the end, as ``encoding.begins`` wants it."""
        cdef word first
        cdef bint is_group_length
        if self._read_header(position, encoding) != 0 or self.length == UNDEFINED:
            return False
        first = self.tag
        is_group_length = first & 0xFFFF == 0
        if (is_group_length and self.length != 4) or not (is_group_length or self._is_known()):
            return False
        if self.length > self.size - self.value:
            return False
        position = self.value + self.length
        if position == self.size:
            return self.whole
        if self._read_header(position, encoding) != 0 or self.tag <= first:
            return False
        if self.tag & 0xFFFF == 0 and self.length != 4:
            return False
        return self.length == UNDEFINED or self.length <= self.size - self.value

    cdef int _read_header(self, place position, int encoding) except -1 nogil:
        """Read the element header at a position by the book (PS3.5 7.1); return nonzero if it is none."""
        cdef place left = self.size - position
        cdef bint big = encoding == EXPLICIT_BIG
        cdef Py_ssize_t at
        cdef int kind
        if left < SHORT_HEADER:
            return 1
        at = self._reach(position, min(left, <place>LONG_HEADER))
        if at < 0:
            return 1
        self._load(at, <int>min(left, <place>LONG_HEADER))
        self.tag = self._tag(big)
        kind = self._vr_length()
        if self.tag >> 16 == 0xFFFE or (kind == 0) != (encoding == IMPLICIT_LITTLE):
            return 1
        self.value = position + SHORT_HEADER
        if kind == 0:
            self.vr, self.length = 0, self._four(4, False)
            return 0
        self.vr = self.raw[4] << 8 | self.raw[5]
        if kind == 2:
            self.length = self._two(6, big)
            return 0
        if left < LONG_HEADER:
            return 1
        self.length = self._four(8, big)
        self.value = position + LONG_HEADER
        return 0

    cdef inline int _load(self, Py_ssize_t at, int count) except -1 nogil:
        """Copy a header, or a part of one, out of the window; its first and last byte are checked to lie in it."""
        cdef const byte *begin = &self.block[at]
        cdef const byte *last = &self.block[at + count - 1]
        if count == LONG_HEADER:
            memcpy(self.raw, begin, LONG_HEADER)
        else:
            memcpy(self.raw, begin, last - begin + 1)
        return 0

    cdef inline word _two(self, int at, bint big) noexcept nogil:
        """Return the unsigned number of two bytes at a constant place of the header."""
        return <word>self.raw[at] << 8 | self.raw[at + 1] if big else <word>self.raw[at + 1] << 8 | self.raw[at]

    cdef inline word _four(self, int at, bint big) noexcept nogil:
        return self._two(at, True) << 16 | self._two(at + 2, True) if big else (
            self._two(at + 2, False) << 16 | self._two(at, False)
        )

    cdef inline word _tag(self, bint big) noexcept nogil:
        return self._two(0, big) << 16 | self._two(2, big)

    cdef inline int _vr_length(self) except -1 nogil:
        """Return how many bytes the length behind the two letters takes, 0 if they are no VR."""
        cdef int first = self.raw[4] - 65, second = self.raw[5] - 65
        if first < 0 or first > 25 or second < 0 or second > 25:
            return 0
        return self.vr_lengths[26 * first + second]

    cdef bint _is_known(self) except -1 nogil:
        """Tell whether the data dictionary has the tag."""
        cdef Py_ssize_t low = 0, high = self.known.shape[0], middle
        while low < high:
            middle = (low + high) // 2
            if self.known[middle] < self.tag:
                low = middle + 1
            else:
                high = middle
        return low < self.known.shape[0] and self.known[low] == self.tag

    # Noting.

    cdef bint _note(self, Py_ssize_t number, Py_ssize_t slot) except -1 nogil:
        """Copy the value of the element looked at into the buffer; tell whether it could be had."""
        cdef Py_ssize_t at
        if self.vr == 0x5351 or self.length == UNDEFINED:
            return True
        if self.length > self.size - self.value or self.length > self.buffer.shape[0] - self.used:
            return False
        at = self._reach(self.value, self.length)
        if at < 0:
            return False
        if self.length > 0:
            self.buffer[self.used + self.length - 1] = self.block[at + self.length - 1]
            memcpy(&self.buffer[self.used], &self.block[at], self.length)
        self.offsets[slot, number] = self.used
        self.lengths[slot, number] = self.length
        self.vrs[slot, number] = self.vr
        self.used += self.length
        return True


def same_as_before(
    const byte[::1] buffer,
    const place[:, ::1] offsets,
    const int[:, ::1] lengths,
    const unsigned short[:, ::1] vrs,
    const byte[::1] big_endian,
    const place[::1] files,
    byte[:, ::1] same,
):
    """Tell of each value whether VR, byte order and bytes are those of the file before.

    Args:
        buffer: As in ``Noted``, like ``offsets``, ``lengths``, ``vrs`` and ``big_endian``.
        files: The files to look at, in this order, at least one.
        same: Takes the answer for each slot and each of the files but the first, shape (T, len(files) - 1).

    Raises:
        IndexError: A value lies outside of the buffer.
    """
    cdef Py_ssize_t slot, index, one, other
    cdef place size = buffer.shape[0]
    cdef int length
    cdef bint equal
    with nogil:
        for slot in range(lengths.shape[0]):
            for index in range(1, files.shape[0]):
                one, other = files[index - 1], files[index]
                length = lengths[slot, one]
                equal = (
                    length == lengths[slot, other]
                    and vrs[slot, one] == vrs[slot, other]
                    and big_endian[one] == big_endian[other]
                )
                if equal and length > 0:
                    if not (0 <= offsets[slot, one] <= size - length and 0 <= offsets[slot, other] <= size - length):
                        raise IndexError("a value outside of the buffer")
                    equal = memcmp(&buffer[offsets[slot, one]], &buffer[offsets[slot, other]], length) == 0
                same[slot, index - 1] = equal
