"""Latchstring: a door that is always open."""
