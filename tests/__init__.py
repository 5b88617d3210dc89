"""A package, so that `tests.language.server` is ours and not one that a dependency left in site-packages."""
