"""Hazards: what breaks, falls, bursts or blows, and what is mistaken for it."""
