"""``python -m dcmsign.stream`` runs the ``dcmsign`` command."""

from __future__ import annotations

import sys

from .cli import start

if __name__ == "__main__":
    sys.exit(start())
