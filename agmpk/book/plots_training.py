"""The figures of the chapters on learning, one function each; what they draw is computed there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import LogLocator, NullFormatter
from torch import Tensor

from agmpk.book import plots
from agmpk.book.plots import COLOURS
from agmpk.config import load_yaml
from agmpk.models.task import Task
from agmpk.studies import Individual, Study

REAL = COLOURS["observed"]


def four_studies(times: Tensor, logs: Tensor) -> Figure:
    """Simulated studies: times [S, T], log-concentrations [S, n, T]."""
    look = {"x": "Time after dose (h)", "y": "Concentration (1)", "width": 7.2}
    figure, axes = plots.panels(len(times), **look)
    for ax, t, people in zip(axes, times, logs, strict=True):
        ax.plot(t, people.exp().T, lw=0.9, color=COLOURS["prior"], alpha=0.8)
        ax.set_yscale("log")
        ax.tick_params(which="both", labelsize="x-small")
    return figure


def loss_curve(losses: Sequence[float], smooth: Sequence[float], studies_a_step: int) -> Figure:
    """The loss of each step and its running mean against studies seen."""
    figure, ax = plt.subplots(figsize=(6.4, 3.0))
    seen = studies_a_step * np.arange(1, len(losses) + 1)
    ax.plot(seen, losses, color="0.8", lw=0.5)
    ax.plot(seen, smooth, color=COLOURS["accent"])
    ax.set(xlabel="Simulated studies seen (count)", ylabel="Loss (1)", ylim=(0, None))
    return figure


def toy(data: Tensor, generated: Mapping[int, Tensor], path: Tensor) -> Figure:
    """A one-dimensional flow: the data and what is generated with so many steps; the paths [K, n]
    from the reference to them."""
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.2))
    bins = np.linspace(-3, 2.5, 56)
    axes[0].hist(data[:, 0].numpy(), bins, density=True, color="0.85", label="data")
    for n, x in generated.items():
        label = f"flow, {n} step{'s' * (n > 1)}"
        axes[0].hist(x[:, 0].numpy(), bins, density=True, histtype="step", lw=1.5, label=label)
    axes[0].set(xlabel="ln CL, centred (natural log units)", ylabel="Density (1)")
    axes[0].legend(fontsize="x-small")
    when = np.linspace(0, 1, len(path))
    axes[1].plot(when, path.numpy(), color=COLOURS["flow"], lw=0.6, alpha=0.7)
    axes[1].set(xlabel="Flow time $t$ (1)", ylabel="State $x_t$ (natural log units)")
    return figure


def frames(found: Sequence[tuple[Study, Individual, Task, int]]) -> Figure:
    """What arithmetic knows: the naive and the fitted curve, centre and spread; each panel is a
    study, an individual, its task, and the number of samples shown."""
    figure, axes = plt.subplots(1, len(found), figsize=(7.2, 3.6))
    for ax, (study, one, task, known) in zip(axes, found, strict=True):
        frame, use = task.frame, task.asked[0, 0]
        x = task.target.times[0, 0][use]
        for label, colour, style in (("naive", "naive", "--"), ("fitted", "prior", "-")):
            y = (getattr(frame, label)[0, 0] + frame.reference[0]).exp()[use]
            ax.plot(x, y, style, color=COLOURS[colour], label=label)
        centre, by = (frame.centre[0, 0] + frame.reference[0])[use], frame.spread[0, 0][use]
        band = (centre - by).exp(), (centre + by).exp()
        ax.fill_between(x, *band, color="0.85", label="centre ± spread", zorder=0)
        plots.draw_parts(ax, one, known)
        unit = study.units.concentration
        plots.label_axes(ax, x="Time after first dose", y_unit=unit, log_y=True)
        ax.set_title(f"{study.compound}, individual {one.id}", fontsize="small")
    axes[-1].legend(fontsize="x-small")
    return figure


def network() -> Figure:
    """The conditioning network as boxes and arrows, see ``network.yaml``."""
    drawn = load_yaml(Path(__file__).with_name("network.yaml"))
    figure, ax = plt.subplots(figsize=(9.6, 4.6))
    w, h = 2.1, 0.95
    arrow = {"arrowstyle": "->", "color": "0.35"}
    for x, y, text in drawn["boxes"].values():
        face = "#eef3f7" if x == 0 else "#fdf1e3" if x > 8 else "#e6f1ea"
        ax.add_patch(FancyBboxPatch((x, y), w, h, boxstyle="round,pad=0.05", fc=face, ec="0.4"))
        ax.text(x + w / 2, y + h / 2, text, ha="center", va="center", fontsize=9)
    for pair in drawn["arrows"]:
        (x, y, _), (u, v, _) = (drawn["boxes"][name] for name in pair)
        ends = {"xytext": (x + w + 0.08, y + h / 2), "xy": (u - 0.08, v + h / 2)}
        ax.annotate("", **ends, arrowprops=arrow)
    ax.annotate("", xytext=(6.85, 2.92), xy=(6.85, 2.23), arrowprops=arrow)
    ax.set(xlim=(-0.2, 11.0), ylim=(-1.4, 4.2))
    ax.axis("off")
    return figure


def reference(
    times: Tensor, band: tuple, draws: Tensor, matrix: Tensor, one: Individual, known: int, unit
) -> Figure:
    """The reference of an individual: level and width (a ``band`` of concentrations), ``draws``
    [K, A] of curves, and the correlation of three times with all."""
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.6))
    axes[0].fill_between(times, *band, color=COLOURS["flow"], alpha=0.2, label="$m \\pm s$")
    axes[0].plot(times, draws.T, color=COLOURS["flow"], lw=0.8)
    plots.draw_parts(axes[0], one, known)
    plots.label_axes(axes[0], x="Time after first dose", y_unit=unit, log_y=True)
    for share, style in ((0.25, "-"), (0.5, "--"), (0.75, ":")):
        k = int(share * len(times))
        axes[1].plot(times, matrix[k], style, color=REAL, label=f"with {float(times[k]):.0f} h")
    axes[1].set(xlabel="Time after first dose (h)", ylabel="Correlation (1)")
    for ax in axes:
        ax.legend(fontsize="x-small")
    return figure


def learning(steps: pd.DataFrame, scores: pd.DataFrame, per_step: int, kind: str) -> Figure:
    """Training loss, and error on held-out simulated studies, of one run."""
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.2))
    axes[0].plot(steps.step * per_step, steps.loss, color="0.8", lw=0.6)
    smooth = steps.loss.rolling(max(1, len(steps) // 40), min_periods=1).median()
    axes[0].plot(steps.step * per_step, smooth, color=COLOURS["flow"])
    axes[0].set_ylabel("Training loss (1)")
    seen, look = scores.step * per_step, {"ms": 4, "color": COLOURS["flow"], "label": kind}
    axes[1].plot(seen, scores.log_rmse, "o-", **look)
    axes[1].axhline(scores.log_rmse_naive.iloc[-1], color=COLOURS["naive"], ls="--", label="naive")
    axes[1].set_ylabel("log-RMSE (natural log units)")
    axes[1].legend(fontsize="small")
    for ax in axes:
        ax.set_xlabel("Simulated studies seen (count)")
    return figure


def throughput(step: pd.DataFrame, stages: pd.DataFrame) -> Figure:
    """Left: seconds of a step by part, ``step`` as of ``training_step``.  Right: the error
    ``simulated`` of ``stages`` (by studies seen) against the core-hours that they take so."""
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.0), width_ratios=(1, 1.2))
    parts = ["simulate, frame", "network", "update"]
    step[parts].plot.barh(stacked=True, ax=axes[0], color=["0.75", COLOURS["flow"], "0.35"])
    axes[0].set(xlabel="Processor time of a step (s)", ylabel="")
    axes[0].legend(fontsize="x-small")
    for name, style in (("padded", "--"), ("packed", "-")):
        hours = stages.index / step.loc[name, "studies per second"] / 3600
        axes[1].plot(hours, stages.simulated, "o" + style, ms=3, color=COLOURS["flow"], label=name)
    axes[1].set(xlabel="Core-hours at that rate (h)", ylabel="log-RMSE (natural log units)")
    axes[1].legend(fontsize="x-small")
    return figure


def stages(medium: pd.DataFrame, wide: pd.DataFrame) -> Figure:
    """Error relative to the naive curve's against studies seen, one line a kind of studies, and
    single marks of a second network."""
    figure, ax = plt.subplots(figsize=(6.4, 3.0))
    for (name, values), marker in zip(medium.items(), "o^s", strict=True):
        (line,) = ax.plot(values.index, values, marker + "-", label=name)
        ax.plot(wide.index, wide[name], marker, ms=10, mfc="none", color=line.get_color())
    ax.axhline(1, color=COLOURS["naive"], ls="--", label="naive")
    ax.set(xlabel="Simulated studies seen (count)", ylabel="log-RMSE / naive log-RMSE (1)")
    ax.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    return figure


def shipped(logs: Mapping[str, pd.DataFrame]) -> Figure:
    """The runs behind the checkpoints: errors relative to the naive curve's on the same studies."""
    figure, ax = plt.subplots(figsize=(6.4, 3.6))
    rows = pd.concat([scores.assign(model=name) for name, scores in logs.items()])
    rows["ratio"] = rows.log_rmse / rows.log_rmse_naive
    plots.draw_by(ax, rows, "studies", "ratio", plots.colours_of(list(logs)))
    ax.axhline(1, color=COLOURS["naive"], ls="--", label="naive")
    ax.set(xlabel="Simulated studies seen (count)", ylabel="log-RMSE / naive log-RMSE (1)")
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.legend(fontsize="small")
    return figure
