"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Small problems: more threads only get into each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the project."""
    return Path(__file__).resolve().parents[1]
