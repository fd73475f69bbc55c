"""No NaN and nothing negative, whatever a configuration allows."""

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agmpk.prior import load_prior, simulate_block
from agmpk.prior.laws import Law


def law(low: float, high: float) -> st.SearchStrategy[Law]:
    bound = st.floats(low, high, allow_nan=False)
    return st.tuples(bound, bound).map(lambda pair: Law(min(pair), max(pair)))


share = st.sampled_from([0.0, 0.5, 1.0])
CONFIGS = st.fixed_dictionaries(
    {
        "disposition": st.fixed_dictionaries(
            {
                "log_ke": law(-12, 6),
                "log_V": law(-8, 12),
                "log_k_out": law(-12, 6),
                "log_k_in": law(-12, 6),
                "half_lives_in_horizon": st.none(),
                "saturable_probability": share,
                "saturation": law(1e-4, 1e4),
            }
        ),
        "absorption": st.fixed_dictionaries(
            {
                "log_ka": law(-10, 7),
                "transit_probability": share,
                "lag_probability": share,
                "lag": law(0, 1000),
                "late_probability": share,
                "split_probability": share,
                "split_fraction": law(0, 1),
                "split_delay": law(0, 1000),
            }
        ),
        "variability": st.fixed_dictionaries(
            {"sd_ke": law(0, 2), "sd_V": law(0, 2), "ou_rates": law(0, 2), "ou_V": law(0, 1)}
        ),
        "metabolite": st.fixed_dictionaries(
            {"probability": share, "rate_ratio": law(1e-4, 1e4), "first_pass": law(0, 1)}
        ),
        "dosing": st.fixed_dictionaries(
            {
                "oral_probability": share,
                "infusion_duration": law(0, 3),
                "log_dose": law(-20, 20),
                "per_kg_probability": share,
                "repeated_probability": share,
            }
        ),
        "design": st.fixed_dictionaries(
            {
                "individuals": st.sampled_from([(1,), (1, 24)]),
                "horizons": st.sampled_from([(0.01,), (6.0, 24.0), (5000.0,)]),
                "missed": law(0, 1),
            }
        ),
        "assay": st.fixed_dictionaries({"proportional": law(0, 3), "lloq": law(0, 10)}),
    }
)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(CONFIGS)
def test_everything_is_finite(changes):
    batch = simulate_block(load_prior("extended").replace(**changes), 0, 0, studies=24)
    for name, value in vars(batch).items():
        assert torch.isfinite(value).all(), name
    assert (batch.true >= 0).all() and (batch.weight > 0).all()
    assert (batch.dose_amount[batch.dosed] > 0).all()
    assert (batch.concentration[batch.quantified] > 0).all()
    sampled = batch.quantified | batch.below
    assert (batch.times >= 0).all()
    for s, i in sampled.any(-1).nonzero().tolist():
        assert (batch.times[s, i, sampled[s, i]].diff() > 0).all()
