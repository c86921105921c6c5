"""What `make` runs; the program imports none of it."""
