"""Does a corpus keep its contract? Every rule proved again from what is stored (DESIGN 4, labels)."""
