//! Were these histories legal?
//!
//! ```text
//! murphy-check MODEL FILE...
//! ```
//!
//! It prints `FILE: legal`, `FILE: illegal` with the smallest witness, or `FILE: unknown` with the reason, and exits
//! with 0 if all are legal, 1 if one is illegal, else 2.

mod args;
mod judge;

use std::io::{self, Write};
use std::process::ExitCode;

use args::{Args, Asked};
use judge::Said;

fn main() -> ExitCode {
    let args = match Args::parse() {
        Ok(Asked::Check(args)) => args,
        Ok(Asked::Say(text)) => {
            print(&text);
            return ExitCode::SUCCESS;
        }
        Err(e) => {
            eprintln!("murphy-check: {e}\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    let (mut is_illegal, mut is_unknown, mut is_drawn) = (false, false, false);
    for file in &args.files {
        let Said {
            code,
            text,
            picture,
        } = judge::file(&args, file);
        print(&format!("{}: {text}\n", file.display()));
        is_illegal |= code == 1;
        is_unknown |= code == 2;
        let Some(picture) = picture.filter(|_| !is_drawn) else {
            continue;
        };
        is_drawn = true;
        if let Err(e) = args.draw(&picture, &file.display().to_string()) {
            eprintln!("murphy-check: {e}");
            is_unknown = true;
        }
    }
    ExitCode::from(match (is_illegal, is_unknown) {
        (true, _) => 1,
        (false, true) => 2,
        (false, false) => 0,
    })
}

/// Whoever closes the pipe has read enough: the exit says the rest.
fn print(text: &str) {
    _ = io::stdout().write_all(text.as_bytes());
}
