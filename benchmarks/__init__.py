"""What asv runs in each cell of ``asv.conf.json``; it imports the kernels, and nothing of gilgrid."""
