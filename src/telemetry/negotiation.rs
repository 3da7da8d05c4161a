//! Which format a scraper wants, by its `Accept` header (RFC 9110 §12.5.1).
//!
//! Pure; called by the server for each scrape.

use super::exposition::Format;

/// The format that this `Accept` header prefers.
///
/// Only formats that are named are weighed: a wildcard, an empty header, or one
/// that accepts neither gets the text format, which everything understands.
pub fn choose(accept: &str) -> Format {
    let mut chosen = (Format::Text, 0);
    for range in accept.split(',') {
        let Some((format, weight)) = read(range) else {
            continue;
        };
        // Of equal weights the first one counts.
        if weight > chosen.1 {
            chosen = (format, weight);
        }
    }
    chosen.0
}

/// The format and the weight, in thousandths, of one media range.
fn read(range: &str) -> Option<(Format, u32)> {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next()?;
    let (format, supported) = if kind.eq_ignore_ascii_case("application/openmetrics-text") {
        (Format::OpenMetrics, "1.0.0")
    } else if kind.eq_ignore_ascii_case("text/plain") {
        (Format::Text, "0.0.4")
    } else {
        return None;
    };
    let mut weight = 1000;
    for parameter in parts {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim().trim_matches('"');
        if name.trim().eq_ignore_ascii_case("q") {
            weight = thousandths(value)?;
        } else if name.trim().eq_ignore_ascii_case("version") && value != supported {
            return None;
        }
    }
    Some((format, weight))
}

fn thousandths(value: &str) -> Option<u32> {
    let weight: f64 = value.parse().ok()?;
    (0.0..=1.0)
        .contains(&weight)
        .then_some((weight * 1000.0).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_header_decides() {
        use Format::{OpenMetrics, Text};
        let table = [
            ("", Text),
            ("*/*", Text),
            ("text/html, */*;q=0.1", Text),
            ("text/plain", Text),
            ("application/openmetrics-text", OpenMetrics),
            ("Application/OpenMetrics-Text; Version=1.0.0", OpenMetrics),
            (
                "application/openmetrics-text; version=\"1.0.0\"",
                OpenMetrics,
            ),
            ("application/openmetrics-text;version=0.0.1", Text),
            ("application/openmetrics-text;version=2.0.0", Text),
            ("application/openmetrics-text;q=0", Text),
            ("application/openmetrics-text;q=0.3,text/plain;q=0.5", Text),
            (
                "application/openmetrics-text;q=0.5,text/plain;q=0.3",
                OpenMetrics,
            ),
            ("text/plain;q=0.5,application/openmetrics-text;q=0.5", Text),
            (
                "application/openmetrics-text;q=0.5,text/plain;q=0.5",
                OpenMetrics,
            ),
            (
                "application/openmetrics-text;q=nonsense,text/plain;q=0.1",
                Text,
            ),
            ("application/openmetrics-text;q=7", Text),
            // What Prometheus 2.42 and 3.0 send.
            (
                "application/openmetrics-text;version=1.0.0,\
                     application/openmetrics-text;version=0.0.1;q=0.75,\
                     text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                     application/openmetrics-text;version=0.0.1;q=0.5,\
                     text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                     text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                OpenMetrics,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                     encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Text,
            ),
        ];
        for (accept, format) in table {
            assert_eq!(choose(accept), format, "{accept:?}");
        }
    }
}
