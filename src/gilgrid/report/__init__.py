"""What was found, for people and machines; each format reads records and nothing else."""
