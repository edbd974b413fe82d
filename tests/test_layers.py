"""The import statements of the library against the picture of its layers.

cli -> stream -> tsa -> codec          arrows mean "may import"; never the other way, and no cycles
         stream -> codec
"""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent

LAYERS = {
    "codec": {"codec"},
    "tsa": {"tsa", "codec"},
    "stream": {"stream", "tsa", "codec"},
    "stream.cli": {"stream.cli", "stream", "codec"},
}
"""Layer to the layers it may import."""

PURE = {
    "__future__", "array", "bisect", "collections", "dataclasses", "enum", "functools", "hashlib", "itertools", "operator",
    "re", "string", "struct", "types", "typing", "zlib",
}  # fmt: skip
"""What codec may import besides itself: nothing with input, output, clock, randomness, threads, logging or an event loop."""

CONFINED = {
    "OpenSSL": {"stream/trust/paths.py"},
    "httpx": {"tsa/client.py"},
    "socket": {"tsa/client.py"},
    "ssl": {"tsa/client.py"},
    "urllib": {"tsa/client.py"},
    "http": {"tsa/client.py"},
    "asn1crypto": {"tsa/structures.py"},
    "Crypto": {"stream/ripemd160.py"},
    "pydicom": set(),
    "requests": set(),
}
"""Modules that only certain files may import."""

FOR_CLI = {
    "codec.errors",
    "codec.hiding",
    "codec.dicom.dictionary",
    "codec.dicom.syntaxes",
    "codec.dicom.tags",
    "codec.signature.algorithms",
    "codec.signature.purposes",
    "stream.reports",
}
"""Tables and plain objects the command may use besides the names that `stream` exports."""

LAZY = ("OpenSSL", "asn1crypto", "httpx", "pydicom", "rich", "Crypto")
"""What `import dcmsign.stream` must not load."""


class Import(NamedTuple):
    """One imported module (`a.b`), with the name taken from it, if any, in a module of the library."""

    importer: str
    file: str
    line: int
    target: str
    name: str | None
    internal: bool
    eager: bool

    @property
    def whole(self) -> str:
        """Module and name."""
        return self.target if self.name is None else f"{self.target}.{self.name}"

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.whole}"


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def files() -> list[Path]:
    return sorted(file for layer in ("codec", "tsa", "stream") for file in (ROOT / layer).rglob("*.py"))


MODULES = {module_name(file) for file in files()}


def imports_of(file: Path) -> Iterator[Import]:
    importer, path = module_name(file), file.relative_to(ROOT).as_posix()
    package = importer if file.name == "__init__.py" else importer.rpartition(".")[0]

    def walk(node: ast.AST, eager: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(importer, path, child.lineno, alias.name, None, False, eager)
            elif isinstance(child, ast.ImportFrom):
                base = package.split(".")[: len(package.split(".")) - child.level + 1] if child.level else []
                target = ".".join([*base, *([child.module] if child.module else [])])
                for alias in child.names:
                    whole = f"{target}.{alias.name}"
                    is_module = bool(child.level) and whole in MODULES
                    yield Import(
                        importer, path, child.lineno, whole if is_module else target,
                        None if is_module else alias.name, bool(child.level), eager,
                    )  # fmt: skip
            else:
                later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
                yield from walk(child, eager and not later and not typing_only)

    yield from walk(ast.parse(file.read_text("utf-8")), True)


IMPORTS = [found for file in files() for found in imports_of(file)]


def layer_of(module: str) -> str:
    return "stream.cli" if module.startswith("stream.cli") or module == "stream.__main__" else module.split(".")[0]


def complaints(wrong: Iterator[Import]) -> list[str]:
    return [str(found) for found in wrong]


def test_there_is_something_to_check() -> None:
    assert {layer_of(module) for module in MODULES} == set(LAYERS)
    assert any(found.internal for found in IMPORTS)
    assert any(not found.eager for found in IMPORTS)


def test_every_package_is_installed() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    folders = {module_name(file).rpartition(".")[0] if file.stem != "__init__" else module_name(file) for file in files()}
    assert {f"dcmsign.{folder}" for folder in folders} == set(setuptools["packages"])


def test_layers() -> None:
    inside = [found for found in IMPORTS if found.internal]
    assert not complaints(f for f in inside if layer_of(f.target) not in LAYERS[layer_of(f.importer)])


def test_imports_inside_the_library_are_relative() -> None:
    own = {"dcmsign", "codec", "tsa", "stream"}
    assert not complaints(f for f in IMPORTS if not f.internal and f.target.split(".")[0] in own)


def test_codec_is_pure() -> None:
    foreign = [f for f in IMPORTS if layer_of(f.importer) == "codec" and not f.internal]
    assert not complaints(f for f in foreign if f.target.split(".")[0] not in PURE)


def test_confined_modules() -> None:
    foreign = [f for f in IMPORTS if not f.internal]
    assert not complaints(f for f in foreign if f.file not in CONFINED.get(f.target.split(".")[0], {f.file}))


def test_timestamps_need_no_network_but_the_client() -> None:
    """Who asks the client in, asks for httpx: nothing else of tsa does."""
    inside = [f for f in IMPORTS if layer_of(f.importer) == "tsa" and f.internal]
    assert inside
    assert not complaints(f for f in inside if f.target == "tsa.client")


def test_the_command_uses_public_names_only() -> None:
    public = {f"stream.{name}" for name in importlib.import_module("dcmsign.stream").__all__}
    used = [f for f in IMPORTS if layer_of(f.importer) == "stream.cli" and f.internal and layer_of(f.target) != "stream.cli"]
    assert used
    assert not complaints(f for f in used if f.target not in FOR_CLI and f.whole not in public)
    assert not complaints(f for f in used if f.name is not None and f.name.startswith("_"))


def test_no_cycles() -> None:
    needs: dict[str, set[str]] = {module: set() for module in MODULES}
    for found in IMPORTS:
        if found.internal and found.eager and found.target in MODULES:
            needs[found.importer].add(found.target)
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail[trail.index(module) :], module])
        if module not in done:
            for target in sorted(needs[module] - {module}):
                visit(target, (*trail, module))
            done.add(module)

    for module in sorted(needs):
        visit(module, ())


@pytest.mark.parametrize(
    "module", ["dcmsign.stream", "dcmsign.stream.cli", "dcmsign.tsa.consistency", "dcmsign.tsa.verification"]
)
def test_heavy_modules_load_late(module: str) -> None:
    code = f"import {module}, json, sys; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    loaded = {name.split(".")[0] for name in json.loads(output)}
    assert module.split(".")[0] in loaded
    assert not loaded.intersection(LAZY)
