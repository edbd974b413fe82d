"""What is measured: each scenario makes its input, then lists works on it."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from . import inputs, sparse
from .commands import (
    CERTIFICATE,
    COMMAND,
    INSIDE,
    KEY,
    LOOP,
    PEER,
    VERIFY_OPTIONS,
    Programs,
    our_command,
    sign_options,
)
from .encoding import FORMS
from .inputs import MIB
from .measure import Run, Work, environment


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything; sizes in bytes, `watch` in seconds."""

    large: int
    other: int
    fragments: int
    frames: int
    plain: int
    files: int
    looped: int
    curve: tuple[int, ...]
    rounds: int
    watch: float
    sparse: bool = False


FULL = Sizes(
    large=1024 * MIB,
    other=256 * MIB,
    fragments=65_536,
    frames=10_000,
    plain=250_000,
    files=2_000,
    looped=200,
    curve=(16 * MIB, 64 * MIB, 256 * MIB, 1024 * MIB),
    rounds=5,
    watch=4,
)
QUICK = replace(
    FULL,
    large=64 * MIB,
    other=32 * MIB,
    frames=1_000,
    plain=25_000,
    files=200,
    looped=40,
    curve=(4 * MIB, 16 * MIB, 64 * MIB),
    rounds=3,
    watch=1,
)


@dataclass(frozen=True, slots=True)
class Context:
    """Where inputs go, who is compared, how much."""

    folder: Path
    programs: Programs
    sizes: Sizes

    def signed(self, source: Path, *, times: int = 1, tag_lists: tuple[tuple[int, ...], ...] = ((),)) -> tuple[Path, Path]:
        """The file signed by our command and, if it is there, by the peer's; unless signed more than once, ours is for both."""
        ours = self.sign_with(our_command(), source, "signed.dcm", times, tag_lists)
        if self.programs.dcmsign is None or times > 1:
            return ours, ours
        return ours, self.sign_with([self.programs.dcmsign], source, "peer.dcm", times, tag_lists)

    def sign_with(self, program: list[str], source: Path, name: str, times: int, tag_lists: tuple[tuple[int, ...], ...]) -> Path:
        """Sign `times` times, with the lists of data elements in turn."""
        target, before = self.folder / name, source
        for number in range(times):
            after = target.with_suffix(f".{number}")
            tags = tag_lists[number % len(tag_lists)]
            command = [*program, *sign_options(tags), str(before), str(after)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, env=environment(self.folder))
            if before != source:
                before.unlink()
            before = after
        return before.replace(target)


def both_ways(context: Context, source: Path, label: str, *, headers: int = 0, copy: bool = True) -> Iterator[Work]:
    """Verify and sign one input."""
    size, programs = source.stat().st_size, context.programs
    signed, peer_signed = context.signed(source)
    yield Work(f"verify {label}", size, programs.verify(signed, peer_signed), headers)
    yield Work(f"sign {label}", size, programs.sign(source, copy=copy), headers)


def stalls(context: Context, source: Path, label: str) -> Iterator[Work]:
    """How long the event loop stands still while one input is verified and signed; the signed file is there."""
    size, watch, output = source.stat().st_size, context.sizes.watch, context.folder / "output.dcm"
    inside = context.programs.inside
    verifying = inside("verify", CERTIFICATE, str(context.folder / "signed.dcm"), watch=watch)
    signing = inside("sign", KEY, CERTIFICATE, str(source), str(output), output=output, watch=watch)
    yield Work(f"event loop, verify {label}", size, {INSIDE: verifying})
    yield Work(f"event loop, sign {label}", size, {INSIDE: signing})


def image(context: Context, form: str, size: int, *, fragment: int = 4 * MIB) -> Path:
    """An image in the context's folder."""
    path = context.folder / "input.dcm"
    inputs.make_image(path, size, FORMS[form], fragment=fragment)
    return path


def encapsulated(context: Context) -> Iterator[Work]:
    """Large fragments: to and from files, through pipes, and what the event loop feels."""
    source = image(context, "encapsulated", context.sizes.large)
    yield from both_ways(context, source, "encapsulated")
    yield from stalls(context, source, "encapsulated")
    yield Work("pipe to pipe, tag list", source.stat().st_size, context.programs.pipe(source, inputs.IMAGE_TAGS))


def native(context: Context) -> Iterator[Work]:
    """Explicit VR little endian."""
    yield from both_ways(context, image(context, "explicit", min(context.sizes.large, inputs.MAX_NATIVE)), "native")


def implicit(context: Context) -> Iterator[Work]:
    """Implicit VR little endian."""
    yield from both_ways(context, image(context, "implicit", context.sizes.other), "native implicit")


def big_endian(context: Context) -> Iterator[Work]:
    """Explicit VR big endian: words are swapped for the digest."""
    yield from both_ways(context, image(context, "big endian", context.sizes.other), "native big endian")


def fragments(context: Context) -> Iterator[Work]:
    """As many small fragments as a whole-slide image has tiles."""
    count = context.sizes.fragments
    piece = context.sizes.large // count // 2 * 2
    source = image(context, "encapsulated", piece * count, fragment=piece)
    yield from both_ways(context, source, f"{count:,} fragments", headers=count)


