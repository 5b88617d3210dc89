"""The records that cross a boundary: recipes, plans, rows, provenance. Frozen models; imports nothing of ours."""
