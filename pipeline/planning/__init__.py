"""Annotations to scene and stream plans: scripted planner, its grammar, and the validator of every plan."""
