"""An account is erased: what names the citizen goes from every table, the identifier stays taken."""
