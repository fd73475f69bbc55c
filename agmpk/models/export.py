"""A trained flow as ONNX graphs, for runtimes without PyTorch: the book runs it in the browser.

Two graphs for one individual, with any number of people, samples, doses, times and draws:

    law.onnx    a task's arrays -> what is known of each asked time
    draw.onnx   that, and standard normal numbers -> draws of ln y

Between them stands what ONNX has no operator for, two Cholesky factors (``transport.correlation``
and ``factor``), which make the numbers of one curve go together.  The mean forecast needs neither:
it is the mean of draws at equally likely numbers (``TransportModel.mean``).

Shapes: J context individuals, K their samples, D doses of anybody (both records padded alike), T
the target's points, shown ones first, H hidden units, S draws.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from agmpk.models.registry import load_checkpoint
from agmpk.models.task import Record, Task
from agmpk.models.transport import FlowModel, place

RECORD = tuple(f.name for f in fields(Record))
INPUTS = (*(f"{who}_{name}" for who in ("context", "target") for name in RECORD), "prefix", "limit")
"""Of law.onnx: a task's arrays (``agmpk.models.task``) without the axis of studies: context_...
[J, K] or [J, D], target_... [T] or [D], float64 or bool; prefix bool[T]; limit float64[]."""
OUTPUTS = ("prepared", "mean", "sd", "centre", "spread", "kernel", "place", "naive", "highest")
"""Of law.onnx: prepared float32[T, H], mean and sd float32[T], centre and spread float64[T] for
draw.onnx; length, level and nugget of the kernel float64[3] over place float64[T]; the naive
forecast of ln y float64[T]; highest float64[], ln of the study's highest mean value, by which idle
limits are found (``task_from_study``)."""
OPSET = 20


class Law(nn.Module):
    """The first graph: ``INPUTS`` to ``OUTPUTS``."""

    def __init__(self, model: FlowModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        n, (prefix, limit) = len(RECORD), values[-2:]
        context = Record(*(value[None] for value in values[:n]))
        target = Record(*(value[None, None] for value in values[n : 2 * n]))
        prefix = prefix[None, None]
        task = Task(context, target, prefix, target.mask & ~prefix, limit[None])
        # Both are looked up in the numbers, and a graph must not depend on those of its example.
        task.knowing(longest_prefix=prefix.shape[-1], any_mixed=True)
        task, state, kernel = self.model.condition(task)
        frame = task.frame
        reference = frame.reference[:, None, None]
        found = (
            self.model.velocity.prepare(state),
            *self.model.normal(state),
            frame.centre + reference,
            frame.spread,
            torch.stack([x[..., 0, 0] for x in vars(kernel).values()], -1),
            place(task),
            frame.naive + reference,
            frame.highest[:, None],
        )
        return tuple(value[0, 0] for value in found)


class Draw(nn.Module):
    """The second graph: correlated standard normal numbers w float64[S, T] to draws of ln y
    float64[S, T]."""

    def __init__(self, model: FlowModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, prepared: Tensor, mean: Tensor, sd: Tensor, centre: Tensor, spread: Tensor, w: Tensor
    ) -> Tensor:
        def predict(w: Tensor, t: float) -> Tensor:
            kind = mean.dtype
            return self.model.velocity(w.to(kind), mean.new_tensor(t), prepared).double()

        w = self.model.config.temperature * w
        moved = self.model.transport.sample(predict, w, self.model.steps, None)
        return centre + spread * (mean.double() + sd.double() * moved)


def export_onnx(checkpoint: Path, folder: Path) -> None:
    """Write law.onnx and draw.onnx of the flow in ``checkpoint`` into ``folder``.

    Raises:
        AgmpkError: the checkpoint is damaged, or holds no flow.
    """
    model = load_checkpoint(Path(checkpoint), "flow")
    sizes = {name: "JD" if name.startswith("dose") else "JK" for name in RECORD}
    axes = {f"context_{name}": two for name, two in sizes.items()}
    axes |= {f"target_{name}": "T" if two == "JK" else "D" for name, two in sizes.items()}
    found = dict.fromkeys(OUTPUTS, "T") | {"kernel": "", "highest": ""}
    _write(Law(model), dict(zip(INPUTS, _example(), strict=True)), found,
           axes | {"prefix": "T", "limit": ""}, folder / "law.onnx")  # fmt: skip
    numbers = dict(zip(OUTPUTS, torch.ones(5, 4), strict=False))
    numbers["prepared"] = torch.zeros(4, model.velocity.known.out_features)
    numbers |= {name: numbers[name].double() for name in ("centre", "spread")}
    numbers["w"] = torch.zeros(3, 4, dtype=torch.float64)
    _write(Draw(model), numbers, {"logs": "ST"}, dict.fromkeys(numbers, "T") | {"w": "ST"},
           folder / "draw.onnx")  # fmt: skip


def _example() -> list[Tensor]:
    """Arrays to trace with; only their types matter."""

    def record(*people: int, samples: int) -> list[Tensor]:
        times = torch.arange(1.0, samples + 1, dtype=torch.float64).expand(*people, -1)
        marks = torch.ones_like(times, dtype=torch.bool)
        doses = torch.zeros(*people, 3, dtype=torch.float64)
        dosed = torch.ones_like(doses, dtype=torch.bool)
        return [times, -times, marks, ~marks, doses, doses + 1, doses, dosed, dosed]

    limit = torch.tensor(0.5, dtype=torch.float64)
    return [*record(4, samples=5), *record(samples=7), torch.arange(7) < 2, limit]


def _write(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Mapping[str, str],
    axes: Mapping[str, str],
    path: Path,
) -> None:
    """One graph with its weights inside; ``outputs`` and ``axes`` name the sizes, a letter each.

    By tracing: exporting by ``torch.export`` gives the same numbers and takes thirty times as long.
    """
    sizes = {name: dict(enumerate(letters)) for name, letters in {**axes, **outputs}.items()}
    torch.onnx.register_custom_op_symbolic("aten::expm1", _expm1, OPSET)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is told of each size that it reads from a shape
        torch.onnx.export(
            module.eval().requires_grad_(False), tuple(inputs.values()), str(path), dynamo=False,
            input_names=list(inputs), output_names=list(outputs), dynamic_axes=sizes,
            opset_version=OPSET,
        )  # fmt: skip
    torch.onnx.unregister_custom_op_symbolic("aten::expm1", OPSET)
    _halve(path)


def _halve(path: Path) -> None:
    """Keep the weights that half precision holds exactly, as checkpoints do, in it: the same
    numbers in half of the bytes."""
    model = onnx.load(path)
    casts = []
    for weight in model.graph.initializer:
        values, name = numpy_helper.to_array(weight), weight.name
        if values.dtype != np.float32 or not np.array_equal(values, half := values.astype("f2")):
            continue
        weight.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    onnx.save(model, path)


def _expm1(graph, x):
    """ONNX has none."""
    one = graph.op("Constant", value_t=torch.tensor(1.0))
    return graph.op("Sub", graph.op("Exp", x), graph.op("CastLike", one, x))
