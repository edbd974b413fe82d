"""The option table: one row per option drives parsing, conditions and the help text.

Rows stand in the order of the help text, which is also the order in which options are evaluated.
"""

from __future__ import annotations

from . import messages
from .options import Block, Condition, Kind, Option, Section

PARAMETERS = (
    ("dcmfile-in", ("DICOM input filename to be processed", '("-" for stdin)')),
    ("dcmfile-out", ("DICOM output filename", '("-" for stdout)')),
)

READ_DATASET = Condition("--read-dataset", frozenset({"--read-dataset"}))
VERIFY = Condition("--verify", frozenset({"--verify"}))
SIGN = Condition("--sign", frozenset({"--sign"}))
CREATE = Condition("--sign or --sign-item", frozenset({"--sign", "--sign-item"}))
AUTHORITY_COMMANDS = frozenset({"--timestamp-url", "--request-timestamp"})
# the others are not named in the message, but satisfy the condition
TIMESTAMP_FILE = Condition("--timestamp-file", frozenset({"--timestamp-file", "--insert-timestamp"}) | AUTHORITY_COMMANDS)
REQUEST = Condition("--timestamp-url or --request-timestamp", AUTHORITY_COMMANDS)
USER = Condition("--ts-user", frozenset({"--ts-user"}))
TIME_CHECK = Condition("--ts-check-time, --timestamp-url or --request-timestamp", AUTHORITY_COMMANDS | {"--ts-check-time"})

JUDGED = Condition("--verify, --sign or --sign-item", frozenset({"--verify", "--sign", "--sign-item"}))
MANIFESTS = frozenset({"--make-manifest", "--verify-manifest"})
BATCHES = Condition("--batch", frozenset({"--batch"}) | MANIFESTS)  # as for --timestamp-file

FILE_NAME = ("[f]ilename: string",)

GENERAL = Block(
    "general",
    "",
    (
        Option("-h", "--help", ("print this help text and exit",), kind=Kind.EXIT),
        Option("", "--version", ("print version information and exit",), kind=Kind.EXIT),
        Option("", "--arguments", ("print expanded command line arguments",), kind=Kind.SINGLE, note="passwords as `***`"),
        Option("-q", "--quiet", ("quiet mode, print no warnings and errors",), setting="fatal"),
        Option("-v", "--verbose", ("verbose mode, print processing details",), setting="info"),
        Option("-d", "--debug", ("debug mode, print debug information",), setting="debug"),
        Option(
            "-ll",
            "--log-level",
            ("use level l for the logger",),
            1,
            ("[l]evel: string constant", "(fatal, error, warn, info, debug, trace)"),
            kind=Kind.SINGLE,
        ),
        Option(
            "-lc",
            "--log-config",
            ("use config file f for the logger",),
            1,
            FILE_NAME,
            kind=Kind.SINGLE,
            note="an unknown root level is a usage error, exit code 1 (DCMTK aborts)",
        ),
    ),
)

READ = Block(
    "read",
    "input file format:",
    (
        Option("+f", "--read-file", ("read file format or data set (default)",), setting="auto", default=True),
        Option("+fo", "--read-file-only", ("read file format only",), setting="file"),
        Option("-f", "--read-dataset", ("read data set without file meta information",), setting="dataset"),
    ),
)

READ_SYNTAX = Block(
    "read-syntax",
    "input transfer syntax:",
    (
        Option("-t=", "--read-xfer-auto", ("use TS recognition (default)",), default=True),
        Option("-td", "--read-xfer-detect", ("ignore TS specified in the file meta header",), setting="detect"),
        Option(
            "-te",
            "--read-xfer-little",
            ("read with explicit VR little endian TS",),
            only_with=READ_DATASET,
            setting="1.2.840.10008.1.2.1",
        ),
        Option(
            "-tb",
            "--read-xfer-big",
            ("read with explicit VR big endian TS",),
            only_with=READ_DATASET,
            setting="1.2.840.10008.1.2.2",
        ),
        Option(
            "-ti",
            "--read-xfer-implicit",
            ("read with implicit VR little endian TS",),
            only_with=READ_DATASET,
            setting="1.2.840.10008.1.2",
        ),
    ),
)

UNKNOWN = Block(
    "unknown",
    "handling of defined length UN elements:",
    (
        Option("-uc", "--retain-un", ("retain elements as UN (default)",), default=True),
        Option("+uc", "--convert-un", ("convert to real VR if known",), setting="convert"),
    ),
)

