-- What was let go comes back as an object of its own: who is late with removing the old one removes nothing else.
GRANT UPDATE (object_key) ON locker.document TO locker;
