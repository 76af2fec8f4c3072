"""A sign-in from somewhere new is told to its owner, who can answer "this was not me" without signing in."""