COMMAND = Block(
    "command",
    "",
    (
        Option(
            "",
            "--verify",
            ("verify all signatures (default)",),
            default=True,
            note="a digest from which DCMTK left something out is accepted, but reported",
        ),
        Option(
            "+s",
            "--sign",
            ("create signature in main object",),
            2,
            ("[p]rivate key file, [c]ertificate file: string",),
            needs_output=True,
            note="nothing is left out of the digest of large nested sequences",
        ),
        Option(
            "+si",
            "--sign-item",
            ("create signature in sequence item",),
            3,
            ("[k]eyfile, [c]ertfile, [i]tem location: string",),
            needs_output=True,
            note="nothing is left out of the digest of large nested sequences",
        ),
        Option(
            "+t",
            "--insert-timestamp",
            ("insert certified timestamp from ts response r", "from timestamp query q at signature UID u"),
            3,
            ("ts[q]file, ts[r]file [u]idfile: string",),
            needs_output=True,
        ),
        Option(
            "",
            "--request-timestamp",
            ("request certified timestamp for signature UID u", "from time-stamping authority at URL a and insert it"),
            2,
            ("[u]id, [a]uthority URL: string",),
            needs_output=True,
            note="query, exchange and `--insert-timestamp` in one step",
            added=True,
        ),
        Option(
            "+r",
            "--remove",
            ("remove signature",),
            1,
            ("[s]ignature UID: string",),
            needs_output=True,
        ),
        Option(
            "+ra",
            "--remove-all",
            ("remove all signatures from data set",),
            needs_output=True,
            note="a Digital Signatures Sequence without items is left alone (DCMTK never ends)",
        ),
    ),
)

ENCODING = Block(
    "encoding",
    "key and certificate file format:",
    (
        Option("-pem", "--pem-keys", ("read keys/certificates as PEM file (default)",), setting="PEM", default=True),
        Option("-der", "--der-keys", ("read keys/certificates as DER file",), setting="DER"),
    ),
)

FORMAT = Block(
    "format",
    "signature format:",
    (
        Option(
            "-fn",
            "--format-new",
            ("use correct DICOM signature format (default)",),
            setting="STANDARD",
            default=True,
        ),
        Option("-fo", "--format-old", ("use old (pre-3.5.4) DCMTK signature format",), setting="OLD"),
        Option(
            "-fd",
            "--format-dcmtk",
            ("sign in DCMTK's incomplete form, for peers", "that need it"),
            setting="DCMTK",
            note="for peers that accept only what DCMTK digests",
            added=True,
        ),
    ),
)

POLICY = Block(
    "policy",
    "signature verification:",
    (
        Option(
            "+rv",
            "--verify-if-present",
            ("verify signatures if present, pass otherwise", "(default)"),
            only_with=VERIFY,
            default=True,
        ),
        Option("+rg", "--require-sig", ("fail if no signature at all is present",), only_with=VERIFY, setting="required"),
        Option(
            "+rc",
            "--require-creator",
            ("fail if no creator RSA signature is present",),
            only_with=VERIFY,
            setting="CREATOR_RSA",
        ),
        Option(
            "+ru",
            "--require-auth",
            ("fail if no auth RSA signature is present",),
            only_with=VERIFY,
            setting="AUTHORIZATION_RSA",
        ),
        Option(
            "+rs",
            "--require-sr",
            ("fail if no SR RSA signature is present",),
            only_with=VERIFY,
            setting="SR_RSA",
        ),
    ),
)

TIMESTAMP_POLICY = Block(
    "timestamp-policy",
    "timestamp verification:",
    (
        Option(
            "+tv",
            "--verify-ts",
            ("verify certified timestamp if present (default)",),
            only_with=VERIFY,
            setting="VERIFY",
            default=True,
        ),
        Option("-tv", "--ignore-ts", ("ignore certified timestamps",), only_with=VERIFY, setting="IGNORE"),
        Option("+tr", "--require-ts", ("fail if no certified timestamp is present",), only_with=VERIFY, setting="REQUIRE"),
    ),
)

