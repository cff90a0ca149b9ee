"""Data sets: problems in, verified solutions out. The door is `regrow.generate.door`."""
