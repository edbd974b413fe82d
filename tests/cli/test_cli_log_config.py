"""``--log-config``: the same configuration given to this command and to DCMTK's."""

from __future__ import annotations

import datetime
import io
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dcmsign.stream.cli import log, log_files, log_layouts, log_properties

from tests.cli.conftest import Bench, Outcome

peer = pytest.mark.usefixtures("reference_version")

SAMPLE = Path("/etc/dcmtk/logger.cfg")
APPENDER = "log4cplus.appender.c"
CONSOLE = f"{APPENDER} = log4cplus::ConsoleAppender\n"
WARN = f"log4cplus.rootLogger = WARN, c\n{CONSOLE}"
INFO = f"log4cplus.rootLogger = INFO, c\n{CONSOLE}"
PATTERN = f"{APPENDER}.layout = log4cplus::PatternLayout\n{APPENDER}.layout.ConversionPattern = "
SUB = "log4cplus.logger.dcmtk"
SPI = "log4cplus::spi::"


def appender(kind: str, *settings: str, level: str = "WARN") -> str:
    """A configuration with one appender."""
    lines = [f"log4cplus.rootLogger={level},c", f"{APPENDER}=log4cplus::{kind}"]
    return "\n".join([*lines, *(f"{APPENDER}.{setting}" for setting in settings)]) + "\n"


def filters(*settings: str) -> str:
    return "".join(f"{APPENDER}.filters.{setting}\n" for setting in settings)


LOGGERS = {
    "case": f"log4cplus.rootLogger = iNFo,c\n{CONSOLE}",
    "blanks": f"log4cplus.rootLogger = W A R N ,  c \n{CONSOLE}",
    "off": f"log4cplus.rootLogger=OFF,c\n{CONSOLE}",
    "twice": f"log4cplus.rootLogger=WARN,c,c,\n{CONSOLE}",
    "unknown appender": f"log4cplus.rootLogger=WARN,nope,c\n{CONSOLE}",
    "no appender": "log4cplus.rootLogger=WARN\n",
    "no appender, nothing shown": "log4cplus.rootLogger=ERROR\n",
    "only unknown appenders": "log4cplus.rootLogger=WARN,\tc,d\n" + CONSOLE,
    "appender with a dot": "log4cplus.rootLogger=WARN,c.d\nlog4cplus.appender.c.d=log4cplus::ConsoleAppender\n",
    "order of errors": f"{WARN}{SUB}.dcmsign=WARN,no1\n"
    "log4cplus.logger.a=x,no2\nlog4cplus.logger.B=x,no3\nlog4cplus.appender.b=x",
    "order of appenders": "log4cplus.rootLogger=WARN,b,a\nlog4cplus.appender.b=log4cplus::ConsoleAppender\n"
    "log4cplus.appender.a=log4cplus::ConsoleAppender\nlog4cplus.appender.b.layout=log4cplus::PatternLayout\n"
    "log4cplus.appender.b.layout.ConversionPattern=%m%n\n",
    "empty root logger": f"log4cplus.rootLogger= \n{CONSOLE}",
    "empty root logger, other logger": f"log4cplus.rootLogger=\n{CONSOLE}{SUB}.dcmsign=WARN,c\n",
    "program": f"{WARN}{SUB}.dcmsign=INFO\n",
    "program hidden": f"{INFO}{SUB}.dcmsign=ERROR\n",
    "parent": f"{WARN}{SUB}=INFO\n",
    "data hidden": f"{WARN}{SUB}.dcmdata=OFF\n",
    "data only": f"log4cplus.rootLogger=OFF,c\n{CONSOLE}{SUB}.dcmdata=WARN\n",
    "other program": f"{WARN}{SUB}.apps.storescu.progress=TRACE\n{SUB}.dcmsign.sub=FATAL, c, nope\n",
    "unknown level": f"{WARN}{SUB}.dcmsign=bogus\n",
    "no level": f"{WARN}{SUB}.dcmsign=,\n{SUB}.dcmdata=\n",
    "inherit": f"{WARN}{SUB}=INFO,c\n{SUB}.dcmsign=INHERIT\n",
    "inherited": f"{WARN}{SUB}=OFF\n{SUB}.dcmsign=INHERITED\n{SUB}.dcmdata=INHERITED,c\n",
    "not additive": f"{WARN}{SUB}=INFO,c\n{SUB}.dcmsign=INHERITED,c\nlog4cplus.additivity.dcmtk.dcmsign=False\n",
    "not additive, no appender": f"{WARN}log4cplus.additivity.dcmtk.dcmsign=0\n",
    "additive": f"{WARN}{SUB}.dcmsign=WARN,c\nlog4cplus.additivity.dcmtk.dcmsign=bogus\n",
    "names": f"{INFO}{PATTERN}%c %p %m%n\n",
    "standard error": f"{WARN}{APPENDER}.logToStdErr=TRUE\n",
    "standard error by number": f"{WARN}{APPENDER}.logToStdErr= 1 \n",
    "misspelt": f"{WARN}{APPENDER}.logToStderr=true\n{APPENDER}.threshold=OFF\n",
    "null": appender("NullAppender"),
    "unknown class": appender("Bogus"),
    "class without prefix": "log4cplus.rootLogger=WARN,c\nlog4cplus.appender.c=ConsoleAppender\n",
    "class without name": "log4cplus.rootLogger=WARN,c\nlog4cplus.appender.c=\nlog4cplus.appender.B=x\n",
    "asynchronous": appender("AsyncAppender", "Appender=log4cplus::ConsoleAppender", "Threshold=OFF", "Appender.Threshold=WARN"),
    "asynchronous, twice": appender(
        "AsyncAppender", "Appender=log4cplus::AsyncAppender", "Appender.Appender=log4cplus::ConsoleAppender"
    ),
    "asynchronous, unknown class": appender("AsyncAppender", "Appender=log4cplus::Bogus"),
}

