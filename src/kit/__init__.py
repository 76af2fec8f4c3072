"""The floor under both apps: it knows neither citizens nor documents."""
