"""Reports: JSON that the published schema accepts, pages in which nothing hostile comes to life and which a browser can show."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import anyio
import jsonschema
import pytest
from dcmsign.stream import Trust, verify, write_report

from tests.peers import require_peer
from tests.stream.crafted import BODY, signed_object
from tests.stream.material import MAC_VECTORS, element, meta

pytestmark = pytest.mark.anyio
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text("utf-8"))
HOSTILE = "<script>alert(1)</script>\"'\u202e"


def problems(data: Any) -> list[str]:
    checker = jsonschema.Draft202012Validator
    checker.check_schema(SCHEMA)
    return [error.message for error in checker(SCHEMA).iter_errors(data)]


async def written(source: Path | bytes, folder: Path, suffix: str = ".json", **options: Any) -> str:
    report = await verify(source, require_signature=False, **options)
    target = folder / f"report{suffix}"
    await write_report(report, target, name=options.pop("name", HOSTILE), version="0")
    return target.read_text("utf-8")


@pytest.mark.parametrize("path", sorted(MAC_VECTORS.glob("*.signed.dcm"))[:60], ids=lambda path: path.name)
async def test_schema_accepts(path: Path, tmp_path: Path) -> None:
    trust = Trust.load(trusted=[MAC_VECTORS / "cert-rsa.pem"])
    data = json.loads(await written(path, tmp_path, trust=trust))
    assert problems(data) == []
    main = [entry for entry in data["map"]["entries"] if not entry["location"]]
    assert sum(entry["size"] for entry in main) == data["map"]["size"]


async def test_schema_is_strict(tmp_path: Path) -> None:
    data = json.loads(await written(signed_object(parameters={}), tmp_path))
    assert problems(data) == []
    for place in (data, data["signatures"][0], data["map"]["entries"][0], data["scope"], data["levels"]["intact"]):
        for key in list(place):
            kept = place.pop(key)
            assert problems(data), key
            place[key] = kept
        place["more?"] = 1
        assert problems(data)
        del place["more?"]
    wrong = deepcopy(data)
    wrong["map"]["entries"][0]["offset"] = -1
    assert problems(wrong)


async def test_findings(tmp_path: Path) -> None:
    data = json.loads(await written(meta() + BODY + element(0x00100010, "PN", b"Doe^Mary"), tmp_path))
    assert problems(data) == []
    assert "DUPLICATE" in {finding["kind"] for finding in data["findings"]}


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


async def test_nothing_hostile_comes_to_life(tmp_path: Path) -> None:
    data = signed_object(parameters={}, item={0x04000100: element(0x04000100, "UI", b"<script>1</script>")})
    page = await written(data, tmp_path, ".html")
    reader = Tags()
    reader.feed(page)
    assert "script" not in {tag for tag, _ in reader.found}
    names = {name for _, attributes in reader.found for name in attributes}
    assert not {name for name in names if name in ("src", "href", "style") or name.startswith("on")}
    assert "&lt;script&gt;alert(1)" in page
    assert "\u202e" not in page


async def test_many_parts(tmp_path: Path) -> None:
    body = b"".join(
        element(0x00110000 + (number // 4000) * 0x20000 + number % 4000 + 0x1000, "UN", b"") for number in range(70000)
    )
    page = await written(meta() + body, tmp_path, ".html")
    assert len(page) < 1 << 20
    assert page.count('<g class="part') <= 250


@pytest.mark.parametrize(
    ("tampered", "trusted", "word"),
    [
        (False, True, "No signature was refused"),
        (False, False, "Intact, but nobody said whom to trust"),
        (False, None, "Intact, but not trusted"),
        (True, True, "Not intact"),
    ],
)
async def test_the_verdict_in_words(tampered: bool, trusted: bool | None, word: str, tmp_path: Path) -> None:
    data = (MAC_VECTORS / "explicit-short.signed.dcm").read_bytes()
    if tampered:
        place = data.index(b"PN") + 6
        data = data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]
    anchors = {True: ["cert-rsa.pem"], False: [], None: ["cert-dsa.pem"]}[trusted]
    page = await written(data, tmp_path, ".html", trust=Trust.load(trusted=[MAC_VECTORS / name for name in anchors]))
    found = re.search(r'<p class="verdict [a-z]+">([^<]+)</p>', page)
    assert found
    assert found[1] == word


async def test_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    page = await written(MAC_VECTORS / "second-signature.signed.dcm", tmp_path, ".html")
    outside = r"""\b(src|href|action|srcset|data)\s*=|url\((?!"?#)|@import|<(script|link|iframe|object|embed|base)\b"""
    assert not re.search(outside, page)


async def test_in_a_browser(tmp_path: Path) -> None:
    chromium = require_peer("chromium")
    await written(MAC_VECTORS / "explicit-short.signed.dcm", tmp_path, ".html")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr"]
    flags.append("--host-resolver-rules=MAP * ~NOTFOUND")
    file = (tmp_path / "report.html").as_uri()
    done = await anyio.run_process([chromium, *flags, "--dump-dom", file])
    assert b"CONSOLE" not in done.stderr
    assert re.search(r'class="verdict', done.stdout.decode())
    widths = [float(width) for width in re.findall(r'<rect x="[0-9.]+" y="0" width="([0-9.]+)"', done.stdout.decode())]
    assert min(widths) > 1
    assert sum(widths) == pytest.approx(1000, abs=0.5)
