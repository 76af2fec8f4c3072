-- What ended is in the audit; the row goes with the sweep.
GRANT DELETE ON idp.mandate TO idp;
