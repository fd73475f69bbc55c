"""The optimizers of a run: Muon for the matrices inside the layers, AdamW for everything else.

Muon (Jordan et al. 2024) steps along the orthogonalized momentum of a weight matrix.  It was
preferred to AdamW by the loss on the same simulated studies.  Embeddings, heads, norms and biases
are not maps within one space and stay with AdamW.  PyTorch's own Muon handles one matrix after the
other, some thousand small operations a step, which leave a GPU idle; here matrices of one shape are
orthogonalized together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from agmpk.training.config import TrainingConfig

# The quintic iteration whose slope at 0 is steep: few steps suffice (Jordan et al. 2024).
QUINTIC, ITERATIONS = (3.4445, -4.7750, 2.0315), 5


def inner_matrices(model: nn.Module) -> list[nn.Parameter]:
    """The matrices inside the layers, which Muon updates; a network may have none."""
    found = [p for name, p in model.named_parameters() if p.ndim == 2 and "layers." in name]
    return [p for p in found if p.requires_grad]


def orthogonalized(matrices: Tensor) -> Tensor:
    """Nearest semi-orthogonal matrices, roughly, to ``matrices`` [N, rows, columns]."""
    x = matrices.transpose(-1, -2) if matrices.shape[-2] > matrices.shape[-1] else matrices
    x = x / x.norm(dim=(-1, -2), keepdim=True).clamp(min=1e-7)
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        square = x @ x.transpose(-1, -2)
        x = a * x + (b * square + c * square @ square) @ x
    return x.transpose(-1, -2) if matrices.shape[-2] > matrices.shape[-1] else x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalized, shape by shape; the step is as long as AdamW's would be
    (0.2 sqrt(larger side)), so that rates compare."""

    def __init__(self, params, lr: float, weight_decay: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[nn.Parameter]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    by_shape.setdefault(p.shape, []).append(p)
            for shape, alike in by_shape.items():
                self._step(group, shape, alike)

    def _step(self, group: dict, shape: torch.Size, alike: list[nn.Parameter]) -> None:
        for p in alike:
            self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
        buffers = [self.state[p]["momentum_buffer"] for p in alike]
        grads = [p.grad for p in alike]
        torch._foreach_lerp_(buffers, grads, 1 - group["momentum"])
        looked_ahead = torch._foreach_lerp(grads, buffers, group["momentum"])
        step = orthogonalized(torch.stack(looked_ahead)).unbind()
        torch._foreach_mul_(alike, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(alike, list(step), alpha=-group["lr"] * 0.2 * max(shape) ** 0.5)


class Optimizers:
    """What a run needs of its optimizers, as if they were one."""

    def __init__(self, model: nn.Module, config: TrainingConfig) -> None:
        self._names = {p: name for name, p in model.named_parameters() if p.requires_grad}
        inner = inner_matrices(model) if config.optimizer == "muon" else []
        rest = [p for p in self._names if not any(p is q for q in inner)]
        decay = config.weight_decay
        self.parts: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(rest, lr=config.rate, betas=(0.9, 0.98), weight_decay=decay)
        ]
        if inner:
            self.parts.append(Muon(inner, config.matrix_rate, decay))
        self._peaks = [[group["lr"] for group in part.param_groups] for part in self.parts]

    def step(self, factor: float) -> None:
        """One update at ``factor`` times the peak rates."""
        for part, peaks in zip(self.parts, self._peaks, strict=True):
            for group, peak in zip(part.param_groups, peaks, strict=True):
                group["lr"] = factor * peak
            part.step()

    def tensors(self) -> dict[str, Tensor]:
        """The moments, named ``moment/parameter``; step counts are the run's own."""
        return {
            f"{moment}/{self._names[parameter]}": value
            for part in self.parts
            for parameter, state in part.state.items()
            for moment, value in state.items()
            if moment != "step"
        }

    def load(self, tensors: dict[str, Tensor], step: int) -> None:
        """Restore what ``tensors`` gave after ``step`` steps."""
        by_name = {name: parameter for parameter, name in self._names.items()}
        owner = {p: part for part in self.parts for g in part.param_groups for p in g["params"]}
        for key, value in tensors.items():
            moment, name = key.split("/", 1)
            parameter = by_name[name]
            part = owner[parameter]
            if isinstance(part, torch.optim.AdamW):
                part.state[parameter].setdefault("step", torch.tensor(float(step)))
            part.state[parameter][moment] = value.to(parameter.device)
