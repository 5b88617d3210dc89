"""Signals: sirens, horns and warnings that ask to be heeded, and what is mistaken for them."""
