"""The book machinery: tiers, digests, the notebook runner, the build, and the look of a page.

Notebooks import from here only what shapes a page::

    from agmpk.companion.style import COLOURS, label_axes, use_book_style
    from agmpk.companion.figures import show        # show(fig, alt="...", caption="...")
    from agmpk.companion.tables import show_table   # show_table(frame, "Caption")

``python -m agmpk.companion --help`` runs the rest. Nothing is imported here: the digest of a
chapter covers the modules it imports, and must not cover the runner.
"""
