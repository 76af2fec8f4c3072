"""From an enrolled citizen to an active one: a code from the desk, a password, a second factor."""
