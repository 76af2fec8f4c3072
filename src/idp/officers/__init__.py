"""People of the authority act over HTTP, each request signed with their own key; what weighs most needs two of them."""
