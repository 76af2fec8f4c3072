"""PostgreSQL and an S3 server as child processes of ours: no container, no package of the system, no root needed."""
