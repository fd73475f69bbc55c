"""The simulator prior: studies drawn from compartment models with variable parameters."""

from agmpk.prior.batch import SimulatedStudies
from agmpk.prior.config import PriorConfig
from agmpk.prior.preset import load_prior, presets
from agmpk.prior.simulate import simulate, simulate_block

__all__ = [
    "PriorConfig",
    "SimulatedStudies",
    "load_prior",
    "presets",
    "simulate",
    "simulate_block",
]
