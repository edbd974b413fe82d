"""Every text of the command in one table; the verdicts on signatures stand in `stream.reports`."""

from __future__ import annotations

from typing import Final

# usage errors, behind "error: "
UNKNOWN_OPTION: Final = "Unknown option {}"
MISSING_VALUE: Final = "Missing value for option {}"
MISSING_PARAMETER: Final = "Missing parameter dcmfile-in"
TOO_MANY_PARAMETERS: Final = "Too many parameters"
FOLDER_REQUIRED: Final = "--output-directory required for {} with --batch"
UNREADABLE_COMMAND_FILE: Final = "Cannot open command file '{}'"
ONLY_WITH: Final = "{} only allowed with {}"
OUTPUT_REQUIRED: Final = "parameter dcmfile-out required for {}"
OUTPUT_NOT_ALLOWED: Final = "parameter dcmfile-out not allowed for --verify"
BAD_PURPOSE: Final = "Invalid value for option --sig-purpose ({})"
EMPTY_PURPOSE: Final = "Invalid value for option --sig-purpose"
PURPOSE_UNDERFLOW: Final = "underflow: {}"
PURPOSE_OVERFLOW: Final = "overflow: {}"
BAD_VALUE: Final = "Invalid value for option {} ({})"
CREDENTIALS_IN_URL: Final = (
    "Invalid value for option {} (user and password do not belong into a URL, see --ts-user; any other @ is written as %40)"
)
BAD_USER: Final = "Invalid value for option {} (a user name is text in UTF-8 without a colon)"
NO_PASSWORD: Final = "--ts-user requires --ts-password-file or the environment variable {}"
BAD_LOG_LEVEL: Final = "Invalid log level for --log-level option"
NOT_ALLOWED_WITH: Final = "{} not allowed with {}"
VERBOSITY: Final = "--verbose, --debug or --quiet"
NO_LOG_CONFIG: Final = "Specified --log-config file does not exist"
UNREADABLE_LOG_CONFIG: Final = "Specified --log-config file cannot be read"
LOG_CONFIG_TOO_LARGE: Final = "Specified --log-config file is larger than {} bytes"
EMPTY_LOG_CONFIG: Final = "Specified --log-config file does not contain any settings"
FOREIGN_LOG_CONFIG: Final = "Specified --log-config file does not contain any valid settings"
NO_ROOT_LOGGER: Final = "Specified --log-config file does not set up log4cplus.rootLogger"
BAD_ROOT_LEVEL: Final = "Specified --log-config file does not set a valid level for log4cplus.rootLogger"

STANDARD_STREAM: Final = "-"
"""Standard input or output as the name of a file."""

# header, version and purposes
HEADER: Final = "$dcmsign: dcmsign v{} {} $"
TITLE: Final = "dcmsign: Sign and Verify DICOM Files"
USAGE: Final = "usage: dcmsign [options] dcmfile-in [dcmfile-out]"
USAGE_ERROR: Final = "error: {}"
HOST: Final = "Host type: {}"
CHARACTERS: Final = "Character encoding: {}"
BUILD: Final = "Build options: {}"
LIBRARIES: Final = "External libraries used:"
PURPOSES: Final = "Digital Signature Purpose Codes:"
ARGUMENTS: Final = "calling 'dcmsign' with {} arguments: {}\n"
MASK: Final = "***"
"""Stands for user and password."""

# preparation
AUTHORIZATION_ADVICE: Final = """\
The Authorization RSA Digital Signature Profile requires that any
attributes whose values are verifiable by the technician or physician
(e.g., their values are displayed to the technician or physician) must
be included in the signature. Please assure this using --tag options."""
UNUSABLE_CERTIFICATE_FILE: Final = "unable to load certificate file '{}', ignoring"
UNUSABLE_CERTIFICATE_DIRECTORY: Final = "unable to load certificates from directory '{}', ignoring"
UNUSABLE_REVOCATION_LIST: Final = "unable to load CRL file '{}', ignoring"
UNREADABLE_REVOCATION_LIST: Final = "file cannot be read: while loading certificate revocation list '{name}'"
DICTIONARY: Final = "DcmDataDictionary: {}"
NO_DICTIONARY: Final = "no data dictionary loaded, check environment variable: DCMDICTPATH"
UNKNOWN_TAG: Final = "unknown attribute tag '{}'"
NO_TAG_FILE: Final = "file not found: {}"
UNKNOWN_NAME: Final = "attribute name '{}' unknown."
TAG_FILE_SYNTAX: Final = "parse error in text file '{}'"
TAG_FILE_GIVEN_UP: Final = "Error while reading tag file '{}', giving up."
EMPTY_INPUT_NAME: Final = "invalid filename: <empty string>"
UNREADABLE_PASSWORD: Final = "{text}: reading password: {name}"
NOT_UTF8: Final = "Not UTF-8"
PASS_PHRASE_PROMPT: Final = "Enter PEM pass phrase:"

