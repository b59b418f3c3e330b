//! Long campaigns: run with `cargo xtask test --long`.