FILTERS = {
    "threshold": f"{INFO}{APPENDER}.Threshold=wARN\n",
    "threshold off": f"{INFO}{APPENDER}.Threshold=OFF\n",
    "unknown threshold": f"{WARN}{APPENDER}.Threshold=bogus\n",
    "deny": WARN + filters(f"1={SPI}DenyAllFilter"),
    "wrong number": WARN + filters(f"2={SPI}DenyAllFilter"),
    "unknown class": WARN + filters(f"1={SPI}Bogus", "2=", f"3={SPI}DenyAllFilter"),
    **{
        f"match {value}": INFO
        + filters(f"1={SPI}LogLevelMatchFilter", "1.LogLevelToMatch=warn", f"1.AcceptOnMatch={value}", f"2={SPI}DenyAllFilter")
        for value in ("true", "FALSE", "", "0", "-1", "+1", "yes", "0x1", "1.5", "true x")
    },
    "match without a word": INFO + filters(f"1={SPI}LogLevelMatchFilter", "1.LogLevelToMatch=warn"),
    "match unknown": INFO + filters(f"1={SPI}LogLevelMatchFilter", "1.LogLevelToMatch=bogus", "1.AcceptOnMatch=true"),
    "minimum": INFO + filters(f"1={SPI}LogLevelRangeFilter", "1.LogLevelMin=warn"),
    "maximum": INFO + filters(f"1={SPI}LogLevelRangeFilter", "1.LogLevelMax=info"),
    "range": INFO + filters(f"1={SPI}LogLevelRangeFilter", "1.LogLevelMin=warn", "1.LogLevelMax=fatal", f"2={SPI}DenyAllFilter"),
    "accepting range": INFO
    + filters(f"1={SPI}LogLevelRangeFilter", "1.LogLevelMin=warn", "1.AcceptOnMatch=true", f"2={SPI}DenyAllFilter"),
    "misspelt range": INFO
    + filters(f"1={SPI}LogLevelRangeFilter", "1.logLevelMin=warn", "1.acceptOnMatch=true", f"2={SPI}DenyAllFilter"),
    "text": WARN + filters(f"1={SPI}StringMatchFilter", "1.StringToMatch=UID"),
    "accepted text": INFO
    + filters(f"1={SPI}StringMatchFilter", "1.StringToMatch=UID", "1.AcceptOnMatch=true", f"2={SPI}DenyAllFilter"),
    "no text": WARN + filters(f"1={SPI}StringMatchFilter", "1.StringToMatch=", f"2={SPI}DenyAllFilter"),
}

LAYOUTS = {
    "simple": f"{INFO}{APPENDER}.layout=log4cplus::SimpleLayout\n",
    "unknown": f"{WARN}{APPENDER}.layout=log4cplus::Bogus\n{APPENDER}.Threshold=OFF\n",
    "empty": f"{WARN}{APPENDER}.layout=\n" + filters(f"1={SPI}DenyAllFilter"),
    "no pattern": f"{WARN}{APPENDER}.layout=log4cplus::PatternLayout\n{APPENDER}.Threshold=OFF\n",
    "old name of the pattern": f"{WARN}{APPENDER}.layout=log4cplus::PatternLayout\n{APPENDER}.layout.Pattern=%m|%n\n",
    "both names of the pattern": f"{WARN}{PATTERN}%m|%n\n{APPENDER}.layout.Pattern=%m%n\n",
}

PATTERNS = [
    "%m%n", "%m", "", "abc", "%%|%%p|100%", "a%", "%", "%n%n", "\\n%m",
    "%p|%P|%c|%c{1}|%c{2}|%c{3}|%c{0}|%c{-1}|%c{x}|%c{}%n", "%c{1}{2}%p{1}%n", "%h|%x|%X|%X{a}%n",
    "%10p|%-10p|%.2p|%10.2p|%-10.2p|%.0p|%.10p|%010p|%-3.3p|x%n", "%.3m%n", "%20.10m|%n", "%5c{1}|%-20c|%.5c%n", "%--5p%n",
    "%5n|%3.2n", "%.2147483640m%n",
    # mistakes
    "%z%n", "%q%n", "%E|%E{HOME}%n", "%y %k %m%n", "%5%x%n", "%-%n", "%.x%n", "%.-3p%n", "%5.%n", "%5.5.5p%n",
    "%p%5-p|%5 p|% p%n", "%-p%-", "%p%5", "%p%.", "%p%.5", "%.5%m|%-5|%-%%|%5%n", "%X{%n", "%c{1", "%p%5.p%m%n",
]  # fmt: skip

