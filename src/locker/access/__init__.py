"""Who is asking: access tokens of the provider for programs, our own OpenID Connect login for citizens at the web."""
