"""Rows -> Parquet shards -> corpus folder, and back (DESIGN 4.2, 4.3)."""
