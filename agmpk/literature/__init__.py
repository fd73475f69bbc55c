"""Pharmacokinetic summary statistics out of open-access bioequivalence (BE) articles.

The files are the pipeline: `retrieve` (PubMed Central), `parse` (JATS and PubMed XML), `extract`
(rules, a language model, or replayed answers), `ground` (every value must stand in the text),
`harmonize` (one tidy reference dataset), `score` (precision and recall against hand-read truth).
`text` and `units` read what is printed; `schema` says what is answered and put out.
"""
