"""Events to labels: responses on the chunk grid, the silence audit, and what a trainer reads."""
