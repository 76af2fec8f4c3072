"""Documents that their issuer keeps: metadata and an address here, bytes fetched when they are wanted."""
