"""The exported graphs answer what the network answers, for sizes that tracing has not seen."""

from dataclasses import replace

import numpy as np
import pytest
from proof.shipped import PREFIXES, TARGET, TIMES, golden_studies

from agmpk.files import data_path
from agmpk.forecasting import load_forecaster
from agmpk.models.export import INPUTS, OUTPUTS, RECORD, export_onnx
from agmpk.models.task import task_from_study
from agmpk.models.transport import NODES, WEIGHTS
from agmpk.studies import Dose, Individual, Study, read_study

SHIPPED = ("development/studies/phenobarbital", "benchmark/studies/caffeine")
PARITY = 1e-3  # ln PRED; measured: 3e-7

runtime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    export_onnx(data_path("checkpoints", "flow"), folder)
    return [runtime.InferenceSession(folder / name) for name in ("law.onnx", "draw.onnx")]


@pytest.fixture(scope="module")
def flow():
    return load_forecaster("flow")


def arrays(task):
    """The inputs of law.onnx, doses of context and target padded alike."""
    D = max(task.context.dosed.shape[-1], task.target.dosed.shape[-1])
    out = []
    for record, row in ((task.context, 0), (task.target, (0, 0))):
        for name in RECORD:
            value = getattr(record, name)[row].numpy()
            more = D - value.shape[-1] if name.startswith("dose") else 0
            out.append(np.pad(value, [(0, 0)] * (value.ndim - 1) + [(0, more)]))
    return dict(zip(INPUTS, [*out, task.prefix[0, 0].numpy(), task.limit[0].numpy()], strict=True))


def worst(graphs, flow, context, prefix, times):
    """The largest |ln PRED - ln PRED| between the runtime and PyTorch."""
    task = task_from_study(context, prefix, times)
    law, draw = graphs
    known = dict(zip(OUTPUTS, law.run(None, arrays(task)), strict=True))
    w = np.repeat(NODES[:, None], len(known["mean"]), axis=1)
    (logs,) = draw.run(None, {name: known[name] for name in OUTPUTS[:5]} | {"w": w})
    wanted = flow.model.mean(task)[0, 0].numpy()
    asked = task.asked[0, 0].numpy()
    naive = (task.frame.naive + task.frame.reference)[0, 0].numpy()
    assert np.abs(known["naive"] - naive)[asked].max() < PARITY
    return np.abs(WEIGHTS @ logs - wanted)[asked].max()


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("study", golden_studies(), ids=lambda study: study.compound)
def test_golden_studies(graphs, flow, study, prefix):
    own = study[TARGET].prefix(prefix)
    assert worst(graphs, flow, study.without(TARGET), own, TIMES[prefix:]) < PARITY


def people(*doses):
    return [
        Individual(str(k), [1.0, 2.5 + k, 9.0], [3.0 + k, 5.0, 2.0 - 0.3 * k], given)
        for k, given in enumerate(doses)
    ]


def test_sizes_and_doses_not_seen_in_tracing(graphs, flow):
    overlap = [Dose(t, 10.0, "iv_infusion", 4.0, 6, 24.0) for t in (0.0, 1.0, 2.0)]
    oral, mixed = (Dose(0.0, 50.0),), (Dose(0.0, 50.0), Dose(3.0, 20.0, "iv_bolus"))
    one, *others = people(overlap, oral, mixed, tuple(overlap[:1]))
    for context, target, times in (
        (Study("x", tuple(others)), one, [10.0, 30.0, 200.0]),
        (Study("x", tuple(others[:1])), replace(others[0], id="new"), [12.0]),
        (Study("x", ()), one, np.arange(10.0, 60.0)),
        (Study("x", (one,), lloq=0.1), others[0].prefix(0), [0.0, 1.0]),
    ):
        assert worst(graphs, flow, context, target, times) < PARITY


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_studies(graphs, flow, name):
    study = read_study(data_path(f"{name}.csv"))
    target = study.individuals[-1]
    one, later = target.prefix(2), target.times[2:]
    assert worst(graphs, flow, study.without(target.id), one, later) < PARITY
