"""One module per ability; each sub-task is a function from a `Task` to its stream plans."""