TIMES = [
    "%d|%D|%d{}|%D{%Y-%m-%d %H:%M:%S.%q}%n", "%d{%q|%Q|%%|%s|%a %b %j|%E|x}%n",
    "%d{%y %C %G %g %V %U %u %w %z %Z %e %I %p %P %-d}%n",
    "%D{%H:%M:%S} %5p: %m%n", "%r %i %t %T%n", "%d{%H", "%20d{%H}|%-20d{%H}|%.2d%n", "%d{%%q %%}%n",
]  # fmt: skip
"""Patterns whose output is different at every call; what is compared is the output with 0 for every digit."""

SUBSTITUTED = [
    "${appname}", "${hostname}", "${FOO}", "${NONE}|", "${NOPE}|", "${}|", "${log4cplus.rootLogger}", "${my}", "${my", "$ {my}",
    "$${my}", "${${name}}", "${a${b}c}", "${NESTED}", "${FOO}${my}${NOPE}",
    "${NOPE}${my}", "${APPNAME}", "${ my }", "x}y", "${empty}|",
    "${half}my}",
]  # fmt: skip

FORMATS = {
    "blanks, comments, CR LF": " \tlog4cplus.rootLogger \t=\t WARN , c \r\n  # x=y\r\nno sense\r\n"
    + CONSOLE.replace("\n", "\r\n")
    + "\n",
    "the last one counts": f"{WARN}{APPENDER}=log4cplus::NullAppender\n",
    "no comments behind a value": f"log4cplus.rootLogger=WARN,c # comment\n{CONSOLE}",
    "more than one equals sign": f"{WARN}{PATTERN}a=b=c %p%n\n",
    "no continuation": f"{WARN}{PATTERN}a\\\n b%n\n",
    "white space around a value": f"{WARN}{PATTERN} \t%p\x0b\x0c%n\x0b\x0c \n",
    "empty key": f"= \n=x\n{WARN}",
    "no line end": f"{WARN}{PATTERN}%p%n",
    "substituted keys": "log4cplus.rootLogger=OFF\n${n}.rootLogger=WARN,c\nn=log4cplus\n" + CONSOLE,
    "substituted level": f"log4cplus.rootLogger=${{lev}},c\nlev=ERROR\n{CONSOLE}",
    "bytes that are no text": f"{WARN}{PATTERN}caf\udce9 %p%n\n",
    "names of this run cannot be set": f"{WARN}{PATTERN}${{appname}} ${{hostname}}%n\nappname=me\nhostname=you\n",
}

TABLES = {"loggers": LOGGERS, "filters": FILTERS, "layouts": LAYOUTS, "formats": FORMATS}

REFUSED = {
    "empty": "",
    "no settings": "# nothing\nfoo\nlog4cplus.rootLogger:WARN\n",
    "foreign settings": "foo=bar\n!log4cplus.rootLogger=WARN\n",
    "no root logger": "log4cplus.rootlogger=INFO\nlog4cplus.=x\n",
    "byte order mark": "\ufefflog4cplus.rootLogger=WARN\nlog4cplus.x=y\n",
    "root logger only after substitution": "${n}.rootLogger=WARN,c\nn=log4cplus\n",
}

COMMANDS = {
    "verify": "signed.dcm",
    "missing": "missing.dcm",
    "sign": "+m2 +s key.pem cert.pem in.dcm out.dcm",
    "odd": "odd.dcm",
    "arguments": "--arguments -t bogus signed.dcm",
    "usage": "in.dcm out.dcm",
    "certificates": "+cf missing +uf gone -t bogus in.dcm",
}


