"""Networks that see a study through a frame that is relative to it."""
