//! Counts and health, without listing anything.
