"""Every error of the library has an exit code and a text; what is unforeseen has too."""

from __future__ import annotations

import inspect
import tomllib
from pathlib import Path

import pytest
from dcmsign.codec import errors
from dcmsign.codec.dicom.dictionary import BUILT_IN
from dcmsign.stream.cli import command, log, main, usage
from dcmsign.stream.cli.evaluation import Evaluation
from dcmsign.stream.cli.exit_codes import FAILURES, ExitCode, failure_of
from dcmsign.stream.cli.failures import report_failure
from dcmsign.stream.cli.grammar import parse
from dcmsign.stream.cli.job import Job
from dcmsign.stream.cli.option_table import COMMAND, READ

PYPROJECT = Path(__file__).parent.parent.parent / "pyproject.toml"
ERRORS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.Error)]


def job() -> Job:
    evaluation = Evaluation(parse(["+s", "k.pem", "c.pem", "+d", "d.bin", "in.dcm", "out.dcm"]))
    evaluation.settle(READ, COMMAND)
    return Job(evaluation, "in.dcm", "out.dcm", None, None, BUILT_IN)


def caused(error: errors.Error, cause: OSError) -> errors.Error:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_has_a_row(kind: type[errors.Error]) -> None:
    # bases that are never raised themselves, and what only a caller asks for
    rowless = (errors.Error, errors.TrustError, errors.VerificationFailed)
    assert (failure_of(kind.__new__(kind)) is not None) == (kind not in rowless)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (errors.NotDicom("x"), 20, "F: I/O suspension or premature end of stream: reading file: in.dcm\n"),
        (errors.EmptyInput("x"), 20, "F: End of stream: reading file: in.dcm\n"),
        (errors.BadStructure("x"), 20, "F: Invalid stream: reading file: in.dcm\n"),
        (errors.MetaHeaderMissing("x"), 20, "F: File meta information header missing: reading file: in.dcm\n"),
        (errors.LimitExceeded("too deep"), 20, "F: too deep: reading file: in.dcm\n"),
        (
            errors.Truncated("larger than the rest", offset=132, element="(0008,1140)[0].(0008,1155)"),
            20,
            "E: (0008,1140)[0].(0008,1155) at offset 132: larger than the rest\n"
            "F: I/O suspension or premature end of stream: reading file: in.dcm\n",
        ),
        (
            errors.BadStructure("stray delimiter", offset=0),
            20,
            "E: offset 0: stray delimiter\nF: Invalid stream: reading file: in.dcm\n",
        ),
        (
            caused(errors.SourceError("cannot be read"), PermissionError(13, "Permission denied")),
            20,
            "F: Permission denied: reading file: in.dcm\n",
        ),
        (errors.SourceError("the iterator broke"), 20, "F: the iterator broke: reading file: in.dcm\n"),
        (
            caused(errors.SinkError("cannot be written"), OSError(28, "No space left on device")),
            40,
            "F: No space left on device: writing file: out.dcm\n",
        ),
        (errors.DumpError("x"), 46, "F: unable to create dump file 'd.bin'\n"),
        (errors.BadKeyFile("x"), 20, "F: file cannot be read: while loading private key file 'k.pem'\n"),
        (errors.BadCertificateFile("x"), 20, "F: file cannot be read: while loading certificate file 'c.pem'\n"),
        (errors.KeyMismatch("x"), 85, "E: certificate and private key do not match while creating signature in main dataset\n"),
        (
            errors.ElementNotFound("x", element="(0010,0030), (0010,0020)"),
            85,
            "E: attribute (0010,0030) should be signed but is not present in the dataset.\n"
            "E: attribute (0010,0020) should be signed but is not present in the dataset.\n"
            "E: Tag not found while creating signature in main dataset\n",
        ),
        (errors.EmptyInput("x", offset=0), 20, "F: End of stream: reading file: in.dcm\n"),
        (errors.ElementNotFound("x"), 85, "E: Tag not found while creating signature in main dataset\n"),
        (errors.CryptoFailure("x"), 85, "E: an OpenSSL call has failed while creating signature in main dataset\n"),
        (errors.PlanMismatch("input changed"), 85, "E: input changed while creating signature in main dataset\n"),
        (errors.AlgorithmUnavailable("x"), 85, "E: MAC algorithm not supported while creating signature in main dataset\n"),
    ],
)
def test_report(error: errors.Error, code: int, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with log.attached():
        assert report_failure(error, job()) == code
    assert capsys.readouterr() == ("", text)


def test_texts_have_no_place_left() -> None:
    for failure in FAILURES.values():
        assert "{" not in failure.frame.format(text="x", name="y")


@pytest.mark.parametrize(("arguments", "traceback"), [(["in.dcm"], False), (["-v", "in.dcm"], False), (["-d", "in.dcm"], True)])
def test_unforeseen_errors(
    arguments: list[str], traceback: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("first line\nsecond line")

    monkeypatch.setattr("dcmsign.stream.cli.preparation.load_tags", broken)
    assert main(arguments) == ExitCode.INTERNAL
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "F: internal error: ZeroDivisionError: first line"
    assert ("F: Traceback (most recent call last):" in lines) is traceback
    assert len(lines) == 1 or traceback


def test_interrupt(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_evaluate", interrupted)
    assert main(["in.dcm"]) == 130
    assert capsys.readouterr() == ("", "")


def test_version_is_that_of_the_distribution() -> None:
    assert tomllib.loads(PYPROJECT.read_text())["project"]["version"] == usage.VERSION


def test_header() -> None:
    assert usage.header() == "$dcmsign: dcmsign v0.5.0 2026-11-23 $"