# operations
OPEN_INPUT: Final = "open input file {}"
VERIFYING: Final = "verifying all signatures."
IGNORED: Final = "Found Digital Signature Sequence within the Original Attributes Sequence, ignoring."
NO_SIGNATURES: Final = "no signatures found in dataset."
SIGNATURE_REQUIRED: Final = "no signatures found although required by the signature verification policy."
PROFILE_REQUIRED: Final = "No signature in this dataset fulfills the required {} signature policy"
REMOVED: Final = "{} signatures found and removed from dataset."
REMOVED_ONE: Final = "Signature UID={}"
VERIFIED: Final = "{} signatures verified in dataset, {} corrupted."

# earlier states
NO_EARLIER_STATES: Final = "no earlier states of the dataset are known."
EARLIER_STATE: Final = "State #{} before the change of {} by {} ({})"
NO_EARLIER_SIGNATURES: Final = "no signatures found in this state."
EARLIER_FLAW: Final = "Original Attributes Sequence item {}: {}"
EARLIER_VERIFIED: Final = "{} signatures verified in earlier states, {} corrupted."
EARLIER_UNVERIFIED: Final = "signatures at {} belong to no earlier state and have not been verified."

# failures of operations
DETAIL: Final = "{place}: {message}"
OFFSET: Final = "offset {}"
ELEMENT_AT: Final = "{} at {}"
ABSENT: Final = "attribute {element} should be signed but is not present in the dataset."
UNSIGNABLE: Final = "List of attributes to be signed contains unsignable element {element} {keyword}"
READING: Final = "{text}: reading file: {name}"
WRITING: Final = "{text}: writing file: {name}"
NO_CONVERSION: Final = "No conversion to transfer syntax {name} possible!"
NO_CONVERSION_REASON: Final = "DcmDataset: {message}"
PREMATURE_END: Final = "I/O suspension or premature end of stream"
END_OF_STREAM: Final = "End of stream"
INVALID_STREAM: Final = "Invalid stream"
META_HEADER_MISSING: Final = "File meta information header missing"
CREATING: Final = "{text} while creating signature in {name}"
IN_MAIN_DATA_SET: Final = "main dataset"
IN_ITEM: Final = "item '{}'"
ITEM_NOT_FOUND: Final = "desired signature location not found"
REASON: Final = "{message}"
REASON_ONLY: Final = "{text}"
UNSUITABLE_DATA_SET: Final = "dataset not suitable for the selected security profile"
REQUIRED_MISSING: Final = "cannot create signature for current signature profile: required attributes missing"
UNSIGNABLE_REQUIRED: Final = (
    "List of attributes to be signed according to signature profile contains unsignable element {element} {keyword}"
)
REMOVING: Final = "{text}: while removing signature"
KEY_MISMATCH: Final = "certificate and private key do not match"
UNSUPPORTED_KEY: Final = "signature algorithm not allowed for the selected security profile"
NOTHING_TO_SIGN: Final = "selected dataset or item is empty, nothing to sign"
UNSIGNABLE_ELEMENT: Final = "list of attributes to be signed contains attribute that is not signable"
ELEMENT_NOT_FOUND: Final = "Tag not found"
UNUSABLE_MAC_SYNTAX: Final = "unable to use the selected transfer syntax for MAC computation"
NO_MAC_ID_LEFT: Final = "no more MAC ID numbers available"
CRYPTO_FAILURE: Final = "an OpenSSL call has failed"
MAC_UNSUPPORTED: Final = "MAC algorithm not supported"
UNREADABLE_CERTIFICATE: Final = "file cannot be read: while loading certificate file '{name}'"
UNREADABLE_KEY: Final = "file cannot be read: while loading private key file '{name}'"
UNUSABLE_POLICY: Final = "unusable policy '{name}': {text}"
VIOLATED: Final = "policy {}: {}"
UNUSABLE_DUMP: Final = "unable to create dump file '{name}'"
INTERNAL_ERROR: Final = "internal error: {}"

