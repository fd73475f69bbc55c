"""What all tests share."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

# One thread a process, also in what the tests start: the problems are small, and `make test` runs
# as many processes as there are cores.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "agg")
# Imports make many objects and hardly any garbage: looking for it takes an eighth of their time.
gc.set_threshold(20_000, 10, 20)


# The book takes longest and comes first. Beside its chapters, which keep the cores busy, come the
# page to try, which the book's pages take over when it is made in time, and the files that wait for
# others (processes, servers, packages) or take long; small ones remain, with which all processes
# end together.
FIRST = (
    "test_book.py", "test_try_page.py", "test_processes.py", "test_jobs.py", "test_install.py",
    "test_runner.py", "test_runs.py", "test_two_sample.py", "test_cli.py", "test_proof.py",
    "test_retrieve.py", "test_llm.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the order of ``FIRST``, then as found."""
    place = {name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(FIRST)))
    gc.freeze()  # what was imported stays, and need not be looked through again


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the project."""
    return Path(__file__).resolve().parents[1]
