"""A batch of simulated studies as padded tensors.

Shapes: S studies, I individuals, T samples, D doses.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class SimulatedStudies:
    """A batch of studies as padded tensors, float64.

    times [S, I, T] h since the individual's first dose, real samples in front and increasing;
    concentration [S, I, T] as reported; true [S, I, T] without assay error;
    quantified [S, I, T]; below [S, I, T] sampled, but below the LLOQ (censored); present [S, I]
    individuals that take part.
    dose_time [S, I, D] h, dose_amount [S, I, D] and dose_duration [S, I, D] h (0 for bolus and
    oral) of each single dose, schedules expanded, in order of time; dose_oral [S, I, D];
    dosed [S, I, D] a real dose, these are in front; the rest is 0.
    A sample at the very time of a dose was taken before it.
    weight [S, I] kg (70 where doses are not per kg); lloq [S], 0 where there is no limit;
    is_metabolite [S]; poor [S, I].
    """

    times: Tensor
    concentration: Tensor
    true: Tensor
    quantified: Tensor
    below: Tensor
    present: Tensor
    dose_time: Tensor
    dose_amount: Tensor
    dose_duration: Tensor
    dose_oral: Tensor
    dosed: Tensor
    weight: Tensor
    lloq: Tensor
    is_metabolite: Tensor
    poor: Tensor

    def __len__(self) -> int:
        return len(self.lloq)

    def __getitem__(self, rows: slice | Tensor) -> SimulatedStudies:
        return SimulatedStudies(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def concatenate(parts: list[SimulatedStudies]) -> SimulatedStudies:
    """One batch from several, padded to the largest numbers of individuals, samples and doses."""
    return SimulatedStudies(
        **{f.name: _stacked([getattr(p, f.name) for p in parts]) for f in fields(SimulatedStudies)}
    )


def _stacked(parts: list[Tensor]) -> Tensor:
    """Tensors below each other; shorter ones get zeros behind."""
    shape = [max(sizes) for sizes in zip(*(p.shape[1:] for p in parts), strict=True)]
    padded = []
    for part in parts:
        behind = [n for size, full in zip(part.shape[:0:-1], shape[::-1], strict=True)
                  for n in (0, full - size)]  # fmt: skip
        padded.append(torch.nn.functional.pad(part, behind) if any(behind) else part)
    return torch.cat(padded)
