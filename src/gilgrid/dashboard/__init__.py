"""What gilgrid adds to asv's dashboard."""
