"""A citizen's passkeys: the page where they are added, named and removed."""
