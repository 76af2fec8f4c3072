"""What citizens put into their locker by themselves: self-declared, nobody vouches for it, and no page says so."""
