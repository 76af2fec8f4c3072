"""Many deposits under one manifest: registered once, handed over in parts, each item accepted or refused by itself."""
