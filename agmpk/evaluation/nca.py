"""Noncompartmental analysis of one individual."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def nca(times: NDArray[np.float64], concentrations: NDArray[np.float64]) -> dict[str, float]:
    """Cmax, Tmax [h], AUC0_t, lambda_z [1/h], t_half [h] and AUC0_inf of a single dose at time 0.

    AUC by the linear-up, logarithmic-down rule from the first sample given (include time 0 where
    it was measured); lambda_z by the regression of ln concentration on the last n >= 3 samples
    after Cmax that has the best adjusted R2 (Gabrielsson & Weiner 2016); NaN where there is none.

    Args:
        times: float64[T] [h], increasing.
        concentrations: float64[T], >= 0, at least one positive.
    """
    peak = int(np.argmax(concentrations))
    area = auc(times, concentrations)
    slope, last = terminal_slope(times[peak + 1 :], concentrations[peak + 1 :])
    if not np.isfinite(slope):
        last = np.nan
    return {
        "Cmax": float(concentrations[peak]),
        "Tmax": float(times[peak]),
        "AUC0_t": area,
        "lambda_z": slope,
        "t_half": np.log(2) / slope,
        "AUC0_inf": area + last / slope,
    }


def auc(times: NDArray[np.float64], concentrations: NDArray[np.float64]) -> float:
    """Area under the curve: trapezoids where it rises, logarithmic trapezoids where it falls."""
    a, b, h = concentrations[:-1], concentrations[1:], np.diff(times)
    falling = (b < a) & (b > 0)
    ratio = np.log(np.where(falling, a / np.where(falling, b, 1.0), np.e))
    return float(np.sum(np.where(falling, (a - b) * h / ratio, (a + b) * h / 2)))


def terminal_slope(
    times: NDArray[np.float64],
    concentrations: NDArray[np.float64],
) -> tuple[float, float]:
    """lambda_z > 0 and the last positive concentration; NaN where no regression falls."""
    keep = concentrations > 0
    t, y = times[keep], np.log(concentrations[keep])
    best, found = -np.inf, np.nan
    for n in range(3, len(t) + 1):
        slope, intercept = np.polyfit(t[-n:], y[-n:], 1)
        residual = np.sum((y[-n:] - slope * t[-n:] - intercept) ** 2)
        total = np.sum((y[-n:] - y[-n:].mean()) ** 2)
        adjusted = 1 - (residual / (n - 2)) / (total / (n - 1)) if total > 0 else -np.inf
        # Within a hair of the best, the longer regression is preferred, as is customary.
        if slope < 0 and adjusted > best - 1e-4:
            best, found = max(best, adjusted), -slope
    return float(found), float(np.exp(y[-1])) if len(y) else np.nan
