//! Prometheus' text format 0.0.4 and OpenMetrics 1.0, as a writer.
//!
//! Knows formats, not metrics: names, escapes and numbers are its business,
//! what is exported is that of the families. Pure.

use super::float::{write_canonical_float, write_count, write_float};
use super::metrics::{Histogram, Recent};

/// A format of the exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The `Content-Type` of an exposition in this format.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The type of a family of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, but for a restart.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
    /// Quantiles.
    Summary,
}

/// What the names of counters end with in OpenMetrics.
const TOTAL: &str = "_total";

/// The name and the value of a label.
pub type Label<'a> = (&'a str, &'a str);

/// An exposition in the making.
#[derive(Debug)]
pub struct Exposition {
    out: String,
    format: Format,
    /// Counters that keep their names, because others have those of their families.
    clashing: Vec<String>,
}

impl Exposition {
    /// An empty one.
    pub fn new(format: Format) -> Self {
        Self {
            // What one with a hundred user metrics needs, about.
            out: String::with_capacity(16 * 1024),
            format,
            clashing: Vec::new(),
        }
    }

    /// Of these families, all that will follow, no two get the same name.
    pub fn announce<'n>(&mut self, families: impl Iterator<Item = (&'n str, Kind)> + Clone) {
        if self.format == Format::Text {
            return;
        }
        let mut names: Vec<&str> = families.clone().map(|(name, _)| name).collect();
        names.sort_unstable();
        let has = |name: &str| names.binary_search(&name).is_ok();
        let counters = families.filter(|(name, kind)| {
            *kind == Kind::Counter && name.strip_suffix(TOTAL).is_some_and(has)
        });
        self.clashing = counters.map(|(name, _)| name.to_owned()).collect();
    }

    /// Begins a family: its samples, and nothing else, are to follow.
    pub fn family<'a>(&'a mut self, name: &'a str, help: &str, kind: Kind) -> Family<'a> {
        let (described, word) = self.described(name, kind);
        if !help.is_empty() {
            self.push(&["# HELP ", described, " "]);
            let quotes = self.format == Format::OpenMetrics;
            escape(&mut self.out, help, quotes);
            self.out.push('\n');
        }
        self.push(&["# TYPE ", described, " ", word, "\n"]);
        Family { to: self, name }
    }

    /// The name and the type for the head of a family.
    ///
    /// OpenMetrics wants the name of a counter's samples to end in `_total`
    /// and that of its family not to. A counter that is called otherwise
    /// keeps its name and has the type `unknown` there: a series must not
    /// change its name with the format that a scraper happens to ask for. So
    /// does one whose family would have the name of another: two of one name
    /// make a strict reader refuse them all.
    fn described<'a>(&self, name: &'a str, kind: Kind) -> (&'a str, &'static str) {
        match (kind, self.format) {
            (Kind::Counter, Format::OpenMetrics) => match name.strip_suffix(TOTAL) {
                Some(family) if !family.is_empty() && !self.is_clashing(name) => {
                    (family, "counter")
                }
                _ => (name, "unknown"),
            },
            (Kind::Counter, Format::Text) => (name, "counter"),
            (Kind::Gauge, _) => (name, "gauge"),
            (Kind::Histogram, _) => (name, "histogram"),
            (Kind::Summary, _) => (name, "summary"),
        }
    }

    fn is_clashing(&self, counter: &str) -> bool {
        self.clashing.iter().any(|clashing| clashing == counter)
    }

    /// The whole text.
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out
    }

    fn push(&mut self, parts: &[&str]) {
        for part in parts {
            self.out.push_str(part);
        }
    }
}

/// A family whose samples are being written.
#[derive(Debug)]
pub struct Family<'a> {
    to: &'a mut Exposition,
    name: &'a str,
}

