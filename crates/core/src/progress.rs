//! What is shown while a command works: nothing, a log line every ten seconds, or JSON lines.
//! Bars on a terminal are the command line's business (`cli`).

use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytesize::ByteSize;

/// Time between two lines.
const INTERVAL: Duration = Duration::from_secs(10);

/// What a command has to do, as far as it is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Work {
    /// Bytes to move.
    pub bytes: Option<u64>,
    /// Files or documents to move.
    pub items: Option<u64>,
    /// What the items are, such as `files`.
    pub unit: &'static str,
}

/// Is told how far a command has come.
pub trait Progress: Send + Sync + Debug {
    /// The work begins.
    fn begin(&self, work: Work);
    /// `bytes` more were acknowledged by the other side, and `items` more are done.
    fn advance(&self, bytes: u64, items: u64);
    /// No more is coming, whether all went well or not.
    fn end(&self);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy)]
pub struct Hidden;

impl Progress for Hidden {
    fn begin(&self, _: Work) {}
    fn advance(&self, _: u64, _: u64) {}
    fn end(&self) {}
}

/// Writes a log line, or an object as JSON, every ten seconds.
#[derive(Debug)]
pub struct LogLines {
    form: LineForm,
    state: Mutex<State>,
}

/// How [`LogLines`] are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineForm {
    /// For people.
    Text,
    /// One JSON object a line, on stderr.
    Json,
}

#[derive(Debug)]
struct State {
    work: Work,
    bytes: u64,
    items: u64,
    start: Instant,
    last: Instant,
}

impl LogLines {
    /// Lines in the given form.
    pub fn new(form: LineForm) -> Self {
        let now = Instant::now();
        let state = State {
            work: Work::default(),
            bytes: 0,
            items: 0,
            start: now,
            last: now,
        };
        Self {
            form,
            state: Mutex::new(state),
        }
    }

    fn write(&self, state: &State) {
        let seconds = state.start.elapsed().as_secs_f64();
        let bytes_per_second = (state.bytes as f64 / seconds.max(0.001)) as u64;
        match self.form {
            LineForm::Text => {
                let of = |total: Option<u64>| total.map(|t| format!(" of {t}")).unwrap_or_default();
                let total = state.work.bytes.map(|t| format!(" of {}", ByteSize(t)));
                tracing::info!(
                    "{}{} moved, {}{} {} done, {}/s",
                    ByteSize(state.bytes),
                    total.unwrap_or_default(),
                    state.items,
                    of(state.work.items),
                    state.work.unit,
                    ByteSize(bytes_per_second),
                );
            }
            LineForm::Json => crate::cli::write_stderr(
                &serde_json::json!({
                    "bytes": state.bytes,
                    "total_bytes": state.work.bytes,
                    "items": state.items,
                    "total_items": state.work.items,
                    "unit": state.work.unit,
                    "seconds": seconds,
                    "bytes_per_second": bytes_per_second,
                })
                .to_string(),
            ),
        }
    }
}

impl Progress for LogLines {
    fn begin(&self, work: Work) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .work = work;
    }

    fn advance(&self, bytes: u64, items: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.bytes += bytes;
        state.items += items;
        if state.last.elapsed() >= INTERVAL {
            state.last = Instant::now();
            self.write(&state);
        }
    }

    fn end(&self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // A command that failed before it had work to do has nothing to say about it.
        if !state.work.unit.is_empty() {
            self.write(&state);
        }
    }
}
