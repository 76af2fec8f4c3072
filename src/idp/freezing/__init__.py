"""A citizen holds still what may be in wrong hands: everything, one service, one authenticator; by one page."""
