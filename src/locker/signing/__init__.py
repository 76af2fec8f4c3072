"""The keys with which the locker signs what somebody files: one signs, the next is announced, former ones verify."""
