"""Who deposits: administrations, the provider's clients that speak for them, their seals and what they may deposit."""
