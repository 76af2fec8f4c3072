"""Acting for somebody else: a dated mandate that a citizen gives and another accepts, or that an officer records."""
