//! Export of a whole store to JSON lines, and import into another.
