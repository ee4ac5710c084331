//! Charts of what was measured, one beneath the other in an SVG file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use charts_rs::{AxisScale, BarChart, ChildChart, LineChart, MultiChart, Series, Symbol};

/// A line: its name, and a value for each place on the x axis.
pub type Line = (String, Vec<f64>);

/// What a chart is called, and what its axes are.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// Of the chart.
    pub title: &'a str,
    /// Of the x axis.
    pub x: &'a str,
    /// Of the y axis.
    pub y: &'a str,
    /// Whether the y axis is logarithmic.
    pub log: bool,
}

/// Lines over numbers.
#[must_use]
pub fn lines(names: Names<'_>, x: &[f64], lines: &[Line]) -> ChildChart {
    let mut chart = LineChart::new(series(lines), Vec::new());
    chart.x_axis.values = x.to_vec();
    chart.x_axis.title = names.x.into();
    chart.title.text = names.title.into();
    (chart.width, chart.height) = (760.0, 360.0);
    chart.series.symbol = Some(Symbol::None);
    chart.y_axis_configs[0].title = Some(names.y.into());
    if names.log {
        chart.y_axis_configs[0].scale = AxisScale::Log(10.0);
    }
    ChildChart::Line(chart, None)
}

/// Bars in groups: a group for each name in `x`, and in it a bar for each line.
#[must_use]
pub fn bars(names: Names<'_>, x: &[&str], lines: &[Line]) -> ChildChart {
    let x = x.iter().map(|&name| name.into()).collect();
    let mut chart = BarChart::new(series(lines), x);
    chart.x_axis.title = names.x.into();
    chart.title.text = names.title.into();
    (chart.width, chart.height) = (760.0, 360.0);
    chart.y_axis_configs[0].title = Some(names.y.into());
    if names.log {
        chart.y_axis_configs[0].scale = AxisScale::Log(10.0);
    }
    ChildChart::Bar(chart, None)
}

fn series(lines: &[Line]) -> Vec<Series> {
    let series = |(name, values): &Line| {
        let values = values.iter().map(|&value| value as f32).collect();
        Series::new(name.clone(), values)
    };
    lines.iter().map(series).collect()
}

/// Writes the charts beside the figures, to the same name with `.svg`. Returns where.
///
/// # Errors
///
/// Where the file cannot be written.
pub fn write(charts: Vec<ChildChart>, json: &Path) -> Result<PathBuf> {
    let path = json.with_extension("svg");
    let mut all = MultiChart::new();
    charts.into_iter().for_each(|chart| all.add(chart));
    std::fs::write(&path, all.svg()?)
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(path)
}
