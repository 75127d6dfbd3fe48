use crate::{Metric, Unit};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    io::Write,
    time::{SystemTime, UNIX_EPOCH},
};

/// The CloudWatch namespace of all metrics.
pub const EMF_NAMESPACE: &str = "Trellis";

/// The dimensions: whose figures these are, and which of the functions counted. Two installations in one account and
/// Region must not share an alarm, and neither may the two functions.
const DIMENSIONS: [&str; 2] = ["Installation", "Function"];

/// The values of one metric in one line (Amazon CloudWatch User Guide, "Specification: Embedded metric format": an array
/// of at most 100). A batch has ten units; what a longer one measures beyond is left out.
const SAMPLES_MAX: usize = 100;

/// The variable that names the installation, as template.yaml sets it for both functions.
const INSTALLATION_VARIABLE: &str = "TRELLIS_OWNER";
/// The installation where the variable says nothing; the same as the engine's and the template's default.
const INSTALLATION_DEFAULT: &str = "trellis";

/// Who counted: the values of the metrics' dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// The installation's name: the value of its owner tag.
    pub installation: &'a str,
    /// The function: `reconcile` or `drift`.
    pub function: &'a str,
}

/// One line of the embedded metric format (Amazon CloudWatch User Guide, "Specification: Embedded metric format"):
/// CloudWatch Logs turns it into metrics by itself.
///
/// `unix_ms` is the time in milliseconds since 1970. A metric with one value is written as a number, one with several as
/// an array, of which CloudWatch makes a distribution with percentiles. `properties` stand beside the metrics and can be
/// searched for, but make no metric (and no cost): names that change with the input, such as calls by operation, belong
/// there. A property never hides a metric.
pub fn emf_line(
    source: Source<'_>,
    unix_ms: u64,
    values: &BTreeMap<Metric, Vec<f64>>,
    properties: &Map<String, Value>,
) -> String {
    let declared: Vec<Value> =
        values.keys().map(|metric| json!({"Name": metric.name(), "Unit": metric.unit().as_str()})).collect();
    let mut line = properties.clone();
    for (name, value) in DIMENSIONS.into_iter().zip([source.installation, source.function]) {
        line.insert(name.into(), value.into());
    }
    for (metric, samples) in values {
        let value = if let [one] = samples.as_slice() { json!(one) } else { json!(samples) };
        line.insert(metric.name().into(), value);
    }
    line.insert(
        "_aws".into(),
        json!({
            "Timestamp": unix_ms,
            "CloudWatchMetrics": [
                {"Namespace": EMF_NAMESPACE, "Dimensions": [DIMENSIONS], "Metrics": declared}
            ],
        }),
    );
    Value::Object(line).to_string()
}

