"""Annotated recordings on disk as a searchable library: importers, 16 kHz store, measurements, encoders, index."""
