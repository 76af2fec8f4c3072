"""What dead attempts left behind, and whether rows and objects still agree. Run by the command line or a timer."""
