"""Studies as tensors (task, frame, features), the networks that see them, and the table of all
models, by which checkpoints are read (registry) or exported."""