TIMESTAMP_RULES = Block(
    "timestamp-rules",
    "stricter timestamp verification:",
    (
        Option(
            "",
            "--ts-crl-vfy",
            ("enable CRL verification of the authorities", "that have given timestamps"),
            only_with=VERIFY,
            kind=Kind.SINGLE,
            note="DCMTK accepts timestamps of revoked authorities",
            added=True,
        ),
        Option(
            "",
            "--ts-check-time",
            ("fail if a timestamp is from the future", "or older than the signature"),
            only_with=VERIFY,
            kind=Kind.SINGLE,
            note="DCMTK compares the time with the validity of certificates only",
            added=True,
        ),
        Option(
            "",
            "--ts-refuse-weak",
            ("fail if a timestamp is made with MD5 or SHA-1",),
            only_with=VERIFY,
            kind=Kind.SINGLE,
            note="DCMTK accepts them",
            added=True,
        ),
        Option(
            "",
            "--ts-late-revocation",
            ("accept signers and authorities that have been", "revoked after the time of the timestamp"),
            only_with=VERIFY,
            kind=Kind.SINGLE,
            note="for DCMTK a revocation counts whatever its date",
            added=True,
        ),
    ),
)

ORIGINALS = Block(
    "originals",
    "earlier states:",
    (
        Option(
            "",
            "--verify-originals",
            ("also put the values of Original Attributes", "Sequence back and verify what was signed before"),
            only_with=VERIFY,
            kind=Kind.SINGLE,
            note="DCMTK ignores these signatures; see [original-attributes.md](original-attributes.md)",
            added=True,
        ),
    ),
)

TRUST = Block(
    "trust",
    "certification authority:",
    (
        Option(
            "+cf",
            "--add-cert-file",
            ("add trusted certificate file to cert store",),
            1,
            FILE_NAME,
            only_with=VERIFY,
            kind=Kind.LIST,
        ),
        Option(
            "+uf",
            "--add-ucert-file",
            ("add untrusted intermediate certificate file",),
            1,
            FILE_NAME,
            only_with=VERIFY,
            kind=Kind.LIST,
        ),
        Option(
            "+cd",
            "--add-cert-dir",
            ("add certificates in d to cert store",),
            1,
            ("[d]irectory: string",),
            only_with=VERIFY,
            kind=Kind.LIST,
        ),
        Option(
            "+cr",
            "--add-crl-file",
            ("add certificate revocation list file", "(implies --enable-crl-vfy)"),
            1,
            FILE_NAME,
            only_with=VERIFY,
            kind=Kind.LIST,
        ),
        Option(
            "+cl",
            "--enable-crl-vfy",
            ("enable CRL verification",),
            only_with=VERIFY,
            kind=Kind.SINGLE,
        ),
    ),
)

PASSWORD = Block(
    "password",
    "private key password:",
    (
        Option(
            "+ps",
            "--std-passwd",
            ("prompt user to type password on stdin (default)",),
            only_with=CREATE,
            setting="ask",
            default=True,
        ),
        Option(
            "+pw",
            "--use-passwd",
            ("use specified password",),
            1,
            ("[p]assword: string",),
            only_with=CREATE,
            setting="given",
        ),
        Option("-pw", "--null-passwd", ("use empty string as password",), only_with=CREATE, setting="empty"),
    ),
)

PROFILE = Block(
    "profile",
    "digital signature profile:",
    (
        Option(
            "-pf",
            "--profile-none",
            ("don't enforce any signature profile (default)",),
            only_with=CREATE,
            setting="NONE",
            default=True,
        ),
        Option("+pb", "--profile-base", ("enforce base RSA signature profile",), only_with=CREATE, setting="BASE_RSA"),
        Option(
            "+pc",
            "--profile-creator",
            ("enforce creator RSA signature profile",),
            only_with=SIGN,
            setting="CREATOR_RSA",
        ),
        Option(
            "+pa",
            "--profile-auth",
            ("enforce authorization signature profile",),
            only_with=SIGN,
            warning=messages.AUTHORIZATION_ADVICE,
            setting="AUTHORIZATION_RSA",
        ),
        Option("+pr", "--profile-sr", ("enforce SR RSA signature profile",), only_with=SIGN, setting="SR_RSA"),
        Option(
            "+pv",
            "--profile-srv",
            ("enforce SR RSA signature profile (verification)",),
            only_with=SIGN,
            setting="SR_RSA_VERIFICATION",
        ),
    ),
)

