"""Does a token still stand? (RFC 7662)"""
