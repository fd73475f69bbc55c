"""Features of the sampling design of one study, real or simulated."""

from __future__ import annotations

import warnings

import numpy as np

from agmpk.evaluation.nca import nca
from agmpk.studies import Study

DESIGN_FEATURES = {
    "individuals": "individuals",
    "samples": "samples per individual",
    "first_per_tmax": "first sample / Tmax",
    "before_peak": "samples before the peak",
    "last_per_half_life": "last sample / half-life",
    "fall": "ln(Cmax / last concentration)",
    "early_share": "share of samples in the first quarter of the time",
    "shared": "share of samples at times that somebody else has",
    "dose_spread": "SD of ln dose",
}
"""What is compared, and how to write it on an axis."""


def design_features(study: Study) -> dict[str, float]:
    """Medians over the individuals with four or more quantified samples; NaN if there are none."""
    people = [one for one in study.after_dose() if len(one) >= 4]
    if not people:
        return dict.fromkeys(DESIGN_FEATURES, np.nan)
    rows = []
    for one in people:
        found = nca(one.times, one.concentrations)
        rows.append(
            (
                len(one),
                one.times[0] / found["Tmax"],
                int(np.argmax(one.concentrations)),
                one.times[-1] / found["t_half"],
                np.log(found["Cmax"] / one.concentrations[-1]),
                np.mean(one.times <= one.times[-1] / 4),
            )
        )
    with warnings.catch_warnings():
        # A study in which no curve falls has no half-life, and its median is NaN.
        warnings.simplefilter("ignore", RuntimeWarning)
        samples, first, before, last, fall, early = np.nanmedian(np.array(rows, float), axis=0)
    doses = np.log([sum(d.amount for d in one.single_doses()) for one in people])
    return {
        "individuals": float(len(study)),
        "samples": samples,
        "first_per_tmax": first,
        "before_peak": before,
        "last_per_half_life": last,
        "fall": fall,
        "early_share": early,
        "shared": shared_times([one.times for one in people]),
        "dose_spread": float(np.std(doses, ddof=1)) if len(people) > 1 else 0.0,
    }


def shared_times(times: list[np.ndarray]) -> float:
    """The share of samples taken at a time (to the minute) that another individual has as well."""
    minutes = np.round(np.concatenate(times) * 60).astype(int)
    _, inverse, counts = np.unique(minutes, return_inverse=True, return_counts=True)
    return float(np.mean(counts[inverse] > 1))
