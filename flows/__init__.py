"""Prefect flows and tasks (thin), and the command line. Read `flows/build_corpus.py` first."""
