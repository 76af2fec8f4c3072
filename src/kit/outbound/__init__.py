"""The one door to addresses that others name: it never opens inwards."""
