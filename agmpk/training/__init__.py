"""Pretraining on simulated studies."""
