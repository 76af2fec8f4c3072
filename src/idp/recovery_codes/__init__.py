"""The page where a citizen makes recovery codes and prints them."""
