"""Programs that measure. ``./khizana bench`` starts the product, runs them and prints one JSON line each."""
