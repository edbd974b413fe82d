"""Queries: byte by byte those of dcmsign and openssl, and what is read back from them."""

from __future__ import annotations

import pytest
from dcmsign.codec.errors import BadPolicy, BadTimestampQuery
from dcmsign.codec.signature.algorithms import new_digest
from dcmsign.tsa.imprints import IMPRINTS, algorithm_name, algorithm_oid, digest, long_name
from dcmsign.tsa.query import TimestampQuery, parse_policy
from hypothesis import given
from hypothesis import strategies as st

from tests.tsa import peer, stamped
from tests.tsa.ber import indefinite, split, tlv
from tests.tsa.tokens import oid

QUERIES = sorted(path.stem for path in (stamped.VECTORS / "signed").glob("*.tsq"))
SIGNATURE = bytes(range(256))


@pytest.mark.parametrize("name", QUERIES)
def test_queries_of_dcmsign(name: str) -> None:
    """Read and made again they are the same bytes, and made of the true signature value."""
    raw = stamped.read(f"signed/{name}.tsq")
    query = TimestampQuery.from_der(raw + b"behind")
    (signed,) = stamped.signatures(f"signed/{name}.dcm")
    again = TimestampQuery.new(
        signed.value, algorithm=query.algorithm, policy=query.policy, nonce=query.nonce, certificate=query.certificate
    )
    assert query.raw == raw
    assert again == query


@pytest.mark.parametrize("algorithm", IMPRINTS)
@pytest.mark.parametrize("policy", [None, "1.3.6.1.4.1.99999.1.2"])
@pytest.mark.parametrize("certificate", [True, False])
def test_queries_of_openssl(algorithm: str, policy: str | None, certificate: bool) -> None:
    hashed = new_digest(algorithm)
    hashed.update(SIGNATURE)
    options = [*(["-tspolicy", policy] if policy else []), *(["-cert"] if certificate else []), "-no_nonce"]
    made = peer.openssl("ts", "-query", "-digest", hashed.digest().hex(), f"-{IMPRINTS[algorithm].long_name}", *options)
    ours = TimestampQuery.new(SIGNATURE, algorithm=algorithm, policy=policy, nonce=None, certificate=certificate)
    assert ours.raw == made.stdout
    assert TimestampQuery.from_der(made.stdout) == ours


@pytest.mark.parametrize("nonce", [1, 0x7F, 0x80, 0x1234, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_nonces_are_positive_and_minimal(nonce: int) -> None:
    query = TimestampQuery.new(SIGNATURE, nonce=nonce)
    text = peer.openssl("ts", "-query", "-in", "/dev/stdin", "-text", data=query.raw).stdout.decode()
    assert int(text.partition("Nonce: 0x")[2].split()[0], 16) == nonce
    assert len(query.raw) - len(TimestampQuery.new(SIGNATURE, nonce=None).raw) == 3 + nonce.bit_length() // 8


def test_negative_nonces_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        TimestampQuery.new(SIGNATURE, nonce=-1)


@given(
    st.binary(min_size=1, max_size=100),
    st.sampled_from(sorted(IMPRINTS)),
    st.none() | st.lists(st.integers(0, 1 << 70), min_size=1, max_size=6),
    st.none() | st.integers(0, 1 << 80),
    st.booleans(),
)
def test_round_trip(signature: bytes, algorithm: str, arcs: list[int] | None, nonce: int | None, certificate: bool) -> None:
    policy = None if arcs is None else ".".join(map(str, (2, *arcs)))
    query = TimestampQuery.new(signature, algorithm=algorithm, policy=policy, nonce=nonce, certificate=certificate)
    assert TimestampQuery.from_der(query.raw) == query
    assert query.policy == policy


def test_indefinite_lengths_are_kept() -> None:
    good = TimestampQuery.new(SIGNATURE, nonce=5)
    raw = indefinite(0x30, split(good.raw)[1])
    query = TimestampQuery.from_der(raw)
    assert (query.raw, query.imprint, query.nonce) == (raw, good.imprint, 5)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x80",
        b"hello world",
        stamped.read("tsr/granted-sha256.tsr"),
        tlv(0x30, b"\x02\x01\x01"),
        bytes(1 << 21),
    ],
    ids=["empty", "cut", "endless", "text", "reply", "version only", "zeros"],
)
def test_no_queries(data: bytes) -> None:
    with pytest.raises(BadTimestampQuery):
        TimestampQuery.from_der(data)


@pytest.mark.parametrize(
    "text",
    [
        "anyPolicy",
        "X509v3 Any Policy",
        "commonName",
        "CN",
        "1.2",
        "1.2.",
        "1 2 3",
        "1..2",
        "1.2..",
        "2.40",
        "2.999.1",
        "1.02.003",
    ],
)
def test_policies(text: str) -> None:
    """Through ``openssl ts -query``, which reads them with the same function as dcmsign."""
    digest_text = "00" * 32
    made = peer.openssl("ts", "-query", "-digest", digest_text, "-sha256", "-no_nonce", "-tspolicy", text)
    assert TimestampQuery.from_der(made.stdout).policy == parse_policy(text)
    assert oid(parse_policy(text)) in made.stdout


@pytest.mark.parametrize(
    "text", ["", "1", "1.", "2", "3.1", "1.40", "0.40.1", "foo.bar", "1.2.3a", "1.2,3", "1." + "2" * 1100, "१.२"]
)
def test_no_policies(text: str) -> None:
    with pytest.raises(BadPolicy):
        parse_policy(text)


def test_names_of_imprint_algorithms() -> None:
    for name, imprint in IMPRINTS.items():
        assert algorithm_name(imprint.oid) == name
        assert algorithm_oid(name) == imprint.oid
        assert digest(name, b"") is not None
    assert (algorithm_name("1.2.3"), algorithm_oid("1.2.3"), long_name("1.2.3"), digest("1.2.3", b"")) == (
        "1.2.3",
        "1.2.3",
        None,
        None,
    )
    assert long_name("2.16.840.1.101.3.4.2.4") == "sha224"