impl Family<'_> {
    /// The sample of a counter or a gauge.
    pub fn number(&mut self, labels: &[Label<'_>], value: f64) {
        self.series("", labels, None);
        self.value(value);
    }

    /// The samples of a histogram.
    pub fn histogram(&mut self, labels: &[Label<'_>], histogram: &Histogram) {
        for (bound, count) in histogram.buckets() {
            self.series("_bucket", labels, Some(("le", bound)));
            self.count(count);
        }
        // OpenMetrics has neither of them without the other.
        if self.has_sum(histogram.grows()) {
            self.series("_sum", labels, None);
            self.value(histogram.sum());
            self.series("_count", labels, None);
            self.count(histogram.count());
        }
    }

    /// The samples of a summary.
    pub fn summary(&mut self, labels: &[Label<'_>], recent: &Recent) {
        for (quantile, value) in recent.quantiles() {
            // OpenMetrics has no quantiles below zero.
            if value < 0.0 && self.to.format == Format::OpenMetrics {
                continue;
            }
            self.series("", labels, Some(("quantile", quantile)));
            self.value(value);
        }
        if self.has_sum(recent.grows) {
            self.series("_sum", labels, None);
            self.value(recent.sum);
        }
        self.series("_count", labels, None);
        self.count(recent.count);
    }

    /// Whether there is a sum: OpenMetrics has none that does not only grow, and a
    /// strict reader refuses all that comes with one.
    fn has_sum(&self, grows: bool) -> bool {
        grows || self.to.format == Format::Text
    }

    /// Name and labels, the last of which may be a number.
    fn series(&mut self, suffix: &str, labels: &[Label<'_>], last: Option<(&str, f64)>) {
        self.to.push(&[self.name, suffix]);
        let mut separator = "{";
        for (name, value) in labels {
            self.to.push(&[separator, name, "=\""]);
            escape(&mut self.to.out, value, true);
            self.to.out.push('"');
            separator = ",";
        }
        if let Some((name, value)) = last {
            self.to.push(&[separator, name, "=\""]);
            match self.to.format {
                Format::Text => write_float(&mut self.to.out, value),
                Format::OpenMetrics => write_canonical_float(&mut self.to.out, value),
            }
            self.to.out.push('"');
            separator = ",";
        }
        if separator == "," {
            self.to.out.push('}');
        }
        self.to.out.push(' ');
    }

    fn value(&mut self, value: f64) {
        write_float(&mut self.to.out, value);
        self.to.out.push('\n');
    }

    fn count(&mut self, count: u64) {
        write_count(&mut self.to.out, count);
        self.to.out.push('\n');
    }
}

/// Appends `text` with backslashes and line feeds escaped, and with double
/// quotes escaped if wished: in label values always, in help texts only in
/// OpenMetrics.
fn escape(out: &mut String, text: &str, quotes: bool) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            plain => out.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Summary;
    use std::time::Instant;

    fn both(write: impl Fn(&mut Exposition)) -> (String, String) {
        let render = |format| {
            let mut exposition = Exposition::new(format);
            write(&mut exposition);
            exposition.finish()
        };
        (render(Format::Text), render(Format::OpenMetrics))
    }

    #[test]
    fn a_counter_keeps_its_name_in_both_formats() {
        let (text, open) = both(|to| {
            to.family("a_total", "With.", Kind::Counter)
                .number(&[], 3.0);
            to.family("b", "Without.", Kind::Counter).number(&[], 4.0);
            to.family("_total", "", Kind::Counter).number(&[], 5.0);
        });
        assert_eq!(
            text,
            "# HELP a_total With.\n# TYPE a_total counter\na_total 3\n\
             # HELP b Without.\n# TYPE b counter\nb 4\n\
             # TYPE _total counter\n_total 5\n"
        );
        assert_eq!(
            open,
            "# HELP a With.\n# TYPE a counter\na_total 3\n\
             # HELP b Without.\n# TYPE b unknown\nb 4\n\
             # TYPE _total unknown\n_total 5\n# EOF\n"
        );
    }

    #[test]
    fn a_counter_leaves_the_name_of_its_family_to_another() {
        let families = [
            ("a", Kind::Gauge),
            ("a_total", Kind::Counter),
            ("b_total", Kind::Counter),
            ("c", Kind::Counter),
            ("c_total", Kind::Counter),
        ];
        let (text, open) = both(|to| {
            to.announce(families.into_iter());
            for (name, kind) in families {
                to.family(name, "", kind).number(&[], 1.0);
            }
        });
        assert_eq!(
            text,
            "# TYPE a gauge\na 1\n# TYPE a_total counter\na_total 1\n\
             # TYPE b_total counter\nb_total 1\n# TYPE c counter\nc 1\n\
             # TYPE c_total counter\nc_total 1\n"
        );
        assert_eq!(
            open,
            "# TYPE a gauge\na 1\n# TYPE a_total unknown\na_total 1\n\
             # TYPE b counter\nb_total 1\n# TYPE c unknown\nc 1\n\
             # TYPE c_total unknown\nc_total 1\n# EOF\n"
        );
    }

    #[test]
    fn openmetrics_has_no_sums_and_quantiles_of_negative_numbers() {
        let now = Instant::now();
        let (mut histogram, mut summary) = (Histogram::new(&[]), Summary::default());
        histogram.observe(-1.0);
        summary.observe(-1.0, now);
        let (text, open) = both(|to| {
            to.family("h", "", Kind::Histogram)
                .histogram(&[], &histogram);
            to.family("s", "", Kind::Summary)
                .summary(&[], &summary.recent(now));
        });
        assert!(text.contains("\nh_sum -1\n") && text.contains("\ns_sum -1\n"));
        assert!(
            !open.contains("_sum") && !open.contains("quantile"),
            "{open}"
        );
        assert!(!open.contains("h_count") && open.contains("\ns_count 1\n"));
    }

    #[test]
    fn texts_are_escaped_as_each_format_wants_it() {
        let nasty = "a\\b\n\"c\" é {}=,#";
        let (text, open) = both(|to| {
            to.family("x", nasty, Kind::Gauge)
                .number(&[("one", nasty), ("two", "")], f64::NAN);
        });
        let series = "# TYPE x gauge\nx{one=\"a\\\\b\\n\\\"c\\\" é {}=,#\",two=\"\"} NaN\n";
        assert_eq!(text, format!("# HELP x a\\\\b\\n\"c\" é {{}}=,#\n{series}"));
        assert_eq!(
            open,
            format!("# HELP x a\\\\b\\n\\\"c\\\" é {{}}=,#\n{series}# EOF\n")
        );
    }

    #[test]
    fn histograms_have_cumulative_buckets() {
        let mut histogram = Histogram::new(&[0.5, 1.0, 1e6]);
        for value in [0.1, 0.75, 0.75, 2.0, 1e7] {
            histogram.observe(value);
        }
        let (text, open) = both(|to| {
            to.family("h", "H.", Kind::Histogram)
                .histogram(&[("job", "app")], &histogram);
        });
        assert_eq!(
            text,
            "# HELP h H.\n# TYPE h histogram\n\
             h_bucket{job=\"app\",le=\"0.5\"} 1\n\
             h_bucket{job=\"app\",le=\"1\"} 3\n\
             h_bucket{job=\"app\",le=\"1e+06\"} 4\n\
             h_bucket{job=\"app\",le=\"+Inf\"} 5\n\
             h_sum{job=\"app\"} 1.00000036e+07\n\
             h_count{job=\"app\"} 5\n"
        );
        let canonical = text.replace("\"1\"", "\"1.0\"") + "# EOF\n";
        assert_eq!(open, canonical);
    }

    #[test]
    fn summaries_have_quantiles() {
        let now = Instant::now();
        let mut summary = Summary::default();
        let empty = summary.recent(now);
        summary.observe(2.5, now);
        let recent = summary.recent(now);
        let (text, open) = both(|to| {
            to.family("s", "", Kind::Summary).summary(&[], &recent);
            to.family("t", "", Kind::Summary).summary(&[], &empty);
        });
        assert_eq!(
            text,
            "# TYPE s summary\n\
             s{quantile=\"0.5\"} 2.5\n\
             s{quantile=\"0.9\"} 2.5\n\
             s{quantile=\"0.99\"} 2.5\n\
             s_sum 2.5\n\
             s_count 1\n\
             # TYPE t summary\n\
             t{quantile=\"0.5\"} NaN\n\
             t{quantile=\"0.9\"} NaN\n\
             t{quantile=\"0.99\"} NaN\n\
             t_sum 0\n\
             t_count 0\n"
        );
        assert_eq!(open, text + "# EOF\n");
    }
}
