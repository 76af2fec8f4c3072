"""A citizen's own page: ways to sign in, sessions, history, contact points, language."""
