"""What you hold: the vault of authentic documents."""
