"""A relying party asks a citizen for documents and fields, for a purpose that an officer registered."""
