"""Many jobs: in order, each once, whoever does them and whoever dies."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from distributed import Client

from agmpk.errors import AgmpkError
from agmpk.evaluation import benchmark_studies, evaluate
from agmpk.forecasting.forecaster import NaiveForecaster
from agmpk.jobs import map_jobs
from agmpk.nlme.select import METHOD_VERSION
from agmpk.paper import nlme_fits
from agmpk.paper.ablations import run as ablations
from agmpk.paper.ablations.run import SCORING, find
from agmpk.store import Store


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The address of a scheduler with two workers, each a process, and the workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    port = address.rpartition(":")[2]
    dask = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    quiet["cwd"] = tmp_path_factory.mktemp("cluster")
    place = ["--host", "127.0.0.1", "--no-dashboard"]
    started = [subprocess.Popen([*dask, "scheduler", *place, "--port", port], **quiet)]
    worker = [*dask, "worker", address, *place, "--no-nanny", "--nthreads", "1"]
    workers = [subprocess.Popen(worker, **quiet) for _ in range(2)]
    with Client(address, timeout="60s") as client:  # jobs are cut for the workers that are there
        client.wait_for_workers(2, timeout=60)
    yield address, workers
    for process in (*workers, *started):
        process.kill()
        process.wait()


def test_processes_give_the_rows_of_one(monkeypatch):
    names = ("indometacin", "midazolam")
    studies = {name: study for name, study in benchmark_studies().items() if name in names}
    alone = evaluate([NaiveForecaster()], studies, n_samples=20)
    together = evaluate([NaiveForecaster()], studies, n_samples=20, jobs=2)
    pd.testing.assert_frame_equal(alone.results, together.results)
    pd.testing.assert_frame_equal(alone.points, together.points)


def test_mixed_effects_fits_made_elsewhere_are_stored_once_here(cluster, tmp_path, monkeypatch):
    study = benchmark_studies()["indometacin"]
    few = replace(study, individuals=study.individuals[:3])
    monkeypatch.setattr(nlme_fits, "chosen", lambda compounds: {"indometacin": few})
    monkeypatch.setattr(nlme_fits, "_fit", lambda item: "of " + " ".join(item[0].ids))
    for jobs, scheduler in ((2, ""), (1, cluster[0])):
        place = tmp_path / str(jobs)
        monkeypatch.setattr(nlme_fits, "folder", lambda place=place: place)
        nlme_fits.fit_all(["indometacin"], jobs, scheduler)
        stored = Store(place / "fits", METHOD_VERSION).entries("indometacin").values()
        said = sorted(entry.result["failed"] for entry in stored)
        assert said == ["of 1 2", "of 1 2 3", "of 1 3", "of 2 3"]


def test_ablations_of_a_scheduler_are_those_of_one_process(cluster, tmp_path, monkeypatch):
    small = str(Path(__file__).with_name("training") / "prior.yaml")
    training = {"prior": small, "parts": 1, "steps": 2, "validate_every": 2}
    training |= {"validation_studies": 1}
    for key, value in {"samples": 8, "individuals": 1, "studies": 4, "targets": 1}.items():
        monkeypatch.setitem(SCORING, key, value)
    variants, rows = [find("default"), find("no-context")], []
    for name, scheduler in (("one", ""), ("many", cluster[0])):
        out, work = tmp_path / name, tmp_path / f"{name}-work"
        done = ablations.run_all(variants, out, work, 1, scheduler, **training)
        assert [one for names in done for one in names] == ["default", "no-context"]
        rows += [ablations.load(out, v.name).individuals.drop(columns="seconds") for v in variants]
    pd.testing.assert_frame_equal(rows[0], rows[2])
    pd.testing.assert_frame_equal(rows[1], rows[3])


def test_no_scheduler_is_one_sentence(monkeypatch):
    monkeypatch.setattr("agmpk.jobs.PATIENCE", 0.5)
    with pytest.raises(AgmpkError, match="no Dask scheduler at tcp://127.0.0.1:1"):
        list(map_jobs(abs, [1, 2], scheduler="tcp://127.0.0.1:1"))


def test_a_worker_that_is_killed_loses_nothing_and_nothing_counts_twice(cluster, tmp_path):
    """The last one here: it leaves the cluster one worker short."""
    address, workers = cluster

    def work(item):  # travels by value
        (tmp_path / f"{item}-{os.getpid()}").touch()
        time.sleep(0.2)
        return item, os.getpid()

    found = []
    for number, result in enumerate(map_jobs(work, range(16), scheduler=address)):
        found.append(result)
        if number == 2:
            until = time.monotonic() + 60
            while len({f.name.partition("-")[2] for f in tmp_path.glob("*-*")}) < 2:
                assert time.monotonic() < until, "one of the workers got no job"
                time.sleep(0.05)  # until both have begun
            workers[0].send_signal(signal.SIGKILL)
    assert [item for item, _ in found] == list(range(16))
    begun = {int(f.name.partition("-")[2]) for f in tmp_path.glob("*-*")}
    assert begun == {one.pid for one in workers}
    assert found[-1][1] == workers[1].pid
