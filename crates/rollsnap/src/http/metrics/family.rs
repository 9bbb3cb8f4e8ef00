//! One family of numbers: its name, its labels and what it means. The table of all is
//! [`FAMILIES`](super::table::FAMILIES).

use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts};

/// A family.
#[derive(Debug)]
pub struct Family {
    /// Its name, `rollsnap_` and all.
    pub name: &'static str,
    /// Which kind of number it is.
    pub kind: Kind,
    /// Its labels; the values of each are closed.
    pub labels: &'static [Label],
    /// What it means, in a sentence.
    pub help: &'static str,
    /// When it is not there; nothing where it always is.
    pub absent: &'static str,
}

/// A label and its values.
#[derive(Debug)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// All that it can be; none where that is not known beforehand (a version).
    pub values: &'static [&'static str],
}

/// Which kind of number.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up, from 0 at the daemon's start.
    Counter,
    /// How often it was at most so much.
    Histogram(&'static [f64]),
}

impl Kind {
    /// Prometheus' word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram(_) => "histogram",
        }
    }
}

impl Family {
    /// Every combination of its labels' values.
    pub fn combinations(&self) -> Vec<Vec<&'static str>> {
        let mut all = vec![Vec::new()];
        for label in self.labels {
            all = all
                .iter()
                .flat_map(|so_far| {
                    label.values.iter().map(move |value| {
                        let mut next: Vec<&'static str> = Vec::clone(so_far);
                        next.push(value);
                        next
                    })
                })
                .collect();
        }
        all
    }

    fn names(&self) -> Vec<&'static str> {
        self.labels.iter().map(|label| label.name).collect()
    }

    pub(super) fn gauge(&self) -> GaugeVec {
        GaugeVec::new(Opts::new(self.name, self.help), &self.names()).expect(TABLE)
    }

    /// With every combination at 0.
    pub(super) fn counter(&self) -> IntCounterVec {
        let counter =
            IntCounterVec::new(Opts::new(self.name, self.help), &self.names()).expect(TABLE);
        for values in self.combinations() {
            drop(counter.with_label_values(&values));
        }
        counter
    }

    /// With every combination at 0.
    pub(super) fn histogram(&self) -> HistogramVec {
        let buckets = match self.kind {
            Kind::Histogram(buckets) => buckets.to_vec(),
            Kind::Gauge | Kind::Counter => Vec::new(),
        };
        let options = HistogramOpts::new(self.name, self.help).buckets(buckets);
        let histogram = HistogramVec::new(options, &self.names()).expect(TABLE);
        for values in self.combinations() {
            drop(histogram.with_label_values(&values));
        }
        histogram
    }
}

pub(super) const TABLE: &str = "the table of families is right: a test makes all of them";
