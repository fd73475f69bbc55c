"""Simulated studies: as padded tensors, as studies of the data model, as a NONMEM-style table.

Shapes: S studies, I individuals, T samples, D doses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from agmpk.studies import Dose, Individual, Study, Units

# Units of the prior: doses and volumes carry theirs, concentrations follow.
UNITS = Units(time="h", concentration="mg/L", dose="mg")
COLUMNS = (
    "STUDY", "ID", "TIME", "DV", "AMT", "EVID", "MDV", "ROUTE", "DUR", "ADDL", "II", "CENS",
    "LLOQ", "WT",
)  # fmt: skip


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
        return SimulatedStudies(**{name: values[rows] for name, values in vars(self).items()})

    def shuffled(self, generator: torch.Generator) -> SimulatedStudies:
        """The same studies, the individuals of each in another order; who is present in front."""
        order = torch.rand(self.present.shape, generator=generator, dtype=torch.float64)
        order = (order + ~self.present).argsort(-1)

        def reorder(values: Tensor) -> Tensor:
            if values.ndim < 2:  # of the study
                return values
            index = order.view(*order.shape, *[1] * (values.ndim - 2)).expand_as(values)
            return values.gather(1, index)

        return SimulatedStudies(*map(reorder, vars(self).values()))


def concatenate(parts: list[SimulatedStudies]) -> SimulatedStudies:
    """One batch from several, padded to the largest numbers of individuals, samples and doses."""
    joined = {}
    for name in vars(parts[0]):
        values = [getattr(part, name) for part in parts]
        shape = [max(sizes) for sizes in zip(*(one.shape[1:] for one in values), strict=True)]
        whole = values[0].new_zeros((sum(map(len, parts)), *shape))
        for rows, one in zip(whole.split([len(part) for part in parts]), values, strict=True):
            rows[tuple(slice(size) for size in one.shape)] = one
        joined[name] = whole
    return SimulatedStudies(**joined)


def to_studies(batch: SimulatedStudies, first: int = 1) -> list[Study]:
    """One ``Study`` per simulated study, named S1, S2, ... from number ``first``.

    Samples below the LLOQ are censored observations that hold the LLOQ.
    """
    kept, reported, route = _told(batch)
    studies = []
    for s in range(len(batch)):
        individuals = []
        for i in batch.present[s].nonzero().flatten().tolist():
            keep, dosed = kept[s, i], batch.dosed[s, i]
            time, amount, duration = (
                values[s, i, dosed].tolist()
                for values in (batch.dose_time, batch.dose_amount, batch.dose_duration)
            )
            doses = map(Dose, time, amount, route[s, i, dosed.numpy()].tolist(), duration)
            times, values, below = (
                of[s, i, keep].numpy() for of in (batch.times, reported, batch.below)
            )
            individuals.append(Individual(str(i + 1), times, values, tuple(doses), below))
        lloq = float(batch.lloq[s]) or None
        studies.append(Study(f"S{first + s}", tuple(individuals), UNITS, lloq))
    return studies


def to_table(batch: SimulatedStudies, first: int = 1) -> pd.DataFrame:
    """All studies below each other: one row per dose or observation, in order of time.

    A sample at the very time of a dose stands in the row before it: a trough.

    Columns as ``nonmem.write.to_frame`` has them, with STUDY in front and the LLOQ [mg/L] of each
    observation (missing where the study has none) and the body weight WT [kg] behind.
    """
    kept, reported, route = _told(batch)
    at, lloq = np.nonzero(batch.dosed.numpy()), batch.lloq.numpy()
    doses = {
        "study": at[0],
        "person": at[1],
        "TIME": batch.dose_time.numpy()[at],
        "AMT": batch.dose_amount.numpy()[at],
        "EVID": 1,
        "ROUTE": route[at],
        "DUR": batch.dose_duration.numpy()[at],
        "ADDL": 0,
        "II": 0.0,
    }
    at = np.nonzero(kept.numpy())
    samples = {
        "study": at[0],
        "person": at[1],
        "TIME": batch.times.numpy()[at],
        "DV": reported.numpy()[at],
        "EVID": 0,
        "CENS": batch.below.numpy()[at].astype(np.int64),
        "LLOQ": np.where(lloq > 0, lloq, np.nan)[at[0]],
    }
    rows = pd.concat([pd.DataFrame(doses), pd.DataFrame(samples)], ignore_index=True)
    rows = rows.sort_values(["study", "person", "TIME", "EVID"], kind="stable")
    rows["MDV"] = rows["EVID"]
    rows["WT"] = batch.weight.numpy()[rows["study"], rows["person"]]
    rows["STUDY"] = [f"S{first + n}" for n in rows["study"]]
    rows["ID"] = (rows["person"] + 1).astype(str)
    whole = dict.fromkeys(("EVID", "MDV", "ADDL", "CENS"), "Int64")
    return rows[list(COLUMNS)].astype(whole).reset_index(drop=True)


def _told(batch: SimulatedStudies) -> tuple[Tensor, Tensor, NDArray]:
    """Which samples [S, I, T] are reported, as what (the LLOQ below it), and the routes [S, I, D]
    of the doses."""
    reported = torch.where(batch.below, batch.lloq[:, None, None], batch.concentration)
    intravenous = np.where(batch.dose_duration.numpy() > 0, "iv_infusion", "iv_bolus")
    route = np.where(batch.dose_oral.numpy(), "oral", intravenous)
    return batch.quantified | batch.below, reported, route
