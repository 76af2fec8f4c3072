"""A document's printed address, and the little that anybody may know by it."""