def dense(context: Context) -> Iterator[Work]:
    """Nested functional groups, in both forms, with and without lengths."""
    for form in ("explicit", "implicit"):
        for undefined in (False, True):
            path = context.folder / "dense.dcm"
            headers = inputs.make_dense(path, context.sizes.frames, FORMS[form], undefined=undefined)
            label = f"dense {form}" + (", undefined lengths" if undefined else "")
            for work in both_ways(context, path, label, headers=headers, copy=False):
                yield replace(work, notes=("the peer leaves parts of nested sequences out of the digest",))
            if not undefined:
                yield from stalls(context, path, label)


def plain(context: Context) -> Iterator[Work]:
    """Short plain elements, one behind the other."""
    source = context.folder / "plain.dcm"
    headers = inputs.make_plain(source, context.sizes.plain, FORMS["explicit"])
    signed, peer_signed = context.signed(source)
    yield Work("verify plain elements", source.stat().st_size, context.programs.verify(signed, peer_signed), headers)


def signatures(context: Context) -> Iterator[Work]:
    """A file that 8 have signed: all the same, and with two algorithms' worth of different lists."""
    lists = tuple(tuple(sorted({*inputs.IMAGE_TAGS} - {left_out})) for left_out in inputs.IMAGE_TAGS[2:5])
    for label, tag_lists in (("8 signatures", ((),)), ("8 signatures of different lists", ((), *lists))):
        source = image(context, "encapsulated", context.sizes.other)
        signed, _ = context.signed(source, times=8, tag_lists=tag_lists)
        hashes = len(tag_lists)
        yield Work(f"verify {label}", signed.stat().st_size, context.programs.verify(signed, signed), hashes=hashes)


def small(context: Context) -> Iterator[Work]:
    """One structured report: whole commands, that is mostly their start."""
    source = context.folder / "report.dcm"
    inputs.make_report(source)
    yield from both_ways(context, source, "small file")


def files(context: Context) -> Iterator[Work]:
    """Many small files in one call, against a shell loop over the peer (over some of them, times as many)."""
    archive, sizes, programs = context.folder / "archive", context.sizes, context.programs
    paths = list(inputs.make_reports(archive, sizes.files))
    size = sum(path.stat().st_size for path in paths)
    inputs.sign_in_place(paths, KEY, CERTIFICATE)
    name = f"verify {sizes.files:,} small files"
    notes, runs = [f"the loop runs over {sizes.looped} files, its figures are multiplied"], dict[str, Run]()
    batch = [*our_command(), "--batch", *VERIFY_OPTIONS]
    if succeeds([*batch, str(paths[0])]):
        runs[COMMAND] = Run([*batch, str(archive)])
    else:
        notes.append("the command has no --batch here")
    if programs.dcmsign:
        chosen = " ".join(shlex.quote(str(path)) for path in paths[: sizes.looped])
        call = shlex.join([programs.dcmsign, *VERIFY_OPTIONS])
        loop = f'for file in {chosen}; do {call} "$file" || exit; done'
        runs[LOOP] = Run(["/bin/sh", "-c", loop], scale=sizes.files / min(sizes.looped, sizes.files))
    if runs:
        yield Work(name, size, runs, notes=tuple(notes))


def succeeds(command: list[str]) -> bool:
    """Whether a command can be run at all."""
    quiet = subprocess.DEVNULL
    return subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet).returncode == 0


def curve(context: Context) -> Iterator[Work]:
    """The same work on several sizes, for the plots; sparse files of any size are signed to a pipe that nobody keeps."""
    for size in context.sizes.curve:
        label = f"{size // MIB} MiB"
        source = context.folder / "input.dcm"
        inputs.make_image(source, size, FORMS["encapsulated"], sparse=context.sizes.sparse)
        if context.sizes.sparse:
            signed = sparse.signed(source, context.folder / "signed.dcm")
            sparse.read_through(signed)
            runs = context.programs.verify(signed, signed, inside=False)
            yield Work(f"size: verify {label}", size, without_peer_if_too_large(runs, size))
            piped = {COMMAND: context.programs.pipe(source, inputs.IMAGE_TAGS)[INSIDE]}
            yield Work(f"size: sign {label}", size, piped, notes=("signed from pipe to pipe with a list, by the library",))
        else:
            for work in both_ways(context, source, label):
                runs = {program: run for program, run in work.runs.items() if program != INSIDE}
                yield replace(work, name=f"size: {work.name}", runs=runs)


def without_peer_if_too_large(runs: dict[str, Run], size: int) -> dict[str, Run]:
    """The peer keeps the whole object in memory."""
    return {program: run for program, run in runs.items() if program != PEER or size < 4 << 30}


SCENARIOS: dict[str, Callable[[Context], Iterator[Work]]] = {
    "small": small,
    "encapsulated": encapsulated,
    "native": native,
    "implicit": implicit,
    "big-endian": big_endian,
    "fragments": fragments,
    "dense": dense,
    "plain": plain,
    "signatures": signatures,
    "files": files,
    "curve": curve,
}
"""By name, as --only takes it."""
