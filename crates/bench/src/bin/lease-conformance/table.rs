//! All reports side by side, for people and for machines.

use bench::figure::Figure;
use comfy_table::{Table, presets};
use murphy_lease::conformance::{Promise, Report, Verdict};

/// A row a promise, a column a subject.
pub(crate) fn of(reports: &[Report]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let subjects = reports.iter().map(Report::subject);
    table.set_header(["promise"].into_iter().chain(subjects));
    for promise in Promise::ALL {
        let cells = reports.iter().map(|report| word(report.of(promise)));
        table.add_row([promise.name()].into_iter().chain(cells));
    }
    let kept = reports.iter().map(|report| {
        let kept = |(_, verdict): &&(_, _)| *verdict == Verdict::Kept;
        report.verdicts().iter().filter(kept).count().to_string()
    });
    table.add_row(["kept".to_owned()].into_iter().chain(kept));
    table.to_string()
}

fn word(verdict: Option<&Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Kept) => "kept",
        Some(Verdict::Broken(_)) => "**broken**",
        Some(Verdict::Missing(_)) => "missing",
        Some(Verdict::Unable(_)) | None => "not tried",
    }
}

/// One figure a verdict: 1 where it was kept, 0 where not. What was not tried has none.
pub(crate) fn figures(reports: &[Report]) -> Vec<Figure> {
    let mut figures = Vec::new();
    for report in reports {
        for (promise, verdict) in report.verdicts() {
            let value = match verdict {
                Verdict::Kept => 1.0,
                Verdict::Broken(_) | Verdict::Missing(_) => 0.0,
                Verdict::Unable(_) => continue,
            };
            let name = promise.name().replace(' ', "_");
            let name = format!("lease.conformance.{name}");
            let (subject, note) = (report.subject(), verdict.to_string());
            figures.push(Figure::new(name, subject, value, "kept", &note));
        }
    }
    figures
}
