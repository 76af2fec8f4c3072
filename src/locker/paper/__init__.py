"""What the locker draws for paper: one sheet in Arabic, French and Tifinagh, selectable and read aloud as written."""
