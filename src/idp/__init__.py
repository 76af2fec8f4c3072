"""Who you are: the OpenID provider."""
