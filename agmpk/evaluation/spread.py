"""How far the individuals of a study differ: in the level of their log-curves, and in shape."""

from __future__ import annotations

import numpy as np

from agmpk.studies import Study


def curve_spread(study: Study, points: int = 12) -> dict[str, float]:
    """``level``: SD between individuals of their mean ln concentration; ``shape``: root mean
    square of what is left of the departures from the study's mean log-curve after that shift.

    Both in natural-log units, from curves interpolated at ``points`` quantiles of the study's
    sampling times, within each individual's own range.  NaN for fewer than three individuals with
    four samples.  Doses are normalized away.
    """
    people = [one for one in study.after_dose() if len(one) >= 4]
    if len(people) < 3:
        return {"level": np.nan, "shape": np.nan}
    times = np.quantile(
        np.concatenate([one.times for one in people]), np.linspace(0.05, 0.95, points)
    )
    curves = np.array(
        [
            np.interp(
                times,
                one.times,
                np.log(one.concentrations / sum(d.amount for d in one.single_doses())),
                left=np.nan,
                right=np.nan,
            )
            for one in people
        ]
    )
    keep = np.isfinite(curves).sum(0) >= 3
    if keep.sum() < 3:
        return {"level": np.nan, "shape": np.nan}
    departures = curves[:, keep] - np.nanmean(curves[:, keep], axis=0)
    seen = np.isfinite(departures).sum(1) >= 2
    departures = departures[seen]
    level = np.nanmean(departures, axis=1)
    return {
        "level": float(level.std(ddof=1)),
        "shape": float(np.sqrt(np.nanmean((departures - level[:, None]) ** 2))),
    }
