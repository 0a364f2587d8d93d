"""What each command of the command line does; ``cli`` imports only the one that was asked for."""
