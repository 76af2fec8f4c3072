"""A citizen takes everything along: one signed ZIP, sealed under the citizen's key (docs/export.md)."""
