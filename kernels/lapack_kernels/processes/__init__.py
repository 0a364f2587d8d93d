"""Worker processes that solve chunks of a batch, each with a GIL of its own.

The batch lies in shared memory meanwhile: inputs are copied into it and solutions out of it, which no native
binding has to do. The workers are kept for the next call; they end with their parent, however that ends.
"""
