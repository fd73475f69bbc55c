"""Pretraining on simulated studies: recipes, a stream of tasks, runs that resume, checkpoints."""
