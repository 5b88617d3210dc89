"""The records that cross a boundary: recipes, plans, rows, provenance. Frozen pydantic models; imports nothing of ours."""
