"""How a document comes in: received, judged, sealed, recorded, or refused with nothing left behind."""
