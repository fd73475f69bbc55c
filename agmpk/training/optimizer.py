"""The optimizers of a run: Muon for the matrices inside the layers, AdamW for everything else.

Muon (Jordan et al. 2024; PyTorch's own) steps along the orthogonalized momentum of a weight
matrix.  It was preferred to AdamW by the loss on the same simulated studies; the ablation
``adamw`` measures the difference.  Embeddings, heads, norms and biases are not maps within one
space and stay with AdamW.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from agmpk.training.config import TrainingConfig

OPTIMIZERS = ("muon", "adamw")


def inner_matrices(model: nn.Module) -> list[nn.Parameter]:
    """The matrices inside the layers, which Muon updates; a network may have none."""
    return [p for name, p in model.named_parameters() if p.ndim == 2 and "layers." in name]


class Optimizers:
    """What a run needs of its optimizers, as if they were one."""

    def __init__(self, model: nn.Module, config: TrainingConfig) -> None:
        self._names = {parameter: name for name, parameter in model.named_parameters()}
        inner = inner_matrices(model) if config.optimizer == "muon" else []
        rest = [p for p in self._names if not any(p is q for q in inner)]
        decay = config.weight_decay
        self.parts: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(rest, lr=config.rate, betas=(0.9, 0.98), weight_decay=decay)
        ]
        if inner:
            # The adjustment makes a step as long as AdamW's would be, so that rates compare.
            self.parts.append(
                torch.optim.Muon(
                    inner,
                    lr=config.matrix_rate,
                    weight_decay=decay,
                    momentum=0.95,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
        self._peaks = [[group["lr"] for group in part.param_groups] for part in self.parts]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)

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
