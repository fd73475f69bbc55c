"""Priors beside the published population models of ``data/poppk``.

Two comparisons. *Parameters*: typical values and between-subject SDs as the models state them,
beside those of the studies that a prior draws. A fitted SD of ka also absorbs lags and late or
split absorption, so the fair comparison of absorption is that of *curves*: single-dose studies
simulated from the models and from the prior, reduced by one code to the spread of Tmax, half-lives,
clearances, shapes and noise; real cohorts and bioequivalence trials can be reduced in the same way.

The drugs of ``choosing`` served to choose the ranges of ``clinic``; those of ``reporting`` are the
held-out part. Shapes: S studies, I individuals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from agmpk.evaluation import development_studies
from agmpk.evaluation.exposure import nca
from agmpk.paper.prior_fit.compare import FEATURES, agreement, curve_features, quantile_table
from agmpk.paper.prior_fit.trials import MEANINGS, rich_trials
from agmpk.paper.published_curves import model_table, published_models
from agmpk.paper.published_models import draw_study, split_table
from agmpk.prior import PriorConfig, simulate
from agmpk.prior.laws import Streams
from agmpk.prior.parameters import slowest_rate
from agmpk.prior.simulate import BLOCK, draw_trial
from agmpk.prior.table import to_studies
from agmpk.studies import Study, conversion_factor

LN2, CURVES_OF_PRIOR = math.log(2), 128

PARAMETERS = MEANINGS["parameters"]

LOGGED = ("sd_CL", "sd_V", "sd_ka", "sd_exchange", "residual")

CURVES = {
    "clearance": "ln dose/AUC [L/h]",
    "half_life": "ln half-life [h]",
    "tmax": "ln Tmax [h], oral",
} | {name: FEATURES[name] for name in ("sd_cmax", "sd_tmax", "sd_slope", "level", "shape", "noise")}
"""Quantities of single-dose curves, of published models, priors and real cohorts alike."""

COMPARTMENTS = {"1 compartment": 1, "2 compartments": 2, "3 compartments": 3}
SHARES = ("oral", "lag", "transit chain", "zero-order input", *COMPARTMENTS)
SHARES += ("saturable elimination", "ka below CL/V")


def published_parameters() -> pd.DataFrame:
    """Return ``PARAMETERS`` as the models state them: one row a model, with ``drug`` and ``split``.

    SDs include the one between occasions where it is given: a cohort seen once shows both.
    """
    t = model_table()
    half = [_terminal(m.typical) for m in published_models()]
    total = {n: np.hypot(t[f"om_{n}"], t[f"iov_{n}"].fillna(0.0)) for n in ("CL", "V", "ka")}
    chains = (t.tlag_h.fillna(0) + t.duration_h.fillna(0) / 2 + t.mtt_h.fillna(0)) + (
        1 / t.ka_per_h
    ).fillna(0)
    frame = pd.DataFrame(
        {
            "drug": t.drug,
            "ln_CL": np.log(t.CL_L_h),
            "ln_V": np.log(t.V_L),
            "ln_half_life": np.log(half),
            "ln_V_per_CL": np.log(LN2 * t.V_L / t.CL_L_h),
            "ln_ka": np.log(t.ka_per_h),
            "ln_absorption": np.log(chains.where(chains > 0)),
            "sd_CL": total["CL"],
            "sd_V": total["V"],
            "sd_ka": total["ka"],
            "sd_exchange": np.hypot(t.om_Q, t.om_V2),
            "residual": t.log_add_sd.fillna(t.prop_sd),
        }
    )
    return frame.merge(split_table(), on="drug")


def _terminal(v: Mapping[str, float]) -> float:
    """Terminal half-life [h] of typical values."""
    pairs = [(Q, W) for Q, W in (("Q", "V2"), ("Q2", "V3")) if W in v]
    out = torch.tensor([[v[Q] / v["V"] for Q, _ in pairs] or [0.0]], dtype=torch.float64)
    back = torch.tensor([[v[Q] / v[W] for Q, W in pairs] or [1.0]], dtype=torch.float64)
    ke = torch.tensor([v["CL"] / v["V"]], dtype=torch.float64)
    return float(LN2 / slowest_rate(ke, out, back)[0])


def prior_parameters(config: PriorConfig, blocks: int = 8) -> pd.DataFrame:
    """Return ``PARAMETERS`` of ``blocks`` blocks of studies of a prior, and their ``SHARES``.

    Nothing is solved: parameters are drawn, and SDs taken over many people of each study.
    """
    people = rich_trials(config, 96, 4, oral=config.dosing.oral_probability)
    parts = []
    for block in range(blocks):
        streams = Streams(2030, block)
        trial = draw_trial(people, streams)
        p, oral = trial.parameters, trial.doses.oral[..., 0].any(1)

        def of_oral(values: torch.Tensor, oral: torch.Tensor = oral) -> torch.Tensor:
            return torch.where(oral, values.double(), torch.nan)

        there = p.exchange[:, 0]
        k_out = p.typical.k_out.exp() * there
        # Apparent values of oral drugs carry the spread of F.
        F = torch.where(oral[:, None], p.F, 0.0)
        chain = torch.where(p.transits[:, None] > 0, p.transits[:, None] / p.ktr.exp(), 0.0)
        mean_time = p.lag + p.zero_part * p.zero_duration / 2 + chain + 1 / p.ka.exp()
        exchange = torch.where(there, p.k_out.std(1), torch.nan)
        noise = config.assay.proportional.draw((BLOCK,), streams("residual of the comparison"))
        half = LN2 / slowest_rate(p.typical.ke.exp(), k_out, p.typical.k_in.exp())
        frame = {
            "ln_CL": p.typical.ke + p.typical.V,
            "ln_V": p.typical.V,
            "ln_half_life": half.log(),
            "ln_V_per_CL": math.log(LN2) - p.typical.ke,
            "ln_ka": of_oral(p.typical.ka),
            "ln_absorption": of_oral(mean_time.median(1).values.log()),
            "sd_CL": (p.ke + p.V - F).std(1),
            "sd_V": (p.V - F).std(1),
            "sd_ka": of_oral(p.ka.std(1)),
            "sd_exchange": exchange.nanmean(1) if exchange.shape[1] else oral * torch.nan,
            "residual": noise,
            "oral": oral,
            "lag": of_oral((p.lag > 0).any(1)),
            "transit chain": of_oral(p.transits > 0),
            "zero-order input": of_oral((p.zero_duration > 0).any(1)),
            "saturable elimination": torch.isfinite(p.saturation),
            "ka below CL/V": of_oral(p.typical.ka < p.typical.ke),
        }
        frame |= {name: 1 + there.sum(1) == n for name, n in COMPARTMENTS.items()}
        parts.append(pd.DataFrame({k: v.double().numpy() for k, v in frame.items()}))
    return pd.concat(parts, ignore_index=True)


def share_table(drawn: pd.DataFrame) -> pd.DataFrame:
    """Shares of kinds of models, columns share, published (all 60) and one for each prior.

    ``drawn``: rows of :func:`prior_parameters` with a column ``prior``. Of absorption, the shares
    are of oral drugs; "ka below CL/V" of those with a ka.
    """
    t = model_table()
    oral, ka = t.absorption != "none", t.ka_per_h.notna()
    published = {
        "oral": oral.mean(),
        "lag": t[oral].tlag_h.notna().mean(),
        "transit chain": (t[oral].absorption == "transit").mean(),
        "zero-order input": t[oral].absorption.isin(["zero_order", "mixed"]).mean(),
        **{name: (t.n_compartments == n).mean() for name, n in COMPARTMENTS.items()},
        "saturable elimination": (t.elimination != "linear").mean(),
        "ka below CL/V": (t.ka_per_h < t.CL_L_h / t.V_L)[ka].mean(),
    }
    table = pd.DataFrame({"share": SHARES, "published": [published[name] for name in SHARES]})
    for prior, group in drawn.groupby("prior", sort=False):
        table[prior] = [group[name].mean() for name in SHARES]
    return table


def curve_row(study: Study) -> dict[str, float]:
    """Return ``CURVES`` of one study of single doses, real or simulated; NaN where unknown."""
    found = {name: value for name, value in curve_features(study).items() if name in CURVES}
    people = [one for one in study.after_dose() if len(one) >= 4]
    per_kg = study.units.dose.endswith("/kg")
    to_mg = conversion_factor(study.units.dose, "mg/kg" if per_kg else "mg")
    to_mg_per_l = conversion_factor(study.units.concentration, "mg/L")
    rows = []
    for one in people:
        dose = one.doses[0].amount * to_mg * (70.0 if per_kg else 1.0)
        curve = nca(one.times, one.concentrations * to_mg_per_l)
        area = curve["AUC0_t"] + one.concentrations[-1] * to_mg_per_l / curve["lambda_z"]
        rows.append((dose / area, curve["t_half"], curve["Tmax"]))
    values = pd.DataFrame(rows, columns=["clearance", "half_life", "tmax"], dtype=float)
    oral = bool(people) and people[0].doses[0].route == "oral"
    out = np.log(values.where(values > 0).median()).to_dict() | found | {"oral": float(oral)}
    return out if oral else out | {"tmax": np.nan, "sd_tmax": np.nan}


def published_curves() -> pd.DataFrame:
    """Rows of :func:`curve_row` of two single-dose studies of every model; ``drug``, ``split``."""
    rows = []
    for m, model in enumerate(published_models()):
        for k in range(2):
            study = draw_study(model, "single", np.random.default_rng([2031, m, k])).study
            rows.append({"drug": model.drug} | curve_row(study))
    return pd.DataFrame(rows).merge(split_table(), on="drug")


def prior_curves(config: PriorConfig) -> pd.DataFrame:
    """Rows of :func:`curve_row` of single-dose studies of a prior, oral as often as published."""
    oral = float((model_table().absorption != "none").mean())
    batch = simulate(rich_trials(config, 16, 12, oral), CURVES_OF_PRIOR, seed=2032)
    return pd.DataFrame([curve_row(study) for study in to_studies(batch)])


def cohort_curves() -> pd.DataFrame:
    """Rows of :func:`curve_row` of the development cohorts of single doses, with ``cohort``."""
    rows = []
    for name, study in development_studies().items():
        if max(len(one.single_doses()) for one in study) == 1 and not name.startswith("s-methyl"):
            rows.append({"cohort": name, "drug": study.compound} | curve_row(study))
    return pd.DataFrame(rows)


def on_scale(frame: pd.DataFrame) -> pd.DataFrame:
    """SDs on the logarithmic scale, on which distances are measured; the rest as it is."""
    logged = [name for name in frame if name in LOGGED or name in FEATURES]
    return frame.assign(**{name: np.log(frame[name].clip(lower=0.01)) for name in logged})


def published_tables(priors: Mapping[str, PriorConfig]) -> dict[str, pd.DataFrame]:
    """Every comparison with the published models.

    ``published_quantiles`` and ``published_shares``; ``published_distances``: of parameters and
    curves of the models, and of the curves of the development cohorts, from every prior, columns
    of :func:`agmpk.paper.prior_fit.compare.agreement` with ``what`` (parameters, curves, cohorts)
    and ``drugs`` (choosing, reporting or all).
    """
    drawn = pd.concat([prior_parameters(c).assign(prior=n) for n, c in priors.items()])
    curves = pd.concat([prior_curves(c).assign(prior=n) for n, c in priors.items()])
    models, theirs, cohorts = published_parameters(), published_curves(), cohort_curves()
    parts = []
    for what, real, simulated, names in (
        ("parameters", models, drawn, PARAMETERS),
        ("curves", theirs, curves, CURVES),
        ("cohorts", cohorts.assign(split="all"), curves, CURVES),
    ):
        real, simulated = on_scale(real), on_scale(simulated)
        for drugs in ("choosing", "reporting", "all") if what != "cohorts" else ("all",):
            part = real if drugs == "all" else real[real.split == drugs]
            enough = [n for n in names if part[n].notna().sum() >= 4]
            found = agreement(part, simulated, enough, part["drug"], seed=2033)
            parts.append(found.assign(what=what, drugs=drugs))
    distances = pd.concat(parts, ignore_index=True)
    sources = {"published": models, **dict(list(drawn.groupby("prior", sort=False)))}
    meanings = PARAMETERS | CURVES | {"all": "mean over the quantities"}
    distances.insert(0, "meaning", distances["quantity"].map(meanings))
    return {
        "published_quantiles": quantile_table(PARAMETERS, sources, (0.05, 0.5, 0.95)),
        "published_shares": share_table(drawn),
        "published_distances": distances,
    }