@pytest.fixture
def files(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The folder of `bench` with an object that gives a warning when read, and the variables that patterns name."""
    data = (bench.folder / "in.dcm").read_bytes()
    place = data.index(b"\x08\x00\x70\x00LO") + 6
    length = int.from_bytes(data[place : place + 2], "little")
    end = place + 2 + length
    (bench.folder / "odd.dcm").write_bytes(
        data[:place] + (length + 1).to_bytes(2, "little") + data[place + 2 : end] + b"X" + data[end:]
    )
    (bench.folder / "logs").mkdir()
    for name, value in {"FOO": "bar", "NESTED": "${appname}", "NONE": "", "empty": "full"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NOPE", raising=False)
    return bench


def configured(bench: Bench, config: str, *arguments: str) -> tuple[str, ...]:
    """The arguments behind an option for a configuration."""
    (bench.folder / "log.cfg").write_bytes(config.encode("utf-8", "surrogateescape"))
    return ("-lc", "log.cfg", *(arguments or ("signed.dcm",)))


def both(bench: Bench, config: str, *arguments: str) -> tuple[Outcome, Outcome]:
    """What this command and DCMTK's make of a configuration."""
    line = configured(bench, config, *arguments)
    return bench.ours(*line), bench.reference(*line)


@peer
@pytest.mark.parametrize(("table", "name"), [(table, name) for table in TABLES for name in TABLES[table]])
def test_configuration(files: Bench, table: str, name: str) -> None:
    ours, theirs = both(files, TABLES[table][name])
    assert ours == theirs


@peer
@pytest.mark.parametrize("level", ["FATAL", "ERROR", "WARN", "INFO"])
@pytest.mark.parametrize("command", COMMANDS)
def test_level(files: Bench, level: str, command: str) -> None:
    config = f"log4cplus.rootLogger={level},c\n{CONSOLE}{PATTERN}%c %p %m%n\n"
    ours, theirs = both(files, config, *COMMANDS[command].split())
    assert ours == theirs


@peer
@pytest.mark.parametrize(
    "config",
    [
        f"{WARN}{SUB}.dcmdata=ERROR\n",
        f"log4cplus.rootLogger=OFF,c\n{CONSOLE}{SUB}.dcmdata=WARN\n",
        f"{INFO}{SUB}.dcmdata=INHERITED,d\nlog4cplus.appender.d={CONSOLE.split()[-1]}\nlog4cplus.appender.d.logToStdErr=1\n",
        f"{INFO}log4cplus.additivity.dcmtk.dcmdata=false\n",
        f"{INFO}{PATTERN}%c{{1}} %m%n\n",
    ],
)
@pytest.mark.parametrize("dictionary", ["", "bad.dic:missing.dic"])
def test_logger_of_the_data(files: Bench, monkeypatch: pytest.MonkeyPatch, config: str, dictionary: str) -> None:
    (files.folder / "bad.dic").write_text("too few\n")
    if dictionary:
        monkeypatch.setenv("DCMDICTPATH", dictionary)
    ours, theirs = both(files, config, "odd.dcm")
    assert ours == theirs


@peer
@pytest.mark.parametrize(
    "arguments", ["in.dcm out.dcm", "--arguments in.dcm out.dcm", "--arguments -t bogus in.dcm", "missing.dcm"]
)
@pytest.mark.parametrize(
    "config",
    [
        f"log4cplus.rootLogger=FATAL,c\n{CONSOLE}{SUB}.dcmsign=DEBUG\n",
        f"log4cplus.rootLogger=WARN,c\n{CONSOLE}{SUB}.dcmsign=FATAL\n",
        f"{WARN}{APPENDER}.Threshold=WARN\n",
        f"{WARN}{SUB}=OFF\n",
        "log4cplus.rootLogger=FATAL,nope\n",
        "log4cplus.rootLogger=OFF\n",
        "log4cplus.rootLogger=\n",
        "log4cplus.rootLogger=WARN\n",
    ],
)
def test_what_the_root_logger_hides(files: Bench, config: str, arguments: str) -> None:
    ours, theirs = both(files, config, *arguments.split())
    if SUB + ".dcmsign=DEBUG" in config:  # these lines are our own
        ours, theirs = (Outcome(found.code, without_debug(found.out), found.err) for found in (ours, theirs))
    assert ours == theirs


def without_debug(text: str) -> str:
    return re.sub(r"(?m)^DEBUG - (.*\n)+?(?=[A-Z]+ - |\Z)", "", text)


@peer
@pytest.mark.parametrize("pattern", PATTERNS)
def test_pattern(files: Bench, pattern: str) -> None:
    ours, theirs = both(files, f"{WARN}{PATTERN}{pattern}\n")
    assert ours == theirs


@peer
@pytest.mark.parametrize("pattern", TIMES)
def test_pattern_of_the_moment(files: Bench, pattern: str) -> None:
    ours, theirs = both(files, f"{WARN}{PATTERN}{pattern}\n")
    assert shape(ours) == shape(theirs)


def shape(found: Outcome) -> Outcome:
    """The outcome with 0 for every number in the output."""
    dotted = re.sub(r"[0-9]", "0", found.out)
    return Outcome(found.code, re.sub(r"(?m)^0+ 0+ 0+ 0+$", "0 0 0 0", re.sub(r"(?m)^0+ \[0+\]", "0 [0]", dotted)), found.err)


@peer
def test_pattern_of_many_lines(files: Bench) -> None:
    """The pattern of a message with several lines is repeated; the header at level debug is one."""
    config = f"log4cplus.rootLogger=DEBUG,c\n{CONSOLE}{SUB}.dcmdata=OFF\n{PATTERN}<%p %c %m>%n\n"
    ours, theirs = both(files, config, "-t", "bogus", "--arguments", "in.dcm")
    assert ours == theirs
    assert ours.out.splitlines()[1] == "<INFO root >"
    simple, expected = both(files, config.replace("Pattern", "Simple"), "-t", "bogus", "--arguments", "in.dcm")
    assert simple == expected
    assert simple.out.splitlines()[1] == ""


@peer
@pytest.mark.parametrize(
    "settings",
    [[], ["DateFormat="], ["DateFormat=%H:%M:%S.%q"], ["DateFormat=%Q %z", "Use_gmtime=true"], ["DateFormat=x%", "Use_gmtime=1"]],
)
def test_layout_with_the_time(files: Bench, settings: list[str]) -> None:
    layout = "".join(f"{APPENDER}.layout.{setting}\n" for setting in settings)
    ours, theirs = both(files, f"{WARN}{APPENDER}.layout=log4cplus::TTCCLayout\n{layout}")
    assert shape(ours) == shape(theirs)


@peer
def test_local_and_universal_time(files: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "TEST-05:30")
        time.tzset()
        outcomes = both(files, f"{WARN}{PATTERN}%d{{%H:%M %z %Z}} %D{{%H:%M %z %Z}}%n\n")
    time.tzset()
    for found in outcomes:
        universal, *zone, local, offset, name = found.out.splitlines()[0].split()
        assert (minutes(local) - minutes(universal)) % (24 * 60) == 5 * 60 + 30
        assert (zone, offset, name) == (["+0000", "GMT"], "+0530", "TEST")


def minutes(clock: str) -> int:
    hours, rest = clock.split(":")
    return 60 * int(hours) + int(rest)


def test_process_and_thread(files: Bench) -> None:
    found = files.ours(*configured(files, f"{WARN}{PATTERN}%i %t %T%n\n"))
    assert found.out.splitlines()[0] == f"{os.getpid()} {threading.get_ident()} {threading.get_native_id()}"


@peer
@pytest.mark.parametrize("text", SUBSTITUTED)
def test_substitution(files: Bench, text: str) -> None:
    ours, theirs = both(files, f"{WARN}{PATTERN}{text} %p%n\nmy=mine\nname=my\nempty=\nhalf=${{\n")
    assert ours == theirs


@peer
@pytest.mark.parametrize("name", ["pid", "date", "time", "date}${time"])
def test_substitution_by_the_moment(files: Bench, name: str) -> None:
    ours, theirs = both(files, f"{WARN}{PATTERN}${{{name}}}%n\n")
    assert [re.sub(r"\d", "0", line)[-6:].lstrip("0") for line in ours.out.splitlines()] == ["", ""]
    if name != "pid":
        assert shape(ours) == shape(theirs)


@peer
@pytest.mark.parametrize("config", REFUSED.values(), ids=REFUSED)
def test_refused_configuration(files: Bench, config: str) -> None:
    ours, theirs = both(files, config)
    assert ours == theirs
    assert ours.code == 1


@peer
@pytest.mark.parametrize("name", ["missing", ".", "", "/dev/null", "logs"])
def test_refused_file(files: Bench, name: str) -> None:
    assert files.ours("-lc", name, "signed.dcm") == files.reference("-lc", name, "signed.dcm")


@pytest.mark.parametrize("level", ["bogus", "", "INHERIT", "INHERITED", "${level}", "WARN\t", "WARN INFO"])
def test_unknown_level_of_the_root_logger(files: Bench, level: str) -> None:
    """DCMTK's program aborts here."""
    config = f"log4cplus.rootLogger={level},c\n" + appender("FileAppender", "File=logs/file").partition("\n")[2]
    found = files.ours(*configured(files, config))
    assert (found.code, found.out) == (1, "")
    assert found.err.endswith("error: Specified --log-config file does not set a valid level for log4cplus.rootLogger\n")
    assert not os.listdir(files.folder / "logs")


FILE_APPENDERS = {
    "file": appender("FileAppender", "File=logs/file"),
    "appended": appender("FileAppender", "File=logs/file", "Append=TRUE"),
    "not appended": appender("FileAppender", "File=logs/file", "Append=bogus", "ImmediateFlush=false"),
    "names of the run": appender("FileAppender", "File=logs/${appname}-${hostname}"),
    "no name": appender("FileAppender"),
    "a folder": appender("FileAppender", "File=logs"),
    "no folder": appender("FileAppender", "File=logs/none/file", "ReopenDelay=0"),
    "full": appender("FileAppender", "File=/dev/full"),
    "full, unflushed": appender("FileAppender", "File=/dev/full", "ImmediateFlush=false"),
    "full, tried again": appender("FileAppender", "File=/dev/full", "ReopenDelay=0"),
    "standard output": appender("FileAppender", "File=/dev/stdout"),
    "hidden": appender("FileAppender", "File=logs/file", level="FATAL"),
    "rolling": appender("RollingFileAppender", "File=logs/file"),
    "rolled": appender("RollingFileAppender", "File=logs/large", "MaxFileSize=200KB"),
    "rolled, small limit": appender("RollingFileAppender", "File=logs/large", "MaxFileSize=1"),
    "rolled, several": appender("RollingFileAppender", "File=logs/large", "MaxFileSize=200kb", "MaxBackupIndex=3"),
    "rolled, no backup": appender("RollingFileAppender", "File=logs/large", "MaxFileSize=", "MaxBackupIndex=-3"),
    "rolled, no limit": appender("RollingFileAppender", "File=logs/large", "MaxFileSize=0"),
    "rolled, bad number": appender("RollingFileAppender", "File=logs/large", "MaxFileSize=x", "MaxBackupIndex=2x"),
    "rolled, folder in the way": appender("RollingFileAppender", "File=logs/blocked", "MaxFileSize=200KB"),
    "large limit": appender("RollingFileAppender", "File=logs/large", "MaxFileSize=1 MB"),
    "rolling, emptied": appender("RollingFileAppender", "File=logs/large", "MaxFileSize=200KB", "Append=false"),
    "rolling, no folder": appender("RollingFileAppender", "File=logs/none/file"),
    "monthly": appender("DailyRollingFileAppender", "File=logs/file", "Schedule=MONTHLY"),
    "weekly": appender("DailyRollingFileAppender", "File=logs/file", "Schedule=weekly"),
    "daily": appender("DailyRollingFileAppender", "File=logs/file", "Schedule=Daily"),
    "twice daily": appender("DailyRollingFileAppender", "File=logs/file", "Schedule=TWICE_DAILY"),
    "no schedule": appender("DailyRollingFileAppender", "File=logs/file"),
    "bad schedule": appender("DailyRollingFileAppender", "File=logs/file", "Schedule=twice daily"),
    "daily, several": appender("DailyRollingFileAppender", "File=logs/daily", "Schedule=DAILY"),
    "daily, one": appender("DailyRollingFileAppender", "File=logs/daily", "Schedule=DAILY", "MaxBackupIndex=0"),
    "daily, hidden": appender("DailyRollingFileAppender", "File=logs/new", "Schedule=DAILY", level="FATAL"),
    "daily, no folder": appender("DailyRollingFileAppender", "File=logs/none/file", "Schedule=DAILY"),
    "daily, no name": appender("DailyRollingFileAppender", "Schedule=DAILY"),
}


def written(bench: Bench, program: str, line: tuple[str, ...]) -> tuple[Outcome, dict[str, bytes]]:
    """Run a program in a folder with old log files; what it left there."""
    folder = bench.folder / "logs"
    shutil.rmtree(folder)
    (folder / "blocked.1" / "x").mkdir(parents=True)
    for name in ("large", "blocked"):
        (folder / name).write_bytes(bytes(200 * 1024))
    (folder / "file").write_text("old\n")
    (folder / "daily").write_text("old\n")
    day = datetime.date.today().isoformat()
    for number in range(1, 6):
        (folder / f"large.{number}").write_text(str(number))
        (folder / f"daily.{day}.{number}").write_text(str(number))
    (folder / f"daily.{day}").write_text("0")
    found = bench.ours(*line) if program == "ours" else bench.reference(*line)
    return found, {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@peer
@pytest.mark.parametrize("config", FILE_APPENDERS.values(), ids=FILE_APPENDERS)
def test_files(files: Bench, config: str) -> None:
    line = configured(files, config, "+cf", "missing", "+cf", "gone", "signed.dcm")
    assert written(files, "ours", line) == written(files, "reference", line)


@peer
@pytest.mark.skipif(not SAMPLE.exists(), reason="DCMTK's sample configuration is not installed")
def test_sample(files: Bench) -> None:
    """The sample writes messages to standard output, and all of them to a file."""
    results = []
    for program in (files.reference, files.ours):
        found = program("-lc", str(SAMPLE), "signed.dcm")
        lines = (files.folder / "dcmsign.log").read_text().splitlines()
        (files.folder / "dcmsign.log").unlink()
        shown = [shape(Outcome(0, line, "")).out for line in lines if "DEBUG" not in line and "WARN" in line]
        results.append((shape(found), shown, any("DEBUG" in line for line in lines)))
    assert results[0] == results[1]
    assert "WARN:   Signature Verification      : " in results[0][0].out


# what dcmsign 3.6.7 called the file when it ended at these times
PERIODS = {
    "2026-11-25 13:14:15": ("2026-11", "2026-46", "2026-11-25", "2026-11-25-PM", "2026-11-25-13", "2026-11-25-13-14"),
    "2026-11-22 00:00:00": ("2026-11", "2026-46", "2026-11-22", "2026-11-22-AM", "2026-11-22-00", "2026-11-22-00-00"),
    "2026-01-01 11:59:59": ("2026-01", "2025-51", "2026-01-01", "2026-01-01-AM", "2026-01-01-11", "2026-01-01-11-59"),
    "2026-01-03 12:00:00": ("2026-01", "2025-51", "2026-01-03", "2026-01-03-PM", "2026-01-03-12", "2026-01-03-12-00"),
    "2024-12-31 23:59:58": ("2024-12", "2024-52", "2024-12-31", "2024-12-31-PM", "2024-12-31-23", "2024-12-31-23-59"),
    "2026-03-01 00:10:00": ("2026-03", "2026-08", "2026-03-01", "2026-03-01-AM", "2026-03-01-00", "2026-03-01-00-10"),
}


@pytest.mark.parametrize("moment", PERIODS)
def test_period(moment: str) -> None:
    now = datetime.datetime.fromisoformat(moment).replace(second=0)
    schedules = log_files.SCHEDULES.values()
    assert tuple(schedule.start(now).strftime(schedule.form) for schedule in schedules) == PERIODS[moment]
    for schedule in schedules:
        end = schedule.end(schedule.start(now))
        assert end > now
        # the next period begins where this one ends
        assert schedule.start(end) == end
        assert schedule.start(end - datetime.timedelta(minutes=1)) == schedule.start(now)


def record(text: str, created: float) -> logging.LogRecord:
    found = logging.LogRecord("dcmtk.dcmsign", logging.WARNING, "", 0, text, None, None)
    found.created = created
    return found


def test_period_that_ends_while_the_program_runs(tmp_path: Path) -> None:
    handler = log_files.DailyRollingFileAppender({"File": str(tmp_path / "log"), "Schedule": "DAILY"})
    now = time.time()
    days = [datetime.date.fromtimestamp(now + 86400 * day).isoformat() for day in (0, 3)]
    for text, created in (("first", now), ("second", now + 3 * 86400), ("third", now + 3 * 86400 + 1)):
        handler.handle(record(text, created))
    assert (tmp_path / f"log.{days[0]}").read_text() == "WARN - first\n"
    assert (tmp_path / "log").read_text() == "WARN - second\nWARN - third\n"
    handler.close()
    handler.close()  # as logging does once more at the end of the interpreter
    assert (tmp_path / f"log.{days[1]}").read_text() == "WARN - second\nWARN - third\n"
    assert (tmp_path / "log").read_text() == ""


def test_file_that_can_be_written_again(tmp_path: Path) -> None:
    handler = log_files.FileAppender({"File": str(tmp_path / "folder" / "log"), "ReopenDelay": "0"})
    handler.handle(record("lost", 0))
    (tmp_path / "folder").mkdir()
    handler.handle(record("written", 0))
    handler.close()
    assert (tmp_path / "folder" / "log").read_text() == "WARN - written\n"


@pytest.mark.parametrize(
    ("text", "expected"), [(chr(0xD800), b"\\ud800"), (chr(0xDCE9), b"\xe9"), ("\0", b"\0"), ("a\nb", b"a\nb")], ids=range(4)
)
def test_text_that_is_no_text(tmp_path: Path, text: str, expected: bytes) -> None:
    handler = log_files.FileAppender({"File": str(tmp_path / "log")})
    handler.handle(record(text, 0))
    handler.close()
    assert (tmp_path / "log").read_bytes() == b"WARN - " + expected + b"\n"


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        found.settimeout(0)
        yield found


def received(receiver: socket.socket) -> list[str]:
    """What has come in, without process, day and time."""
    texts: list[str] = []
    while True:
        try:
            text = receiver.recv(65536).decode()
        except BlockingIOError:
            return texts
        text = re.sub(r"(?<=>1 )\S+", "TIME", text)
        text = re.sub(r"(?<=>)[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d", "TIME", text)
        texts.append(re.sub(r" \d+(?= dcmtk)", " PROCESS", text))


SYSLOG = [
    [], ["ident=me", "facility=LOCAL3"], ["facility=mail"], ["facility=bogus"], ["facility="],
    ["layout=log4cplus::PatternLayout", "layout.ConversionPattern=%p %m"],
]  # fmt: skip


@peer
@pytest.mark.parametrize("settings", SYSLOG)
def test_system_log_of_another_machine(files: Bench, receiver: socket.socket, settings: list[str]) -> None:
    port = receiver.getsockname()[1]
    config = appender("SysLogAppender", "host=127.0.0.1", f"port={port}", *settings, level="INFO")
    line = configured(files, config, "+cf", "missing", "-t", "bogus", "in.dcm")
    theirs, sent = files.reference(*line), received(receiver)
    assert files.ours(*line) == theirs
    assert received(receiver) == sent
    assert len(sent) == 2


@peer
def test_local_system_log(files: Bench) -> None:
    """One test: there is only one local system log, and tests may run side by side."""
    found = files.ours(*configured(files, appender("SysLogAppender")))
    assert (found.code, found.out, found.err) == (101, "", "")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as system_log:
        try:
            system_log.bind("/dev/log")
        except OSError:
            pytest.skip("there is a system log, or this user cannot make one")
        try:
            system_log.settimeout(0)
            for settings in SYSLOG:
                config = appender("SysLogAppender", *settings, level="INFO")
                line = configured(files, config, "+cf", "missing", "-t", "bogus", "in.dcm")
                theirs, sent = files.reference(*line), received(system_log)
                assert files.ours(*line) == theirs
                assert received(system_log) == sent
                assert len(sent) == 2
        finally:
            os.unlink("/dev/log")


@pytest.mark.parametrize("address", [["host=does.not.exist.invalid"], ["host=127.0.0.1", "port=99999999"]])
def test_system_log_that_cannot_be_reached(files: Bench, address: list[str]) -> None:
    found = files.ours(*configured(files, appender("SysLogAppender", *address)))
    assert (found.code, found.out) == (101, "")
    (line,) = found.err.splitlines()
    assert line.startswith(("log4cplus:ERROR SysLogAppender- cannot reach ", "log4cplus:WARN SysLogAppender::appendRemote- "))


@pytest.mark.parametrize("kind", ["SocketAppender", "Log4jUdpAppender", "NTEventLogAppender"])
def test_appenders_that_do_not_exist(files: Bench, kind: str) -> None:
    found = files.ours(*configured(files, appender(kind)))
    assert found.code == 101
    assert found.err.splitlines()[:2] == [
        f"log4cplus:ERROR PropertyConfigurator::configureAppenders()- Cannot find AppenderFactory: log4cplus::{kind}",
        "log4cplus:ERROR PropertyConfigurator::configureLogger()- Invalid appender: c",
    ]


def test_asynchronous_appender_without_another(files: Bench) -> None:
    """DCMTK's program aborts here."""
    found = files.ours(*configured(files, appender("AsyncAppender")))
    assert found.code == 101
    assert found.err.startswith("log4cplus:ERROR Unspecified appender for AsyncAppender.\n")


def test_output_on_standard_output_stays_clean(files: Bench) -> None:
    """DCMTK's program writes its messages into the object."""
    for kind in ("ConsoleAppender", "AsyncAppender"):
        config = appender(
            kind, "Appender=log4cplus::ConsoleAppender", "logToStdErr=false", "Appender.logToStdErr=false", level="INFO"
        )
        line = configured(files, config, "+m2", "+s", "key.pem", "cert.pem", "in.dcm", "-")
        done = subprocess.run([sys.executable, "-m", "dcmsign.stream", *line], capture_output=True, check=True, cwd=files.folder)
        assert done.stdout[128:132] == b"DICM"
        assert b"INFO - create signature in main object.\n" in done.stderr


def test_standard_output_nobody_reads(files: Bench) -> None:
    line = configured(files, INFO)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as output:
        done = subprocess.run([sys.executable, "-m", "dcmsign.stream", *line], stdout=output, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (101, b"")


def test_text_no_stream_can_encode() -> None:
    """Nothing is lost, and what follows is written too."""
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, "utf-8")
    for text in (chr(0xD800), "next"):
        log.put(stream, text)
    assert written.getvalue() == b"\\ud800next"
    stream.close()
    log.put(stream, "lost")


def test_nothing_is_left_behind(files: Bench) -> None:
    config = (
        "log4cplus.rootLogger=TRACE,c,a,b,d,e\n"
        + CONSOLE
        + "".join(
            f"log4cplus.appender.{name}=log4cplus::{kind}\nlog4cplus.appender.{name}.File=logs/{name}\n"
            for name, kind in zip(
                "abde", ("FileAppender", "RollingFileAppender", "DailyRollingFileAppender", "SysLogAppender"), strict=True
            )
        )
        + "log4cplus.appender.e.host=127.0.0.1\n"
    )
    before = files.ours("signed.dcm")
    descriptors = os.listdir("/proc/self/fd")
    assert files.ours(*configured(files, config)).code == 101
    assert os.listdir("/proc/self/fd") == descriptors
    assert log.LIBRARY.handlers == []
    assert {logging.getLogger(name).level for name in ("dcmsign", "dcmsign.stream.input")} == {logging.NOTSET}
    assert files.ours("signed.dcm") == before


@pytest.mark.parametrize("arguments", [["in.dcm"], ["-v", "in.dcm"], ["-ll", "trace", "in.dcm"]])
def test_the_modules_stay_unloaded(files: Bench, arguments: list[str]) -> None:
    code = (
        f"import sys; from dcmsign.stream.cli import main; main({arguments!r}); print([n for n in sys.modules if '.log_' in n])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, cwd=files.folder)
    assert done.stdout == "[]\n"


LONG = "".join(f"a{number} = ${{a{number + 1}}}${{a{number + 1}}}\n" for number in range(60)) + "a60 = x\n"


@pytest.mark.parametrize(
    "settings", ["a=${a}\n", "a=x${a}\n", "a=${b}\nb=${a}\n", "${a}=${a}\na=${a}${a}\n", LONG.replace("a0", "a")]
)
def test_endless_substitution(files: Bench, settings: str) -> None:
    """DCMTK's program does not end."""
    found = files.ours(*configured(files, f"{WARN}{PATTERN}${{a}}%n\n{settings}"))
    assert found.code == 101
    assert re.search(r'^log4cplus:ERROR ".*" is not substituted, it would become too long\.$', found.err, re.MULTILINE)


@pytest.mark.parametrize(
    "config",
    [
        f"{WARN}{PATTERN}%99999999999p%999999999999999999999999.99999999999999999999999999p%n\n",
        f"{WARN}{PATTERN}%D{{%0999999999d}}%D{{\0}}%n\n",
        appender("RollingFileAppender", "File=logs/large", "MaxFileSize=1", "MaxBackupIndex=2147483647"),
        appender("DailyRollingFileAppender", "File=logs/\0", "Schedule=DAILY"),
        appender("FileAppender", "File=logs/" + "x" * 5000, "ReopenDelay=99999999999999999999"),
        "log4cplus.rootLogger=WARN,c\n" + APPENDER + "=log4cplus::AsyncAppender\n"
        + "".join(f"{APPENDER}{'.Appender' * depth}=log4cplus::AsyncAppender\n" for depth in range(1, 200)),
        WARN + "".join(f"log4cplus.logger.{'a.' * depth}=INFO,c\n" for depth in range(100)),
        WARN + filters(*(f"{number}={SPI}LogLevelMatchFilter" for number in range(1, 3000))),
        "log4cplus.rootLogger=WARN" + ",c" * 60000 + "\n" + CONSOLE,
    ],
)  # fmt: skip
def test_hostile_configuration(files: Bench, config: str) -> None:
    found = files.ours(*configured(files, config))
    assert found.code == 101
    assert len(found.out) < 10_000
    assert "Traceback" not in found.err


@pytest.mark.parametrize("name", ["/dev/zero", "large.cfg"])
def test_large_file(files: Bench, name: str) -> None:
    (files.folder / "large.cfg").write_text(WARN + "#" * log_properties.MAX_FILE)
    found = files.ours("-lc", name, "signed.dcm")
    assert (found.code, found.err.splitlines()[-1]) == (1, "error: Specified --log-config file is larger than 262144 bytes")


def test_widths_are_bounded() -> None:
    layout = log_layouts.PatternLayout({"ConversionPattern": "%5000p|%-5000p|%5000.2p"})
    lengths = [len(part) for part in layout.format(record("", 0)).split("|")]
    assert lengths == [log_layouts.MAX_WIDTH, log_layouts.MAX_WIDTH, 2]


def test_traceback_of_a_message(tmp_path: Path) -> None:
    try:
        raise ValueError("reason")
    except ValueError:
        found = logging.LogRecord("dcmtk.dcmsign", logging.DEBUG, "", 0, "text", None, sys.exc_info())
    lines = log_layouts.PatternLayout({"ConversionPattern": "%P: %m%n"}).format(found).splitlines()
    assert lines[0] == "D: text"
    assert lines[-1] == "D: ValueError: reason"
