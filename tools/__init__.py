"""Tools that run, check and build the book; readers do not need them."""
