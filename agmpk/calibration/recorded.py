"""A law that remembers what it drew: the link from a simulated study to its hyper-parameters.

The simulator hands out curves, not the typical values and SDs behind them.  Put in the place of a
:class:`~agmpk.prior.laws.Law`, this one draws the same numbers from the same generator and keeps
them, so that simulated studies can be weighted by how real they look and the weights read off on
the hyper-parameters, whatever the inside of the simulator looks like.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

from agmpk.prior import PriorConfig
from agmpk.prior.laws import Law


@dataclass(frozen=True)
class RecordedLaw(Law):
    """The same law; ``drawn`` collects every tensor it hands out."""

    drawn: list[Tensor] = field(default_factory=list, compare=False, repr=False)

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        values = super().draw(shape, generator)
        self.drawn.append(values)
        return values


def recorded(config: PriorConfig) -> PriorConfig:
    """The same prior with every law recorded; its studies are the same, number by number."""
    changes: dict[str, dict[str, Any]] = {}
    for name, path, law in laws(config):
        changes.setdefault(name, {})[path] = RecordedLaw(law.low, law.high, law.log)
    return config.replace(**changes)


def laws(config: PriorConfig) -> list[tuple[str, str, Law]]:
    """(group, quantity, law) of every range of the prior."""
    found = []
    for group in fields(config):
        part = getattr(config, group.name)
        if is_dataclass(part):
            for one in fields(part):
                value = getattr(part, one.name)
                if isinstance(value, Law):
                    found.append((group.name, one.name, value))
    return found


def study_draws(config: PriorConfig, studies: int) -> dict[str, Tensor]:
    """What a recorded prior has drawn once per study: "group.quantity" -> [S].

    Laws drawn more than once per study (one SD for each exchange rate, say) are left out: no
    single number of a study stands for them.
    """
    draws = {}
    for group, name, law in laws(config):
        if isinstance(law, RecordedLaw) and law.drawn:
            (values, *again) = law.drawn
            if not again and values.numel() == studies:
                draws[f"{group}.{name}"] = values.flatten()
    return draws
