"""What made the numbers of the book: every command here writes a part of ``data``."""
