"""The authorization endpoint: from a relying party's request, through the pages, to a code."""
