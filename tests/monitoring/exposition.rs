//! A strict reader of Prometheus' text format: what it does not know is an error.

use std::collections::{BTreeMap, BTreeSet};

/// Series by name with labels, as they are written.
pub struct Exposition {
    pub samples: BTreeMap<String, f64>,
    pub kinds: BTreeMap<String, String>,
    pub labels: BTreeSet<(String, String)>,
}

impl Exposition {
    pub fn read(text: &str) -> Self {
        let mut found = Self {
            samples: BTreeMap::new(),
            kinds: BTreeMap::new(),
            labels: BTreeSet::new(),
        };
        let mut closed: BTreeSet<String> = BTreeSet::new();
        let mut current = String::new();
        assert!(text.ends_with('\n'), "the last line has no end");
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                let (kind, name) = (words.next().unwrap(), words.next().unwrap());
                assert!(is_name(name), "{line}");
                if name != current {
                    assert!(closed.insert(name.to_owned()), "{name} comes twice");
                    name.clone_into(&mut current);
                }
                match kind {
                    "HELP" => assert!(!words.next().unwrap_or_default().is_empty(), "{line}"),
                    "TYPE" => {
                        let kind = words.next().unwrap();
                        assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                        let before = found.kinds.insert(name.to_owned(), kind.to_owned());
                        assert!(before.is_none(), "{name} has two types");
                    }
                    _ => panic!("{line}"),
                }
                continue;
            }
            found.sample(line, &current);
        }
        found.check_histograms();
        found
    }

    fn sample(&mut self, line: &str, current: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let value = match value {
            "+Inf" => f64::INFINITY,
            value => value.parse().unwrap_or_else(|_| panic!("{line}")),
        };
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (
                name,
                labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}")),
            ),
            None => (series, ""),
        };
        assert!(is_name(name), "{line}");
        let kind = self
            .kinds
            .get(current)
            .unwrap_or_else(|| panic!("no type before {line}"));
        let fits = match kind.as_str() {
            "histogram" => ["_bucket", "_sum", "_count"]
                .iter()
                .any(|end| name.strip_suffix(end) == Some(current)),
            "counter" => name == current && name.ends_with("_total"),
            _ => name == current,
        };
        assert!(fits, "{line} stands below {current}, a {kind}");
        for (label, text) in read_labels(labels) {
            self.labels.insert((label, text));
        }
        let before = self.samples.insert(series.to_owned(), value);
        assert!(before.is_none(), "{series} comes twice");
    }

    fn check_histograms(&self) {
        for (series, count) in &self.samples {
            let Some((name, labels)) = series.split_once("_count") else {
                continue;
            };
            if self.kinds.get(name).map(String::as_str) != Some("histogram") {
                continue;
            }
            let inner = labels.trim_start_matches('{').trim_end_matches('}');
            let start = format!(
                "{name}_bucket{{{inner}{}le=\"",
                if inner.is_empty() { "" } else { "," }
            );
            let mut buckets: Vec<(f64, f64)> = self
                .samples
                .iter()
                .filter_map(|(series, number)| {
                    let bound = series.strip_prefix(&start)?.strip_suffix("\"}")?;
                    let bound = if bound == "+Inf" {
                        f64::INFINITY
                    } else {
                        bound.parse().unwrap()
                    };
                    Some((bound, *number))
                })
                .collect();
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(buckets.len() > 2, "{series} has no buckets");
            assert!(
                buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1),
                "{series}: {buckets:?}"
            );
            assert_eq!(buckets.last(), Some(&(f64::INFINITY, *count)), "{series}");
        }
    }

    /// The sum over all series of a name whose labels have all of these.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples
            .iter()
            .filter(|(series, _)| {
                let (found, rest) = series.split_once('{').unwrap_or((series, ""));
                found == name
                    && labels
                        .iter()
                        .all(|(label, text)| rest.contains(&format!("{label}=\"{text}\"")))
            })
            .map(|(_, value)| value)
            .sum()
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_:".contains(c))
}

fn read_labels(text: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{text}"));
        assert!(is_name(name), "{text}");
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next() {
                Some((end, '"')) => break end,
                Some((_, '\\')) => value.push(chars.next().unwrap().1),
                Some((_, c)) => value.push(c),
                None => panic!("{text}"),
            }
        };
        labels.push((name.to_owned(), value));
        rest = &after[end + 1..];
        if let Some(more) = rest.strip_prefix(',') {
            rest = more;
        } else {
            assert!(rest.is_empty(), "{text}");
        }
    }
    labels
}
