"""Sounds and speech that nobody recorded."""
