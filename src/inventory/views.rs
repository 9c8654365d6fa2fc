//! The pages of the inventory, one struct each.
