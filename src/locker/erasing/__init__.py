"""A citizen is erased: the key first, rows and objects later, so that what is left on the way is noise."""