/// Counters and measurements of one invocation. Add to it on the way, [`emit`](Self::emit) it at the end.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    values: BTreeMap<Metric, Vec<f64>>,
    properties: Map<String, Value>,
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds to a counter. Adding nothing counts too: a figure that is 0 is another one than a figure that is missing.
    pub fn add(&mut self, metric: Metric, count: usize) {
        // A count beyond 2^53 would lose its last digits; no invocation counts so far.
        #[allow(clippy::cast_precision_loss)]
        let count = count as f64;
        let total = self.get(metric) + count;
        self.values.insert(metric, vec![total]);
    }

    /// Puts one measurement, such as a duration in the metric's unit, beside those that are there already.
    pub fn record(&mut self, metric: Metric, value: f64) {
        let samples = self.values.entry(metric).or_default();
        if samples.len() < SAMPLES_MAX {
            samples.push(value);
        }
    }

    /// Takes in what others have counted and measured.
    pub fn merge(&mut self, others: Self) {
        for (metric, samples) in others.values {
            let values = self.values.entry(metric).or_default();
            if metric.unit() == Unit::Count {
                *values = vec![values.iter().chain(&samples).sum()];
            } else {
                values.extend(samples);
                values.truncate(SAMPLES_MAX);
            }
        }
        self.properties.extend(others.properties);
    }

    /// What was counted or measured under this name so far, in sum.
    pub fn get(&self, metric: Metric) -> f64 {
        self.values.get(&metric).map(|samples| samples.iter().sum()).unwrap_or_default()
    }

    /// Puts a searchable value beside the metrics, such as calls by operation.
    pub fn property(&mut self, name: &str, value: impl Into<Value>) {
        self.properties.insert(name.to_owned(), value.into());
    }

    /// The line that [`emit`](Self::emit) writes at that time; `None` if nothing was counted.
    pub fn line(&self, source: Source<'_>, unix_ms: u64) -> Option<String> {
        (!self.values.is_empty()).then(|| emf_line(source, unix_ms, &self.values, &self.properties))
    }

    /// Writes the line to standard output, where CloudWatch Logs takes it up. The installation is the environment's
    /// `TRELLIS_OWNER`. A log that cannot be written is no reason to fail the work that it tells of.
    pub fn emit(&self, function: &str) {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ms = u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX);
        let named = std::env::var(INSTALLATION_VARIABLE).ok().filter(|name| !name.is_empty());
        let installation = named.as_deref().unwrap_or(INSTALLATION_DEFAULT);
        if let Some(line) = self.line(Source { installation, function }, unix_ms) {
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: Source<'static> = Source { installation: "blue", function: "drift" };

    fn parsed(metrics: &Metrics) -> Value {
        serde_json::from_str(&metrics.line(SOURCE, 1_700_000_000_000).unwrap()).unwrap()
    }

    #[test]
    fn every_metric_of_the_table_is_declared_with_its_unit_and_has_its_value() {
        let mut metrics = Metrics::new();
        for (index, metric) in Metric::ALL.iter().enumerate() {
            metrics.add(*metric, index + 1);
        }
        let line = parsed(&metrics);
        let declared = line.pointer("/_aws/CloudWatchMetrics/0/Metrics").unwrap().as_array().unwrap();
        assert_eq!(declared.len(), Metric::ALL.len());
        for (index, metric) in Metric::ALL.iter().enumerate() {
            assert_eq!(declared[index], json!({"Name": metric.name(), "Unit": metric.unit().as_str()}));
            #[allow(clippy::cast_precision_loss)]
            let expected = (index + 1) as f64;
            assert_eq!(line[metric.name()].as_f64(), Some(expected), "{}", metric.name());
        }
    }

    #[test]
    fn a_line_names_installation_function_and_time_and_has_no_line_break() {
        let mut metrics = Metrics::new();
        metrics.add(Metric::LatticeCalls, 2);
        metrics.property("calls", json!({"ListRules": 2, "text": "a\nb"}));
        metrics.property("Installation", "another");
        assert!(!metrics.line(SOURCE, 12).unwrap().contains('\n'));
        let line = parsed(&metrics);
        assert_eq!(line.pointer("/_aws/Timestamp"), Some(&json!(1_700_000_000_000_u64)));
        let dimensions = line.pointer("/_aws/CloudWatchMetrics/0/Dimensions");
        assert_eq!(dimensions, Some(&json!([["Installation", "Function"]])));
        assert_eq!((&line["Installation"], &line["Function"]), (&json!("blue"), &json!("drift")));
        assert_eq!(line["calls"]["ListRules"], 2);
    }

    #[test]
    fn a_property_never_hides_a_metric() {
        let mut metrics = Metrics::new();
        metrics.add(Metric::Orphans, 1);
        metrics.property("Orphans", "many");
        metrics.property("_aws", "none");
        let line = parsed(&metrics);
        assert_eq!(line["Orphans"], 1.0);
        assert!(line["_aws"].is_object());
    }

    #[test]
    fn counts_add_up_a_count_of_nothing_is_told_and_no_count_gives_no_line() {
        let mut metrics = Metrics::new();
        assert_eq!(metrics.line(SOURCE, 1), None);
        metrics.add(Metric::HintsSent, 1);
        metrics.add(Metric::HintsSent, 2);
        metrics.add(Metric::Orphans, 0);
        let line = parsed(&metrics);
        assert_eq!((&line["HintsSent"], &line["Orphans"]), (&json!(3.0), &json!(0.0)));
    }

    #[test]
    fn measurements_stay_apart_so_that_percentiles_can_be_had_and_no_line_has_more_than_cloudwatch_reads() {
        let mut metrics = Metrics::new();
        metrics.record(Metric::UnitDuration, 12.5);
        assert_eq!(parsed(&metrics)["UnitDuration"], 12.5);
        metrics.record(Metric::UnitDuration, 80.0);
        assert_eq!(parsed(&metrics)["UnitDuration"], json!([12.5, 80.0]));
        for _ in 0..2 * SAMPLES_MAX {
            metrics.record(Metric::UnitDuration, 1.0);
        }
        assert_eq!(parsed(&metrics)["UnitDuration"].as_array().map(Vec::len), Some(SAMPLES_MAX));
    }

    #[test]
    fn what_two_have_counted_is_summed_and_what_they_have_measured_stays_apart() {
        let (mut one, mut two) = (Metrics::new(), Metrics::new());
        one.record(Metric::UnitDuration, 12.5);
        two.record(Metric::UnitDuration, 80.0);
        one.add(Metric::HintsSent, 1);
        two.add(Metric::HintsSent, 2);
        one.merge(two);
        let line = parsed(&one);
        assert_eq!((&line["UnitDuration"], &line["HintsSent"]), (&json!([12.5, 80.0]), &json!(3.0)));
    }
}
