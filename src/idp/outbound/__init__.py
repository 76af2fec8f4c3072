"""The one door to addresses that clients name: it never opens inwards."""
