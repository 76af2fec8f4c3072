"""What the provider says of itself: prebuilt bytes, served from memory."""
