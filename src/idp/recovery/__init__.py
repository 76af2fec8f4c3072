"""Coming back when the password, or the second step, or both are lost: by a link and another proof, or by waiting."""
