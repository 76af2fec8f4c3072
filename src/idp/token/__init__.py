"""The token endpoint: one grant, one file. Each is one prefetch SELECT and one conditional write."""
