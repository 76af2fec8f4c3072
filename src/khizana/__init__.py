"""The command line: the one place that may start both apps."""
