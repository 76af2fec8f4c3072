"""How long documents are kept: by their type, and longer where the law holds them."""
