"""What a relying party was given of a citizen's data (OpenID Connect Core §5.3)."""
