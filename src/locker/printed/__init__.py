"""Printed copies: a QR code whose signed claims are checked without us, and a short address for its state today."""
