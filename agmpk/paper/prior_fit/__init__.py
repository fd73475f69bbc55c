"""Is the prior like reality?  Simulated trials and cohorts beside published and real ones.

``trials``: what bioequivalence articles report, of articles and of simulated trials; ``features``:
of real cohorts and simulated studies; ``fit``: the ranges of the preset ``calibrated``, changed for
the development cohorts and fitted to the literature (``changes.yaml``); ``published``: the
published population models; ``compare``: every distance and table.  The 20 compounds of the
benchmark take no part.
"""
