"""The frame on raw concentrations, for the ablation: differences instead of logarithms.

    x = (y - c) / (PRIOR_SPREAD peak),   y and c dose-normalized

c = exp(centre) is the naive forecast and ``peak`` the largest value of the context's mean curve.
So the unit is one per study, and units of measurement still change nothing.  A raw coordinate
does not know that concentrations are positive: what falls below ``LOWEST`` of c is set to it.

The state, the prefix and the context's departures are raw; the summaries that describe the frame
(mean curve, spread, offset) stay logarithms, as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from agmpk.models.frame import PRIOR_SPREAD, Frame, to_frame
from agmpk.models.task import Task

LOWEST = 0.05


@dataclass(frozen=True)
class RawFrame(Frame):
    """A frame whose coordinate is a difference of concentrations."""

    @property
    def unit(self) -> Tensor:
        """The same error counts alike at every point: [B, R, T] ones."""
        return torch.ones_like(self.spread)

    def encode(self, logs: Tensor) -> Tensor:
        """ln(y / dose) -> x."""
        return (self._relative(logs) - self._relative(self.centre)) / PRIOR_SPREAD

    def decode(self, x: Tensor) -> Tensor:
        """x [..., B, R, T] -> ln(y / dose)."""
        c = self._relative(self.centre)
        y = torch.maximum(c + PRIOR_SPREAD * x, LOWEST * c)
        return self.peak[:, None, None] + y.log()

    def _relative(self, logs: Tensor) -> Tensor:
        return (logs - self.peak[:, None, None]).exp()


def to_raw_frame(task: Task) -> RawFrame:
    """The raw frame of a task."""
    frame = to_frame(task)
    frame = RawFrame(**{f.name: getattr(frame, f.name) for f in fields(Frame)})
    peak = frame.peak[:, None, None]
    departure = (task.context_logs - peak).exp() - (frame.context_curve - peak).exp()
    departure = torch.where(task.context_mask, departure / PRIOR_SPREAD, 0.0)
    raw = frame.departures + (frame.centre - peak)[:, None]
    raw = (raw.exp() - (frame.centre - peak)[:, None].exp()) / PRIOR_SPREAD
    return replace(frame, context_residual=departure, departures=raw * frame.spread[:, None])