MAC = Block(
    "mac",
    "MAC algorithm:",
    (
        Option(
            "+mr",
            "--mac-ripemd160",
            ("use RIPEMD 160 (default)",),
            only_with=CREATE,
            setting="RIPEMD160",
            default=True,
            note="works without the legacy provider of OpenSSL if the extra ripemd160 is installed",
        ),
        Option("+ms", "--mac-sha1", ("use SHA-1 (not recommended)",), only_with=CREATE, setting="SHA1"),
        Option("+mm", "--mac-md5", ("use MD5 (not recommended)",), only_with=CREATE, setting="MD5"),
        Option("+m2", "--mac-sha256", ("use SHA-256",), only_with=CREATE, setting="SHA256"),
        Option("+m3", "--mac-sha384", ("use SHA-384",), only_with=CREATE, setting="SHA384"),
        Option("+m5", "--mac-sha512", ("use SHA-512",), only_with=CREATE, setting="SHA512"),
    ),
)

PURPOSE = Block(
    "purpose",
    "signature purpose:",
    (
        Option("+lp", "--list-purposes", ("show list of signature purpose codes and exit",), kind=Kind.EXIT),
        Option("-sp", "--no-sig-purpose", ("do not add signature purpose (default)",), only_with=CREATE, default=True),
        Option(
            "+sp",
            "--sig-purpose",
            ("add digital signature purpose code p",),
            1,
            ("[p]urpose code: integer (1..18)",),
            only_with=CREATE,
            setting="given",
        ),
    ),
)

TAGS = Block(
    "tags",
    "tag selection:",
    (
        Option(
            "-t",
            "--tag",
            ("sign only specified tag", "(this option can be specified multiple times)"),
            1,
            ('[t]ag: "gggg,eeee" or dictionary name',),
            kind=Kind.LIST,
        ),
        Option(
            "-tf",
            "--tag-file",
            ("read list of tags from text file",),
            1,
            FILE_NAME,
            kind=Kind.SINGLE,
            note="a directory is a file that cannot be read, exit code 30 (DCMTK aborts)",
        ),
    ),
)

TIMESTAMP = Block(
    "timestamp",
    "timestamp creation:",
    (
        Option("-ts", "--timestamp-off", ("do not create timestamp (default)",), only_with=CREATE, default=True),
        Option(
            "+ts",
            "--timestamp-file",
            ("create timestamp query file t and uid file u",),
            2,
            ("[t]sq-filename, [u]id-filename: string",),
            only_with=CREATE,
            setting="files",
        ),
    ),
)

AUTHORITY = Block(
    "authority",
    "time-stamping authority, asked at once:",
    (
        Option(
            "",
            "--timestamp-url",
            (
                "insert timestamp from authority at URL a",
                "(this option can be specified multiple times:",
                "tried from left to right; with --timestamp-file",
                "files are written only if all of them fail)",
            ),
            1,
            ("[a]uthority URL: string",),
            only_with=CREATE,
            kind=Kind.LIST,
            note="the output carries the timestamp, verified before anything is written; the options for queries below apply too",
            added=True,
        ),
        Option(
            "",
            "--ts-user",
            ("authenticate as user u, with the password from", "--ts-password-file or DCMSIGN_TS_PASSWORD"),
            1,
            ("[u]ser name: string",),
            only_with=REQUEST,
            kind=Kind.SINGLE,
            note="over https, or to this machine; `DCMSIGN_TS_PASSWORD` is an environment variable",
            added=True,
        ),
        Option(
            "",
            "--ts-password-file",
            ("read password from first line of file",),
            1,
            FILE_NAME,
            only_with=USER,
            kind=Kind.SINGLE,
            note="passwords are never taken from the command line; this one counts before that of the environment",
            added=True,
        ),
        Option(
            "",
            "--ts-timeout",
            ("give up after s seconds (default: 30)",),
            1,
            ("[s]econds: number",),
            only_with=REQUEST,
            kind=Kind.SINGLE,
            note="from the first attempt to the end of the last one",
            added=True,
        ),
        Option(
            "",
            "--ts-retries",
            ("ask again up to n times if that may help", "(default: 2)"),
            1,
            ("[n]umber: integer (0..99)",),
            only_with=REQUEST,
            kind=Kind.SINGLE,
            note="after failed connections, cut replies and errors of the server, not after refusals",
            added=True,
        ),
        Option(
            "",
            "--ts-cert-file",
            ("accept only timestamps from authorities that", "the certificates in this file vouch for"),
            1,
            FILE_NAME,
            only_with=REQUEST,
            kind=Kind.LIST,
            note="without it the token is verified, but not who vouches for its authority",
            added=True,
        ),
        Option(
            "",
            "--ts-tolerance",
            ("accept clocks that differ by up to s seconds", "(default: 300)"),
            1,
            ("[s]econds: number",),
            only_with=TIME_CHECK,
            kind=Kind.SINGLE,
            note="for the check of the timestamp's time",
            added=True,
        ),
    ),
)

