"""What `make bench` measures: pairs of things, side by side, in one run."""
