"""A Dask scheduler and two workers for tests/test_jobs.py, forked from one process that has
imported what they need:

    python cluster.py ADDRESS

It says their process numbers, the scheduler's first, and ends with them.
"""

from __future__ import annotations

import asyncio
import os
import sys
import traceback

import torch._dynamo  # noqa: F401 - the first optimizer of a process imports it
from distributed import Scheduler, Worker
from distributed.core import Server

import agmpk.paper.ablations.run  # noqa: F401 - what the workers will do


async def serve(kind: type[Server], *words: object, **settings: object) -> None:
    """Run a scheduler or a worker until it is closed."""
    async with kind(*words, host="127.0.0.1", dashboard=False, **settings) as server:
        await server.finished()


def start(kind: type[Server], *words: object, **settings: object) -> int:
    """A process that is one; its id."""
    process = os.fork()
    if process:
        return process
    try:
        asyncio.run(serve(kind, *words, **settings))
    except BaseException:
        traceback.print_exc()
    os._exit(0)


if __name__ == "__main__":
    address = sys.argv[1]
    started = [start(Scheduler, port=int(address.rpartition(":")[2]))]
    started += [start(Worker, address, nthreads=1) for _ in range(2)]
    print(*started, flush=True)
    for _ in started:
        os.wait()