TIMESTAMP_MAC = Block(
    "timestamp-mac",
    "timestamp MAC algorithm (only with --timestamp-file):",
    (
        Option(
            "+tm2",
            "--ts-mac-sha256",
            ("use SHA-256 (default)",),
            only_with=TIMESTAMP_FILE,
            setting="SHA256",
            default=True,
        ),
        Option("+tm3", "--ts-mac-sha384", ("use SHA-384",), only_with=TIMESTAMP_FILE, setting="SHA384"),
        Option("+tm5", "--ts-mac-sha512", ("use SHA-512",), only_with=TIMESTAMP_FILE, setting="SHA512"),
        Option("+tmr", "--ts-mac-ripemd160", ("use RIPEMD 160",), only_with=TIMESTAMP_FILE, setting="RIPEMD160"),
        Option("+tms", "--ts-mac-sha1", ("use SHA-1 (not recommended)",), only_with=TIMESTAMP_FILE, setting="SHA1"),
        Option("+tmm", "--ts-mac-md5", ("use MD5 (not recommended)",), only_with=TIMESTAMP_FILE, setting="MD5"),
    ),
)

TIMESTAMP_NONCE = Block(
    "timestamp-nonce",
    "timestamp query nonce options (only with --timestamp-file):",
    (
        Option("+tn", "--ts-use-nonce", ("include random nonce (default)",), only_with=TIMESTAMP_FILE, default=True),
        Option("-tn", "--ts-no-nonce", ("do not include nonce",), only_with=TIMESTAMP_FILE, setting="none"),
    ),
)

TIMESTAMP_CERTIFICATE = Block(
    "timestamp-certificate",
    "timestamp certificate inclusion options (only with --timestamp-file):",
    (
        Option(
            "+tc",
            "--ts-request-cert",
            ("request TSA certificate in timestamp (default)",),
            only_with=TIMESTAMP_FILE,
            default=True,
        ),
        Option(
            "-tc",
            "--ts-no-cert",
            ("do not request TSA certificate in timestamp",),
            only_with=TIMESTAMP_FILE,
            setting="none",
        ),
    ),
)

TIMESTAMP_ID = Block(
    "timestamp-id",
    "timestamp policy options (only with --timestamp-file):",
    (
        Option(
            "-tp",
            "--ts-no-policy",
            ("do not specify ts policy (default)",),
            only_with=TIMESTAMP_FILE,
            default=True,
        ),
        Option(
            "+tp",
            "--ts-policy",
            ("request timestamp policy p",),
            1,
            ("[p]olicy-OID: string",),
            only_with=TIMESTAMP_FILE,
            setting="given",
        ),
    ),
)

WRITE_SYNTAX = Block(
    "write-syntax",
    "output transfer syntax:",
    (
        Option("+t=", "--write-xfer-same", ("write with same TS as input (default)",), default=True),
        Option("+te", "--write-xfer-little", ("write with explicit VR little endian TS",), setting="1.2.840.10008.1.2.1"),
        Option("+tb", "--write-xfer-big", ("write with explicit VR big endian TS",), setting="1.2.840.10008.1.2.2"),
        Option("+ti", "--write-xfer-implicit", ("write with implicit VR little endian TS",), setting="1.2.840.10008.1.2"),
    ),
)

LENGTHS = Block(
    "lengths",
    "length encoding in sequences and items:",
    (
        Option("+e", "--length-explicit", ("write with explicit lengths (default)",), default=True),
        Option("-e", "--length-undefined", ("write with undefined lengths",), setting="undefined"),
    ),
)

OTHER_OUTPUT = Block(
    "other-output",
    "other output options:",
    (
        Option(
            "+d",
            "--dump",
            ("dump byte stream fed into the MAC codec to file", "(only with --sign or --sign-item)"),
            1,
            FILE_NAME,
            only_with=CREATE,
            kind=Kind.SINGLE,
        ),
    ),
)

