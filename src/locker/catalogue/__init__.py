"""The types of documents: names, schema of their fields, what their signatures must be, how long they hold."""
