"""Digests of the MAC byte stream, in the forms a verifier has to tell apart.

The *complete* digest covers every byte of the stream of PS3.3 C.12.1.1.3.1.1. Two other forms exist in files:

* The *incomplete* form of DCMTK. It encodes into a buffer of 16384 bytes; when that is full inside a sequence that lies in an
  item of another sequence, the rest of the inner sequence is left out. What is left out is not protected.
* The *legacy text* form of DCMTK before 3.7.0, in which NULs at the end of a text stay. It covers everything.

A `Mac` follows the complete form and forks another one at the first byte where it differs, so objects for which all forms are
equal, nearly all, cost one digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..dicom.plain_items import element_sizes
from .algorithms import Digest, new_digest

BUFFER_SIZE = 16384
"""Room of DCMTK's encoding buffer in bytes."""

_UNFOLLOWED = 1 << 63
"""Room of a form that does not follow the buffer: it never ends."""

_ITEM_TAG = 4
"""Bytes of the tag in front of a fragment."""

_COLLECT = 1 << 16
_DIRECT = 1 << 12
_EXAMPLES = 20


class Form:
    """One digest being computed. `room` is what DCMTK's buffer has left, without end where the form does not follow it."""

    __slots__ = (
        "complete",
        "digest",
        "examples",
        "legacy",
        "missing_bytes",
        "missing_elements",
        "pending",
        "room",
        "skipping",
        "tee",
    )

    def __init__(self, digest: Digest, *, room: int) -> None:
        self.digest = digest
        self.pending = bytearray()
        self.room = room
        self.legacy = False
        self.complete = True
        self.skipping = False
        self.missing_bytes = 0
        self.missing_elements = 0
        self.examples: tuple[str, ...] = ()
        self.tee: Callable[[bytes | memoryview], object] | None = None

    def flush(self) -> None:
        """Hash what has been collected."""
        if self.pending:
            data = bytes(self.pending)
            self.digest.update(data)
            if self.tee is not None:
                self.tee(data)
            self.pending.clear()

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes to the stream."""
        if len(data) < _DIRECT:
            self.pending += data
            if len(self.pending) < _COLLECT:
                return
            self.flush()
            return
        self.flush()
        self.digest.update(data)
        if self.tee is not None:
            self.tee(data)

    def copy(self) -> Form:
        """An independent digest that continues from here."""
        self.flush()
        form = Form(self.digest.copy(), room=self.room)
        form.legacy, form.complete, form.skipping, form.tee = self.legacy, self.complete, self.skipping, self.tee
        form.missing_bytes, form.missing_elements, form.examples = (
            self.missing_bytes,
            self.missing_elements,
            self.examples,
        )
        return form

    def advance(self, head: int, required: int, size: int, depth: int) -> int | None:
        """Follow DCMTK's buffer over a piece of `size` bytes that begins with a head of `head` bytes.

        `required` is the room the head asks for, `depth` the number of sequences around the piece. Returns None if the piece
        is written whole, else the number of its bytes written before the rest of the inner sequence is left out.
        """
        room = self.room
        if size <= room and required <= room:
            self.room = room - size
            return None
        if room < required:
            if depth >= 2:
                self.room = BUFFER_SIZE
                return 0
            room = BUFFER_SIZE
        room -= head
        left = size - head
        if left > room:
            left -= room
            if depth >= 2:
                self.room = BUFFER_SIZE
                return size - left
            left -= (left - 1) // BUFFER_SIZE * BUFFER_SIZE
            room = BUFFER_SIZE
        self.room = room - left
        return None

    def advance_over(self, item: bytes) -> None:
        """Follow DCMTK's buffer over a plain item without sequences in it, around which there is one sequence."""
        self.advance(_ITEM_TAG, _ITEM_TAG, _ITEM_TAG, 1)
        for head, size in element_sizes(item, _ITEM_TAG):
            self.advance(head, head, size, 1)

    def miss(self, data: bytes | memoryview, element: bool, where: Callable[[], str]) -> None:
        """Count a piece that is left out; `element` if a data element begins with it, or is the one that is cut."""
        self.missing_bytes += len(data)
        if element:
            self.missing_elements += 1
            if len(self.examples) < _EXAMPLES:
                self.examples += (where(),)


