"""Looks for malware by a ClamAV daemon, where one is configured."""
