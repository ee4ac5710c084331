//! What is not green although no promise was broken.

use super::Search;

impl Search<'_, '_> {
    /// What was configured and never happened. Where something failed, or the budget ended early, nobody can
    /// tell.
    pub(super) fn gaps(&self) -> Vec<String> {
        if !self.failures.is_empty() || !self.singles_done || self.diverged {
            return Vec::new();
        }
        let menu = &self.menu;
        let mut gaps = Vec::new();
        for kind in &menu.kinds {
            let name = kind.name();
            let cells = self.coverage.cells().filter(|(_, k, _)| *k == name);
            let (mut planned, mut can) = (0, false);
            for (_, _, cell) in cells {
                planned += cell.planned;
                can |= !cell.unable && cell.planned > 0;
            }
            if self.coverage.injected(name) > 0 {
                continue;
            }
            if can {
                gaps.push(format!(
                    "`{name}` was planned {planned} times and never struck: its calls were not made"
                ));
            } else if menu.named {
                gaps.push(format!("`{name}` never struck: no site can do it; teach a layer, or leave it out of the menu"));
            }
        }
        for (name, mark) in &self.marks {
            if mark.held == 0 {
                gaps.push(format!(
                    "`sometimes!` \"{name}\" was evaluated {} times and never true",
                    mark.met
                ));
            }
        }
        for name in &self.explore.expected {
            if !self.marks.contains_key(name) {
                gaps.push(format!("\"{name}\" was expected, and no run came to it"));
            }
        }
        gaps
    }
}
