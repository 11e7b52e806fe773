//! What is done at start about what the last process left unfinished.
