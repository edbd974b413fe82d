"""Paths from time-stamping authorities to trust anchors."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from dcmsign.stream.trust.anchors import Trust
from dcmsign.stream.trust.certificates import Encoding
from dcmsign.stream.trust.paths import TrustedPaths
from dcmsign.stream.trust.revocation import read_revocation_list

from tests.trust import authorities
from tests.tsa import stamped

TSA, CA = (stamped.certificates(f"pki/{name}.pem")[0] for name in ("tsa", "ca"))
OTHER, OTHER_CA = (stamped.certificates(f"pki/{name}.pem")[0] for name in ("tsa-other", "other-ca"))


def trust(*lists: str) -> Trust:
    found = tuple(read_revocation_list(stamped.VECTORS / "pki" / f"{name}.crl", Encoding.PEM) for name in lists)
    return Trust(trusted=(CA,), revocation_lists=found)


def test_the_leaf_comes_first() -> None:
    assert TrustedPaths(trust()).chain(TSA.der, []) == (TSA.der, CA.der)


def test_helpers_are_links() -> None:
    root, middle, signer = (authorities.certificates()[name] for name in ("root", "middle", "signer"))
    paths = TrustedPaths(Trust(trusted=authorities.loaded(["root"])))
    assert paths.chain(signer, []) is None
    assert paths.chain(signer, [b"no certificate", middle]) == (signer, middle, root)
    behind = TrustedPaths(Trust(trusted=authorities.loaded(["root"]), untrusted=authorities.loaded(["middle"])))
    assert behind.chain(signer, []) == (signer, middle, root)


def test_helpers_are_no_anchors() -> None:
    assert TrustedPaths(trust()).chain(OTHER.der, [OTHER_CA.der]) is None
    assert TrustedPaths(Trust(trusted=(TSA,))).chain(TSA.der, [CA.der]) is None


def test_a_trusted_self_signed_authority_is_its_own_anchor() -> None:
    alone = authorities.certificates()["alone"]
    assert TrustedPaths(Trust(trusted=authorities.loaded(["alone"]))).chain(alone, []) == (alone,)
    assert TrustedPaths(trust()).chain(alone, [alone]) is None


@pytest.mark.parametrize(
    ("lists", "revocation", "good"),
    [
        ((), False, True),
        (("empty",), False, True),
        (("tsa-revoked",), False, True),
        ((), True, False),
        (("empty",), True, True),
        (("signer-revoked",), True, True),
        (("tsa-revoked",), True, False),
    ],
)
def test_revocation_counts_only_if_asked_for(lists: tuple[str, ...], revocation: bool, good: bool) -> None:
    found = TrustedPaths(trust(*lists), revocation=revocation).chain(TSA.der, [])
    assert (found is not None) is good


def test_revocation_of_an_authority_in_between() -> None:
    root, middle, signer = (authorities.certificates()[name] for name in ("root", "middle", "signer"))
    known = {"root": authorities.revoke("root"), "middle": authorities.revoke("middle")}
    for lists, good in (
        ([known["middle"]], False),
        ([known["root"], known["middle"]], True),
        ([authorities.revoke("root", 3), known["middle"]], False),
    ):
        given = Trust(trusted=authorities.loaded(["root"]), revocation_lists=authorities.lists_of(*lists))
        found = TrustedPaths(given, revocation=True).chain(signer, [middle])
        assert found == ((signer, middle, root) if good else None)


@pytest.mark.parametrize(("year", "good"), [(2019, False), (2021, True), (2065, True), (2067, False)])
def test_the_time_of_the_check(year: int, good: bool) -> None:
    paths = TrustedPaths(trust(), at=datetime(year, 1, 2, tzinfo=UTC))
    assert (paths.chain(TSA.der, []) is not None) is good


def test_what_is_no_certificate_has_no_path() -> None:
    assert TrustedPaths(trust()).chain(b"no certificate", []) is None
