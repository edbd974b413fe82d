"""All that a run found out, as it is kept in JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .measure import Result
from .targets import outcomes

_FORMAT = 1


@dataclass(slots=True)
class Document:
    """What was asked for (`sizes`) and found out.

    `limits`: what the machine can do. `imports`: milliseconds by package. `profiles`: shares of functions, by work.
    """

    machine: dict[str, Any]
    sizes: dict[str, Any]
    limits: dict[str, float]
    results: list[Result] = field(default_factory=list)
    imports: dict[str, float] = field(default_factory=dict)
    profiles: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """As JSON, with the verdicts on the targets."""
        content = {"format": _FORMAT, **asdict(self)}
        content["targets"] = [asdict(outcome) | {"verdict": outcome.verdict} for outcome in outcomes(self.results)]
        path.write_text(json.dumps(content, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Document:
        """From JSON; ValueError if it is something else."""
        content = json.loads(path.read_text())
        if not isinstance(content, dict) or content.pop("format", None) != _FORMAT:
            raise ValueError(f"{path}: not a result of these benchmarks")
        content.pop("targets")
        content["results"] = [Result.from_dict(result) for result in content["results"]]
        return cls(**content)

    def result(self, name: str) -> Result | None:
        """Of a work."""
        return next((result for result in self.results if result.name == name), None)
