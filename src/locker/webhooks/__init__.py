"""Administrations and relying parties are told what became of documents and shares (Standard Webhooks 1.0)."""
