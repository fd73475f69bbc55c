"""Time bins of a visual predictive check."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agmpk.errors import AgmpkError

CLOSEST = 0.05  # samples nearer than this, relative to their time, are of one nominal time


def time_bins(times: NDArray[np.float64], minimum: int = 5) -> NDArray[np.int64]:
    """The bin 0, 1, ... of every observation time [N] (h, > 0), in order of time.

    The contract: bins follow the nominal times.  The sorted times are cut at their largest gaps
    of ln time first, and a cut is made only where both sides keep ``minimum`` points or more and
    the gap is wider than ``CLOSEST``.  So equal times are never separated, samples a few minutes
    off their nominal time stay with it, and no bin has fewer than ``minimum`` points (one bin
    where there are fewer than two such).

    Raises:
        AgmpkError: there is no time, or one that is not positive.
    """
    times = np.asarray(times, dtype=float)
    if not len(times) or not np.all(times > 0):
        raise AgmpkError("A visual predictive check needs observations at times after the dose.")
    order = np.argsort(times, kind="stable")
    gaps = np.diff(np.log(times[order]))
    cuts = [0, len(times)]
    for k in np.argsort(-gaps, kind="stable"):
        here = np.searchsorted(cuts, k + 1)
        inside = k + 1 - cuts[here - 1] >= minimum and cuts[here] - k - 1 >= minimum
        if gaps[k] > CLOSEST and inside:
            cuts.insert(here, int(k) + 1)
    bins = np.empty(len(times), dtype=np.int64)
    for number, (start, stop) in enumerate(zip(cuts, cuts[1:], strict=False)):
        bins[order[start:stop]] = number
    return bins
