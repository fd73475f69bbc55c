"""What the tests of reading share."""

import pytest


@pytest.fixture
def write(tmp_path):
    """Puts a text into a file, and returns the path."""

    def write(text):
        (tmp_path / "x.csv").write_text(text, encoding="utf-8")
        return tmp_path / "x.csv"

    return write