DEMANDS = Block(
    "demands",
    "",
    (
        Option(
            "",
            "--policy",
            (
                "what is asked of signatures and objects:",
                "compatible, recommended, strict, or a TOML file",
            ),
            1,
            ("[p]olicy: string",),
            only_with=JUDGED,
            kind=Kind.SINGLE,
            note="verification: exit code 101 if it is not fulfilled; see [policies.md](policies.md)",
            added=True,
        ),
        Option(
            "",
            "--report",
            (
                "write a report of the verification to file:",
                "for people (.html) or programs (.json)",
            ),
            1,
            FILE_NAME,
            only_with=VERIFY,
            kind=Kind.SINGLE,
            note="see [report.md](report.md)",
            added=True,
        ),
    ),
)

BATCH = Block(
    "batch",
    "",
    (
        Option(
            "",
            "--batch",
            (
                "process many files: parameters are any number of",
                'files and directories, "-" for a list on stdin;',
                "results are printed as JSON Lines",
            ),
            kind=Kind.SINGLE,
            note="with --verify, --sign or --sign-item; see [many-files.md](many-files.md)",
            added=True,
        ),
        Option(
            "",
            "--make-manifest",
            (
                "sign a manifest of the instances of a study and",
                "write it to file; parameters as with --batch",
            ),
            1,
            FILE_NAME,
            only_with=SIGN,
            kind=Kind.SINGLE,
            note="MAC algorithm SHA-256 and purpose 14 if nothing else is said; see [manifests.md](manifests.md)",
            added=True,
        ),
        Option(
            "",
            "--verify-manifest",
            (
                "verify a manifest, and a study against it;",
                "parameters and results as with --batch",
            ),
            1,
            FILE_NAME,
            only_with=VERIFY,
            kind=Kind.SINGLE,
            note="exit code 101 unless all of the study is there, unchanged, and nothing else; see [manifests.md](manifests.md)",
            added=True,
        ),
        Option(
            "",
            "--output-directory",
            ("write signed files below directory d,", "under the same names"),
            1,
            ("[d]irectory: string",),
            only_with=BATCHES,
            kind=Kind.SINGLE,
            note="folders are made",
            added=True,
        ),
        Option(
            "",
            "--results",
            ("write results to file instead of stdout",),
            1,
            FILE_NAME,
            only_with=BATCHES,
            kind=Kind.SINGLE,
            note="appended to if it is the one of --resume",
            added=True,
        ),
        Option(
            "",
            "--resume",
            ("leave out files that have been verified or signed", "according to the results of an earlier run"),
            1,
            FILE_NAME,
            only_with=BATCHES,
            kind=Kind.SINGLE,
            note="what was found then still counts for the exit code",
            added=True,
        ),
        Option(
            "",
            "--jobs",
            ("use n processes (default: one per processor)",),
            1,
            ("[n]umber: integer (1..999)",),
            only_with=BATCHES,
            kind=Kind.SINGLE,
            note="a process that dies is replaced, and its file tried once more",
            added=True,
        ),
        Option(
            "",
            "--null",
            ("names in the list on stdin end with a NUL byte",),
            only_with=BATCHES,
            kind=Kind.SINGLE,
            note="as those of `find -print0`",
            added=True,
        ),
    ),
)

SECTIONS = (
    Section("general options:", (GENERAL,)),
    Section("input options:", (READ, READ_SYNTAX, UNKNOWN)),
    Section("signature commands:", (COMMAND,)),
    Section("general signature options:", (ENCODING, FORMAT)),
    Section(
        "signature verification options (only with --verify):", (POLICY, TIMESTAMP_POLICY, TIMESTAMP_RULES, ORIGINALS, TRUST)
    ),
    Section("signature creation options (only with --sign or --sign-item):", (PASSWORD, PROFILE, MAC, PURPOSE, TAGS)),
    Section(
        "timestamp creation options (only with --sign or --sign-item):",
        (TIMESTAMP, AUTHORITY, TIMESTAMP_MAC, TIMESTAMP_NONCE, TIMESTAMP_CERTIFICATE, TIMESTAMP_ID),
    ),
    Section("output options:", (WRITE_SYNTAX, LENGTHS, OTHER_OUTPUT)),
    Section("policy options (only with --verify, --sign or --sign-item):", (DEMANDS,)),
    Section("options for many files:", (BATCH,)),
)

OPTIONS = tuple(option for section in SECTIONS for block in section.blocks for option in block.options)
BY_NAME = {name: option for option in OPTIONS for name in (option.short, option.long) if name}
