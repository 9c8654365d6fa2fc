//! The pages of raffles, one struct each.
