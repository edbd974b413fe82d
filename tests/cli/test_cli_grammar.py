"""Command files, parsing, evaluation: the rules, independent of any other program."""

from __future__ import annotations

from pathlib import Path

import pytest
from dcmsign.stream.cli import grammar, option_table
from dcmsign.stream.cli.evaluation import Evaluation, purpose_code
from dcmsign.stream.cli.grammar import UsageError
from dcmsign.stream.cli.options import Kind


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", []),
        (" \t\r\n", []),
        ("a b\tc\r\nd\n", ["a", "b", "c", "d"]),
        ("'mi''ni.dcm'", ["mi", "ni.dcm"]),
        ('a"b c"d', ["ab c", "d"]),
        ('""', [""]),
        ("x'' y", ["x", "y"]),
        ("""'say "hi"' "it's" """, ['say "hi"', "it's"]),
        ('in.dcm "not closed \n', ["in.dcm", "not closed \n"]),
        ("a'", ["a"]),
        ("'", [""]),
        ("back\\ slash # no comment", ["back\\", "slash", "#", "no", "comment"]),
        ("@other", ["@other"]),
        ("a\vb\fc", ["a\vb\fc"]),
    ],
)
def test_split(text: str, arguments: list[str]) -> None:
    assert grammar.split(text) == arguments


def test_expand(tmp_path: Path) -> None:
    inner, outer, empty = tmp_path / "inner", tmp_path / "outer", tmp_path / "empty"
    inner.write_text("x")
    outer.write_text(f"a @{inner} 'b c'")
    empty.write_text("")
    argv = ["first", f"@{outer}", "@", f"@{empty}", f"@{tmp_path}", "+s", f"@{inner}"]
    assert grammar.expand(argv) == ["first", "a", f"@{inner}", "b c", "@", "+s", "x"]


def test_expand_keeps_names_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "names").write_bytes(b"caf\xe9 \xc3\xa9")
    assert grammar.expand([f"@{tmp_path / 'names'}"]) == ["caf\udce9", "\u00e9"]


@pytest.mark.parametrize("name", ["missing", "nul\0byte"])
def test_expand_fails(name: str) -> None:
    with pytest.raises(UsageError, match="Cannot open command file"):
        grammar.expand([f"@{name}"])


@pytest.mark.parametrize("argument", ["-x", "+x", "--", "-=", "++", "- ", "-\u0663"])
def test_options(argument: str) -> None:
    assert grammar.looks_like_option(argument)


@pytest.mark.parametrize("argument", ["", "-", "+", "-0", "-5", "+5x", "+9", "x-", "@x", "5"])
def test_parameters(argument: str) -> None:
    assert not grammar.looks_like_option(argument)


def test_parse() -> None:
    line = grammar.parse(["a", "+cf", "-v", "-5", "+cf", "+cf"])
    assert line.parameters == ("a", "-5")
    assert line.arguments == ("a", "--add-cert-file", "-v", "-5", "--add-cert-file", "+cf")
    assert [(found.option.long, found.position, found.values) for found in line.occurrences] == [
        ("--add-cert-file", 1, ("-v",)),
        ("--add-cert-file", 4, ("+cf",)),
    ]


def evaluate(*arguments: str) -> Evaluation:
    evaluation = Evaluation(grammar.parse(arguments))
    for section in option_table.SECTIONS:
        evaluation.settle(*section.blocks)
    return evaluation


@pytest.mark.parametrize(
    ("arguments", "algorithm"),
    [("", "RIPEMD160"), ("+m2", "SHA256"), ("+m5 +m2", "SHA256"), ("+m2 +m5", "SHA512"), ("+m5 +mr +m5", "SHA512")],
)
def test_rightmost_choice_counts(arguments: str, algorithm: str) -> None:
    assert evaluate("+s", "k", "c", *arguments.split(), "in", "out").setting(option_table.MAC) == algorithm


def test_rightmost_value_counts_and_lists_go_from_right_to_left() -> None:
    evaluation = evaluate("-tf", "a", "-t", "1", "-t", "2", "-tf", "b", "-t", "1", "in")
    assert evaluation.single("--tag-file") == "b"
    assert list(evaluation.every("--tag")) == ["1", "2", "1"]
    assert evaluation.single("--dump") is None


def test_a_choice_to_the_left_is_not_looked_at() -> None:
    evaluate("+s", "k", "c", "+sp", "99", "-sp", "in", "out")
    evaluate("-te", "-t=", "in")
    for arguments in (["+s", "k", "c", "-sp", "+sp", "99", "in", "out"], ["-t=", "-te", "in"], ["-te", "-ti", "in"]):
        with pytest.raises(UsageError):
            evaluate(*arguments)


@pytest.mark.parametrize(("text", "code"), [("1", 1), ("18", 18), ("5x", 5), (" 5", 5), ("+5", 5), ("007", 7), ("1.5", 1)])
def test_purpose_code(text: str, code: int) -> None:
    assert purpose_code(text) == code


@pytest.mark.parametrize("text", ["", "x", "-1", "-0", "0", "19", "0x5", "\u0665", "+", "9" * 5000])
def test_bad_purpose_code(text: str) -> None:
    with pytest.raises(UsageError):
        purpose_code(text)


def test_timestamp_options_need_a_timestamp() -> None:
    evaluate("+ts", "q", "u", "+tm5", "-tn", "+s", "k", "c", "in", "out")
    evaluate("+t", "q", "r", "u", "+tm5", "-tn", "-tc", "+tp", "1.2", "in", "out")
    with pytest.raises(UsageError, match="--ts-mac-sha512 only allowed with --timestamp-file"):
        evaluate("+s", "k", "c", "+tm5", "in", "out")


def test_names_are_unique() -> None:
    names = [name for option in option_table.OPTIONS for name in (option.short, option.long) if name]
    assert len(names) == len(set(names)) == len(option_table.BY_NAME)


def test_every_default_is_available_and_a_choice() -> None:
    for section in option_table.SECTIONS:
        for block in section.blocks:
            defaults = [option for option in block.options if option.default]
            assert len(defaults) <= 1
            assert all(option.kind is Kind.CHOICE for option in defaults)
