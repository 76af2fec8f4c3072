"""People: their permanent identifier, their recorded attributes, and the state that decides what they may do."""
