//! A table that is drawn over itself, or lines where there is no terminal.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use comfy_table::{Table, presets::ASCII_MARKDOWN};

/// What is seen.
pub(crate) struct Screen {
    is_terminal: bool,
    /// Lines of the table that stand there.
    drawn: usize,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self {
            is_terminal: std::io::stdout().is_terminal(),
            drawn: 0,
        }
    }

    /// A line that stays.
    pub(crate) fn line(&mut self, at: Duration, text: &str) {
        self.wipe();
        println!("{:6.2} s  {text}", at.as_secs_f64());
    }

    /// The table as it is now: each node, what was done to it, and what is believed of it.
    pub(crate) fn draw(&mut self, rows: &[[&str; 3]]) {
        if !self.is_terminal {
            return;
        }
        self.wipe();
        let mut table = Table::new();
        table.load_style(ASCII_MARKDOWN);
        table.set_header(["process", "in truth", "believed"]);
        for row in rows {
            table.add_row(row);
        }
        let text = table.to_string();
        println!("{text}");
        self.drawn = text.lines().count();
    }

    fn wipe(&mut self) {
        if self.drawn > 0 {
            // Up so many lines, and all below is gone.
            print!("\x1b[{}A\x1b[J", self.drawn);
            let _ = std::io::stdout().flush();
            self.drawn = 0;
        }
    }
}
