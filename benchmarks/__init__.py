"""The package and the book, measured against what people would use instead: `make bench`."""
