"""Whom the locker believes about signatures: anchors, and what a validation needs and may not fetch."""
