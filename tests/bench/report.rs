//! Medians of pairs, and their verdict beside bar and aim.

use crate::scenarios::{Run, Scenario};

/// What a value must reach.
#[derive(Clone, Copy)]
pub(crate) enum Bar {
    /// At most the reference's value divided by this.
    Cost(f64),
    /// At least the reference's value times this.
    Speed(f64),
    /// At most this, whatever the reference does.
    AtMost(f64),
    /// At least this, whatever the reference does.
    AtLeast(f64),
}

/// One measured quantity.
pub(crate) struct Metric {
    name: &'static str,
    unit: &'static str,
    bar: Option<Bar>,
    aim: Option<Bar>,
}

impl Metric {
    pub(crate) const fn new(name: &'static str, unit: &'static str) -> Self {
        Self { name, unit, bar: None, aim: None }
    }

    pub(crate) const fn bar(mut self, bar: Bar) -> Self {
        self.bar = Some(bar);
        self
    }

    pub(crate) const fn aim(mut self, aim: Bar) -> Self {
        self.aim = Some(aim);
        self
    }
}

/// Prints the table of one scenario. A pair whose reference failed compares nothing and stays out of the figures.
pub(crate) fn print(scenario: &Scenario, all: &[(Run, Option<Run>)]) {
    let sound = |(_, reference): &&(Run, Option<Run>)| {
        reference.as_ref().is_none_or(|run| run.failures.is_empty())
    };
    let mut pairs: Vec<&(Run, Option<Run>)> = all.iter().filter(sound).collect();
    if pairs.is_empty() {
        pairs = all.iter().collect();
    }
    println!("{}: {}", scenario.name, scenario.title);
    println!(
        "  {:<28} {:>10} {:>10}  {:<24} {:<9} {:<9} verdict",
        "", "daemon", "reference", "ratio (min–max)", "bar", "aim"
    );
    for (index, metric) in scenario.metrics.iter().enumerate() {
        let values: Vec<f64> = pairs.iter().map(|(subject, _)| subject.values[index]).collect();
        let reference: Option<Vec<f64>> =
            pairs.iter().map(|(_, run)| run.as_ref().map(|run| run.values[index])).collect();
        let ratios: Option<Vec<f64>> = reference.as_ref().map(|reference| {
            values.iter().zip(reference).map(|(ours, theirs)| ours / theirs).collect()
        });
        println!(
            "  {:<28} {:>10} {:>10}  {:<24} {:<9} {:<9} {}",
            format!("{} ({})", metric.name, metric.unit),
            number(median(&values)),
            reference.as_deref().map_or("-".to_owned(), |values| number(median(values))),
            ratios.as_deref().map_or("-".to_owned(), range),
            metric.bar.map_or(String::new(), show),
            metric.aim.map_or(String::new(), show),
            verdict(metric, median(&values), ratios.as_deref().map(median)),
        );
    }
    let overtaken =
        |runs: &mut dyn Iterator<Item = &Run>| runs.map(|run| run.overtaken).max().unwrap_or(0);
    let ours = overtaken(&mut pairs.iter().map(|(subject, _)| subject));
    let theirs = overtaken(&mut pairs.iter().filter_map(|(_, reference)| reference.as_ref()));
    if ours + theirs > 0 {
        println!("  out of order within a connection, at most: daemon {ours}, reference {theirs}");
    }
    for (subject, reference) in all {
        for failure in &subject.failures {
            println!("  FAILED: {failure}");
        }
        for failure in reference.iter().flat_map(|run| &run.failures) {
            println!("  the reference: {failure}");
        }
    }
    println!();
}

fn verdict(metric: &Metric, value: f64, ratio: Option<f64>) -> &'static str {
    let met = |bar: Option<Bar>| bar.is_some_and(|bar| bar.met(value, ratio));
    match (metric.bar, metric.aim) {
        (None, _) => "",
        (Some(Bar::Cost(_) | Bar::Speed(_)), _) if ratio.is_none() => "not compared",
        (Some(_), None) if met(metric.bar) => "met",
        (Some(_), Some(_)) if met(metric.aim) => "aim met",
        (Some(_), Some(_)) if met(metric.bar) => "bar met",
        _ => "MISSED",
    }
}

impl Bar {
    fn met(self, value: f64, ratio: Option<f64>) -> bool {
        match self {
            Self::Cost(divisor) => ratio.is_some_and(|ratio| ratio <= 1.0 / divisor),
            Self::Speed(factor) => ratio.is_some_and(|ratio| ratio >= factor),
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

fn show(bar: Bar) -> String {
    match bar {
        Bar::Cost(1.0) => "≤ 1".to_owned(),
        Bar::Cost(divisor) => format!("≤ 1/{divisor}"),
        Bar::Speed(factor) => format!("≥ {factor} ×"),
        Bar::AtMost(limit) => format!("≤ {limit}"),
        Bar::AtLeast(limit) => format!("≥ {limit}"),
    }
}

/// `8.1 × (7.9–8.4)`; below one as a fraction: `1/12.0 (1/11.5–1/13.0)`.
fn range(ratios: &[f64]) -> String {
    let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !high.is_finite() {
        return "-".to_owned();
    }
    let show = |ratio: f64| {
        if ratio < 1.0 { format!("1/{:.1}", 1.0 / ratio) } else { format!("{ratio:.1}") }
    };
    format!("{} ({}–{})", show(median(ratios)), show(low), show(high))
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

fn number(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
