"""Pairwise identifiers: who a citizen is in one sector, and the lawful way from one to another."""
