"""Pretraining on simulated studies: recipes, the stream of tasks, a run that resumes, checkpoints."""
