//! Where the service directory is kept: two objects of a bucket, the page and the same as JSON.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use trellis_directory::page;
use trellis_engine::DriftReport;
use trellis_ports::Budget;
use trellis_wiring::{Bucket, Engine};

/// The page's key.
const PAGE: &str = "directory.html";
/// The key of the same as JSON.
const VALUE: &str = "directory.json";

/// A bucket, and how often the directory is written there.
pub(crate) struct Shelf {
    bucket: Bucket,
    every: Duration,
    filled: Mutex<Option<SystemTime>>,
}

impl Shelf {
    pub(crate) fn new(bucket: Bucket, every: Duration) -> Self {
        Self { bucket, every, filled: Mutex::new(None) }
    }

    /// Writes the directory. One that cannot be written costs the pass nothing: its report says so.
    pub(crate) async fn fill(
        &self,
        engine: &Engine,
        now: SystemTime,
        budget: Budget,
        report: &mut DriftReport,
    ) {
        let written = budget.spend(Box::pin(self.write(engine, now, budget))).await;
        match written.map_err(|over| over.to_string()).and_then(|written| written) {
            Ok(uri) => {
                *self.filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
                tracing::info!(uri, "the service directory is written");
                report.directory = Some(uri);
            }
            Err(why) => {
                tracing::warn!(why, "the service directory is not written");
                report.left_out.push(format!("the service directory: {why}"));
            }
        }
    }

    /// Whether the last one is old. A clock that went backwards makes it due.
    pub(crate) fn is_due(&self, now: SystemTime) -> bool {
        let filled = *self.filled.lock().unwrap_or_else(PoisonError::into_inner);
        let age = filled.and_then(|filled| now.duration_since(filled).ok());
        age.is_none_or(|age| age >= self.every)
    }

    async fn write(&self, engine: &Engine, now: SystemTime, budget: Budget) -> Result<String, String> {
        let directory = engine.directory(now, budget).await;
        let directory = directory.map_err(|error| trellis_telemetry::chain(&error).to_string())?;
        let json = serde_json::to_string(&directory).map_err(|error| error.to_string())?;
        for (key, kind, body) in
            [(VALUE, "application/json", json), (PAGE, "text/html; charset=utf-8", page(&directory))]
        {
            let put = self.bucket.put(key, kind, body).await;
            put.map_err(|error| trellis_telemetry::chain(&error).to_string())?;
        }
        Ok(self.bucket.uri(PAGE))
    }
}
