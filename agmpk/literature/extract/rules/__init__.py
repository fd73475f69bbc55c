"""The rule-based engine: offline, deterministic, and the baseline a language model must beat.

How it reads: names of parameters, values with units, study arms, food states and analytes are
found in
each sentence (`parameters`, `values`, `arms`, `context`), values are aligned with parameters and
arms
(`frames`, `align`), tables are read cell by cell (`tables`), and one value a field is chosen
(`select`).
It leaves a field empty rather than guess.
"""
