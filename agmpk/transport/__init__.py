"""How a reference measure is moved to the data: reference, path, sampler."""
