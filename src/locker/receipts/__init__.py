"""What the locker signs for somebody's file: that a document was handed over."""
