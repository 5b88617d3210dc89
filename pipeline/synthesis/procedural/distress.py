"""Distress: voices and bodies in trouble, and what is mistaken for them."""
