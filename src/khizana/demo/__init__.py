"""A small country to try Khizana with: nobody in it exists, and every paper says so."""
