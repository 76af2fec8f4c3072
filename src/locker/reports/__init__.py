"""A verdict told to people, programs, other validators and files: one sentence, JSON, ETSI XML, a sealed PDF."""