class Mac:
    """All forms of one digest over the signed data elements of a data set or item.

    `tags` are the Data Elements Signed, None for everything signable. `verifying` follows all forms, otherwise only the
    complete one, or with `incomplete` only DCMTK's. Elements of `tags` that turn out unsignable are collected in `unsignable`.
    `digests` makes the digest object, which may keep what it is given and digest it later.
    """

    def __init__(
        self,
        algorithm: str,
        tags: frozenset[int] | None,
        *,
        verifying: bool = False,
        incomplete: bool = False,
        tee: Callable[[bytes | memoryview], object] | None = None,
        digests: Callable[[str], Digest] = new_digest,
    ) -> None:
        self.algorithm = algorithm
        self.tags = tags
        self.unsignable: list[int] = []
        self._verifying = verifying
        self._forms = [Form(digests(algorithm), room=BUFFER_SIZE if verifying or incomplete else _UNFOLLOWED)]
        self._forms[0].complete = not incomplete
        self._forms[0].tee = tee
        self._marked: list[Form] = []

    @classmethod
    def continuing(cls, algorithm: str, form: Form) -> Mac:
        """A Mac that takes up everything signable behind one form; DCMTK begins there with an empty buffer."""
        mac = cls(algorithm, None, verifying=True)
        start = form.copy()
        start.room = _UNFOLLOWED if form.complete else BUFFER_SIZE
        start.skipping = False
        mac._forms = [start]
        return mac

    @property
    def forms(self) -> tuple[Form, ...]:
        """The digests so far: the complete one first, unless only the incomplete one was asked for."""
        return tuple(self._forms)

    def mark(self) -> None:
        """Remember the state in front of a sequence, which may turn out unsignable at its end."""
        self._marked = [form.copy() for form in self._forms]

    def rollback(self) -> None:
        """Return to the mark."""
        self._forms, self._marked = self._marked, []

    def commit(self) -> None:
        """Forget the mark."""
        self._marked = []

    def put(
        self,
        data: bytes | memoryview,
        head: int,
        required: int,
        depth: int,
        where: Callable[[], str],
        legacy: bytes | None = None,
    ) -> None:
        """Append a piece: an element, a header or a part of a value.

        `head` bytes of it are a head that asks for `required` bytes of buffer; `depth` sequences are around it; `legacy` is
        the piece in the legacy text form, if that differs; `where` names the data element.
        """
        size = len(data)
        if legacy is None and len(self._forms) == 1 and size < _DIRECT:
            form = self._forms[0]
            if size <= form.room and required <= form.room and not form.skipping:  # nearly always
                form.room -= size
                form.pending += data
                if len(form.pending) >= _COLLECT:
                    form.flush()
                return
        if legacy is not None and self._verifying:
            self._fork_legacy()
        for form in tuple(self._forms):
            self._put_form(form, legacy if form.legacy and legacy is not None else data, head, required, depth, where)

    def put_item(self, data: bytes, elements: int, *, flat: bool) -> bool:
        """Append a whole item of small pieces, `elements` of them data elements, unless it matters how it is composed.

        `flat`: there is one sequence around it and none in it, so that nothing of it is left out. A head never asks for more
        buffer than what it belongs to needs in the end.
        """
        size = len(data)
        for form in self._forms:
            if len(form.examples) < _EXAMPLES if form.skipping else form.room < size and not flat:
                return False
        for form in self._forms:
            if form.skipping:
                form.missing_bytes += size
                form.missing_elements += elements
                continue
            if form.room < size:
                form.advance_over(data)
            else:
                form.room -= size
            form.write(data)
        return True

    def put_fragments(self, data: bytes, lengths: Iterable[int]) -> None:
        """Append fragments, each with its item tag, around which there is at most one sequence: nothing of them is left out."""
        for form in self._forms:
            form.write(data)
            room = form.room
            if room >= _UNFOLLOWED // 2:
                continue
            for length in lengths:  # as `advance` does it for the tag and then for the value
                room = (room if room >= _ITEM_TAG else BUFFER_SIZE) - _ITEM_TAG
                if length <= room:
                    room -= length
                else:
                    room = BUFFER_SIZE - 1 - (length - room - 1) % BUFFER_SIZE
            form.room = room

    def end_sequence(self, data: bytes, depth: int, where: Callable[[], str]) -> None:
        """Append the end tag of a sequence around which there are `depth` others."""
        if depth == 1:
            for form in self._forms:
                form.skipping = False
        self.put(data, len(data), len(data), depth, where)

    def _put_form(
        self,
        form: Form,
        data: bytes | memoryview,
        head: int,
        required: int,
        depth: int,
        where: Callable[[], str],
    ) -> None:
        if form.skipping:
            form.miss(data, head > 4, where)
            return
        written = form.advance(head, required, len(data), depth)
        if written is not None:
            if form.complete:
                form = self._fork_incomplete(form, data)
            form.write(data[:written])
            form.skipping = True
            form.miss(data[written:], head != 4, where)
            return
        form.write(data)

    def _fork_incomplete(self, form: Form, data: bytes | memoryview) -> Form:
        """Go on without the buffer in the complete form, and with it in a form of its own."""
        fork = form.copy()
        fork.complete, fork.tee = False, None
        form.room = _UNFOLLOWED
        form.write(data)
        self._forms.append(fork)
        return fork

    def _fork_legacy(self) -> None:
        if any(form.legacy for form in self._forms):
            return
        for form in tuple(self._forms):
            fork = form.copy()
            fork.legacy, fork.tee = True, None
            self._forms.append(fork)
