"""Sub-event -> clip: search, verify, reprocess once, synthesize (arXiv 2606.05121, role 3 and its cascade)."""
