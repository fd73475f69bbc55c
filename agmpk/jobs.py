"""Many independent jobs: one after the other, in processes of this machine, or on a cluster.

found = map_jobs(work, items, jobs=4)                       # processes, by joblib
found = map_jobs(work, items, scheduler="tcp://host:8786")  # the workers of a Dask scheduler
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

from agmpk.errors import AgmpkError

Item, Result = TypeVar("Item"), TypeVar("Result")
PATIENCE = 5.0  # s, until a scheduler must have answered


def map_jobs(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    jobs: int = 1,
    scheduler: str = "",
    what: str = "jobs",
    unit: str = "job",
) -> Iterator[Result]:
    """Results of ``work`` in the order of ``items``, one for each, with a progress bar.

    ``work`` and the items must survive pickling; a job whose worker dies is done by another one.

    Args:
        jobs: processes of this machine; 1 works here, without any library.
        scheduler: address of a Dask scheduler, instead.
        what, unit: what the bar calls them.

    Raises:
        AgmpkError: from a job; or the extra ``cluster`` is not installed, or there is no such
            scheduler.
    """
    items = list(items)
    with contextlib.ExitStack() as stack:
        if not scheduler and (jobs == 1 or len(items) < 2):
            results = map(work, items)
        else:
            results = stack.enter_context(_mapped(work, items, jobs, scheduler))
        yield from tqdm(results, total=len(items), desc=what, unit=unit, disable=None)


@contextlib.contextmanager
def _mapped(
    work: Callable[[Item], Result], items: list[Item], jobs: int, scheduler: str
) -> Iterator[Iterable[Result]]:
    try:
        import joblib

        if scheduler:
            from distributed import Client
    except ImportError:
        needed = "A scheduler needs Dask" if scheduler else "Several jobs at a time need joblib"
        raise AgmpkError(f"{needed}: install agmpk[cluster].") from None
    tasks = [joblib.delayed(work)(item) for item in items]
    if not scheduler:
        with joblib.parallel_config("loky", inner_max_num_threads=1):
            yield joblib.Parallel(n_jobs=jobs, return_as="generator", batch_size=1)(tasks)
        return
    try:
        client = Client(scheduler, timeout=PATIENCE)  # joblib finds it by itself
    except (OSError, ValueError) as error:
        raise AgmpkError(
            f"There is no Dask scheduler at {scheduler} ({error}): start one with `dask scheduler` "
            "and workers with `dask worker ADDRESS`."
        ) from None
    with client, joblib.parallel_config("dask"):
        yield joblib.Parallel(n_jobs=-1, return_as="generator", batch_size=1)(tasks)
