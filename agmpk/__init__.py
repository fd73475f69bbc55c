"""AGM-PK: amortized generative models for pharmacokinetics.

Import the part that is needed (``agmpk.studies``, ``agmpk.forecasting`` ...); the package itself
imports nothing heavy, so that the command line answers at once.
"""

__version__ = "0.1.0"
