"""What a citizen gave to a client. Every code and token hangs on it, and ending it ends them all."""
