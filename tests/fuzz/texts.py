"""Any text as a data dictionary, a log configuration, a command line, tags, or the location of an item."""

from __future__ import annotations

import contextlib
import io
import logging

from dcmsign.codec.dicom import dictionary_text
from dcmsign.codec.dicom.dictionary import BUILT_IN, Dictionary
from dcmsign.codec.errors import Error
from dcmsign.codec.signature.location import parse_location
from dcmsign.stream.cli import grammar, log_appenders, log_config, log_properties, tags, values
from dcmsign.stream.cli import option_table as table
from dcmsign.stream.cli.evaluation import Evaluation
from dcmsign.stream.cli.grammar import UsageError
from dcmsign.stream.cli.options import Block

HARMLESS = ("log4cplus::ConsoleAppender", "log4cplus::NullAppender", log_appenders.ASYNC)
"""Appenders that write no file and send nothing."""

LONGEST = 1 << 22


def check_dictionary(data: bytes) -> None:
    """Every text gives a dictionary and a bounded list of problems, which can be shown."""
    text = data.decode("latin-1")
    dictionary, problems = dictionary_text.parse([text])
    assert isinstance(dictionary, Dictionary)
    assert len(problems) == 1
    assert len(problems[0]) <= 3 * (text.count("\n") + len(text) // 2047 + 1)
    for problem in problems[0]:
        shown = problem.code.value.format(path="p", line=problem.line, text=problem.text)
        assert shown.isprintable(), shown
    for tag in (0x00080018, 0x00091001, 0x60003000, 0x7FE00010):
        assert len(dictionary.plain.get(tag, "")) in (0, 2)
        dictionary.tag_of("PatientName")


def check_log_config(data: bytes) -> None:
    """Every configuration ends in loggers or in an error of usage, whatever the settings of appenders, layouts and filters."""
    text = data.decode("utf-8", "surrogateescape")
    properties = log_properties.parse(text)
    properties.update(log_properties.predefined())
    shown = io.StringIO()
    with contextlib.redirect_stderr(shown), contextlib.redirect_stdout(shown):
        log_properties.Substitution(properties).run()
        settings = log_properties.subset(properties, log_properties.PREFIX)
        assert all(len(part) <= 2 * log_properties.MAX_TEXT for item in settings.items() for part in item)
        appenders = {}
        for name, kind in log_properties.subset(settings, "appender.").items():
            if "." not in name:
                own = log_properties.subset(settings, f"appender.{name}.")
                inner = [value for key, value in own.items() if key.split(".")[-1] == "Appender"]
                kinds = [each if each in HARMLESS else HARMLESS[0] for each in (kind, *inner)]
                own |= {
                    key: HARMLESS[0] for key, value in own.items() if key.split(".")[-1] == "Appender" and value not in HARMLESS
                }
                appender = log_appenders.make(kinds[0], own)
                if appender is not None:
                    appenders[name] = appender
        hierarchy = log_config._hierarchy(settings, appenders)
        output = log_config.ConfiguredOutput(hierarchy, tuple(appenders.values()))
        for name in ("dcmsign.stream.input", "dcmsign.command", "root"):
            for message in ("plain", "two\nlines \udcff"):
                output.handle(logging.LogRecord(name, logging.WARNING, "", 0, message, None, None, ""))
        output.close()
    assert shown.tell() <= LONGEST


def check_command_line(data: bytes) -> None:
    """Any arguments are a command line or an error of usage, and passwords in URLs are masked."""
    text = data.decode("utf-8", "surrogateescape")
    arguments = grammar.split(text)
    assert sum(map(len, arguments)) <= len(text)
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            line = grammar.parse([argument for argument in arguments if not argument.startswith("@")])
            values.masked(line)
            evaluation = Evaluation(line)
            evaluation.log_level()
            for block in _blocks():
                evaluation.settle(block)
            evaluation.check_output()
            evaluation.check_authority()
        except UsageError as error:
            assert str(error)


def _blocks() -> list[Block]:
    return [block for section in table.SECTIONS for block in section.blocks]


def check_tags(data: bytes) -> None:
    """A tag, a tag file, the location of an item: parsed, or refused in the ordinary way."""
    text = data.decode("utf-8", "surrogateescape")
    tag = tags.parse_tag(text, BUILT_IN)
    assert tag is None or 0 <= tag < 1 << 32
    with contextlib.suppress(tags.TagSyntaxError):
        assert all(0 <= tag < 1 << 32 for tag in tags.parse_tag_file(text, BUILT_IN))
    with contextlib.suppress(Error):
        parse_location(text, BUILT_IN.tag_of)


DICTIONARIES = [
    b"(0008,0018)\tUI\tSOPInstanceUID\t1\tDICOM\n(6000-60FF,3000)\tox\tOverlayData\t1-n\n# comment\n\n",
    b'(0009,"CREATOR",01)\tLO\tPrivateName\t1\tPrivateTag\n(0009-o-00FF,"X Y",10-u-20)\tup\tOther\n(0x10,-1)\tna\tA',
]
_APPENDER = b"log4cplus.appender.c"
CONFIGURATIONS = [
    b"log4cplus.rootLogger = INFO, c, d\n" + _APPENDER + b" = log4cplus::ConsoleAppender\n" + _APPENDER + b".layout = "
    b"log4cplus::PatternLayout\n" + _APPENDER + b".layout.ConversionPattern = %D{%H:%M:%S.%q} %-5.10p %c{2} %m%n\n"
    b"log4cplus.appender.d = log4cplus::AsyncAppender\nlog4cplus.appender.d.Appender = log4cplus::NullAppender\n",
    b"log4cplus.rootLogger=${level},c\nlevel=WARN\n" + _APPENDER + b"=log4cplus::ConsoleAppender\n" + _APPENDER + b".Threshold="
    b"ERROR\n"
    + _APPENDER
    + b".filters.1=log4cplus::spi::LogLevelRangeFilter\n"
    + _APPENDER
    + b".filters.1.LogLevelMin=INFO\n"
    + _APPENDER
    + b".filters.2=log4cplus::spi::DenyAllFilter\nlog4cplus.logger.dcmtk.dcmsign=INHERITED,c\n"
    b"log4cplus.additivity.dcmtk.dcmsign=false\n"
    + _APPENDER
    + b".layout=log4cplus::TTCCLayout\n"
    + _APPENDER
    + b".layout.DateFormat=%Y-%m-%d %Q\n",
]
COMMANDS = [
    b"-v --verify in.dcm",
    b"+s key.pem cert.pem -t 0010,0010 +sp 5 --timestamp-url http://user:secret@host/ in.dcm out.dcm",
    b"-d --batch --jobs 3 'a b' \"c",
]
PLACES = [
    b"ReferencedSeriesSequence[0].ReferencedImageSequence[1]",
    b"(0008,1140)[0].(0008,1150)",
    b"(0008,0018) PatientName\n(10,10 comment)",
]
OPTION_NAMES = [name.encode() for name in table.BY_NAME]
