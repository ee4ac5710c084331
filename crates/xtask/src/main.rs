//! Set-up and test driver of the workspace: `cargo xtask test`.

fn main() {}