# listing of signatures
SIGNATURE: Final = "Signature #{} UID={}"
UNKNOWN: Final = "(unknown)"
MAIN_DATA_SET: Final = "Main Dataset"
NOT_SPECIFIED: Final = "(not specified)"
NO_CERTIFICATE: Final = "none"
PURPOSE: Final = "{} ({}, {})"
NOT_BEFORE: Final = "not before {}"
NOT_AFTER: Final = "not after {}"
INCOMPLETE: Final = "incomplete, {} bytes in {} data elements are not protected"
TIMESTAMP_ABSENT: Final = "absent"
TIMESTAMP_REQUIRED: Final = "absent, but required by timestamp policy"
TIMESTAMP_IGNORED: Final = "present, but ignored according to timestamp policy"
TIMESTAMP_VERSION: Final = "CMS_TSP version {}"
TIMESTAMP_CERTIFICATE: Final = "  Timestamp signature certificate: "
TIMESTAMP_OK: Final = "OK"
TIMESTAMP_EXTENDS: Final = "OK, extends validity period of expired signature."
TIMESTAMP_WAS_TRUSTED: Final = "OK, signer was trusted at the time of the timestamp."
TIMESTAMP_FAILED: Final = "timestamp signature verification failed: {}"

# timestamps
INSERTING: Final = "inserting certified timestamp."
NO_QUERY_FILE: Final = "Unable to load timestamp query file '{name}'"
NO_REPLY_FILE: Final = "Unable to load timestamp response file '{name}'"
NO_UID_FILE: Final = "Cannot load UID file '{name}'"
NO_UID: Final = "No Digital Signature UID found in  UID file '{name}'"
STATUS: Final = "timestamp response status: {}"
STATUS_TEXT: Final = "timestamp response status text: {}"
BAD_POLICY: Final = "invalid object identifier (OID) string"
BAD_POLICY_TEXT: Final = "Cannot convert {} to OID."
REQUESTING: Final = "{text}: requesting timestamp from {name}"
ANYBODY: Final = "no --ts-cert-file: it is not checked who vouches for the time-stamping authority."

# many files
NOT_REGULAR: Final = "not a regular file"
SEEN: Final = "a directory that has been searched already"
UNFINISHED: Final = "an output that was not finished"
SUMMARY: Final = (
    "{files} files: {good} good, {bad} bad, {errors} errors, {skipped} skipped, {before} done before; {size} in {seconds:.1f} s"
)
INTERRUPTED: Final = "interrupted; "
MAKING_MANIFEST: Final = "{}: making manifest: {}"

# trouble with logging, in the words of log4cplus, the logging library inside DCMTK
LOGGING: Final = "log4cplus:{} {}\n"
NO_CLOSING_BRACE: Final = '"{}" has no closing brace. Opening brace at position {}.'
ENDLESS_SUBSTITUTION: Final = '"{}" is not substituted, it would become too long.'
NO_APPENDER_CLASS: Final = "PropertyConfigurator::configureAppenders()- Cannot find AppenderFactory: {}"
NO_ASYNC_APPENDER: Final = "Unspecified appender for AsyncAppender."
NO_ASYNC_APPENDER_CLASS: Final = "AsyncAppender::AsyncAppender() - Cannot find AppenderFactory: {}"
BAD_LOGGER: Final = 'PropertyConfigurator::configureLogger()- Invalid config string(Logger = {}): "{}"'
NO_APPENDER: Final = "PropertyConfigurator::configureLogger()- Invalid appender: {}"
NO_APPENDERS: Final = "No appenders could be found for logger ({})."
NOT_INITIALIZED: Final = "Please initialize the log4cplus system properly."
NO_LAYOUT_CLASS: Final = 'Cannot find LayoutFactory: "{}"'
NO_LAYOUT: Final = "Error while creating Layout: {}"
NO_PATTERN: Final = "ConversionPattern not specified in properties"
DEPRECATED_PATTERN: Final = 'PatternLayout- the "Pattern" property has been deprecated.  Use "ConversionPattern" instead.'
EMPTY_PATTERN: Final = "PatternLayout pattern is empty.  Using default..."
UNEXPECTED_CHARACTER: Final = "Unexpected char [{}] at position {} in conversion pattern."
DIGIT_EXPECTED: Final = 'Error occurred in position {}.\n Was expecting digit, instead got char "{}".'
NO_OPTION_END: Final = "No matching '}}' found in conversion pattern string \"{}\""
NO_FILTER_CLASS: Final = "Appender::ctor()- Cannot find FilterFactory: {}"
NO_LOG_FILE_NAME: Final = "Invalid filename"
UNUSABLE_LOG_FILE: Final = "Unable to open file: {}"
LOG_FILE_NOT_OPEN: Final = "file is not open: {}"
LOG_FILE_NOT_REOPENED: Final = "Failed to open file {}"
LOG_FILE_NOT_RENAMED: Final = "Failed to rename file from {} to {}; error {}"
BAD_SCHEDULE: Final = 'DailyRollingFileAppender::ctor()- "Schedule" not valid: {}'
UNKNOWN_FACILITY: Final = "Unknown syslog facility: {}"
NO_SYSLOG_WRITE: Final = "SysLogAppender::appendRemote- socket write failed"
NO_SYSLOG: Final = "SysLogAppender- cannot reach {}: {}"
