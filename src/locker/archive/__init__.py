"""Long term: copies that need nobody to be verified, renewed before what they are made with weakens."""
