"""Is the prior like reality?  Simulated trials and cohorts beside published and real ones.

``trials``: what bioequivalence articles report, of articles and of simulated trials; ``fit``: the
ranges of the preset ``calibrated``, changed for the development cohorts and fitted to the
literature (``changes.yaml``); ``compare``: distances, features of cohorts, every table;
``published``: the published population models.  The 20 compounds of the benchmark take no part.
"""
