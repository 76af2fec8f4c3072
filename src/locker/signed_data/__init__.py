"""Data that was deposited with a document under the same seal: kept, found and given back with it."""
