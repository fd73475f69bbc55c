"""A batch of simulated studies as padded tensors.

Shapes: S studies, I individuals, T samples.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class SimulatedStudies:
    """A batch of studies as padded tensors, float64.

    times [S, I, T] h; concentration [S, I, T] as reported; true [S, I, T] without assay error;
    quantified [S, I, T]; below [S, I, T] sampled, but below the LLOQ (censored); present [S, I]
    individuals that take part; dose [S, I] amount of each single dose; oral [S]; duration [S] h (0
    for bolus and oral); interval [S] h (0 for a single dose); additional [S] int64, doses after the
    first; weight [S, I] kg (70 where doses are not per kg); lloq [S]; is_metabolite [S];
    poor [S, I].
    """

    times: Tensor
    concentration: Tensor
    true: Tensor
    quantified: Tensor
    below: Tensor
    present: Tensor
    dose: Tensor
    oral: Tensor
    duration: Tensor
    interval: Tensor
    additional: Tensor
    weight: Tensor
    lloq: Tensor
    is_metabolite: Tensor
    poor: Tensor

    def __len__(self) -> int:
        return len(self.oral)

    def __getitem__(self, rows: slice | Tensor) -> SimulatedStudies:
        return SimulatedStudies(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def concatenate(parts: list[SimulatedStudies]) -> SimulatedStudies:
    """One batch from several."""
    return SimulatedStudies(
        **{f.name: torch.cat([getattr(p, f.name) for p in parts]) for f in fields(SimulatedStudies)}
    )
