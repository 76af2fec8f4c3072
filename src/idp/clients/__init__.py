"""Relying parties, wallets and back ends: what they registered and how they prove who they are."""
