"""What services may ask citizens' documents for at sign-in, by purposes that an officer registered."""
