"""The simulator prior: studies drawn from compartment models with variable parameters."""

from agmpk.prior.config import PriorConfig, load_prior, presets, quantity_table
from agmpk.prior.laws import Law
from agmpk.prior.simulate import BLOCK, simulate, simulate_block
from agmpk.prior.table import SimulatedStudies, concatenate, to_studies, to_table

__all__ = [
    "BLOCK", "Law", "PriorConfig", "SimulatedStudies", "concatenate", "load_prior", "presets",
    "quantity_table", "simulate", "simulate_block", "to_studies", "to_table",
]  # fmt: skip
