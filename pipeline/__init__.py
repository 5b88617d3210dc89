"""The stages that turn annotated clips into labelled streams. Read `pipeline/scene.py` first."""
