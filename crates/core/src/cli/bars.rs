//! Progress as a bar on a terminal.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::progress::{Progress, Work};

/// One bar of bytes, with the items that are done beside it.
#[derive(Debug)]
pub(super) struct Bars {
    multi: MultiProgress,
    bytes: ProgressBar,
    items: ProgressBar,
}

impl Default for Bars {
    fn default() -> Self {
        let multi = MultiProgress::new();
        let bytes = multi.add(ProgressBar::no_length());
        let items = multi.add(ProgressBar::no_length());
        Self {
            multi,
            bytes,
            items,
        }
    }
}

impl Bars {
    /// The drawing area, which log lines must go around.
    pub(super) fn multi(&self) -> MultiProgress {
        self.multi.clone()
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Progress for Bars {
    fn begin(&self, work: Work) {
        match work.bytes {
            Some(total) => {
                self.bytes.set_length(total);
                self.bytes.set_style(style(
                    "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
                ));
            }
            None => self
                .bytes
                .set_style(style("{spinner} {bytes}, {bytes_per_sec}")),
        }
        match work.items {
            Some(total) => {
                self.items.set_length(total);
                self.items
                    .set_style(style("{human_pos} of {human_len} {msg}"));
            }
            None => self.items.set_style(style("{human_pos} {msg}")),
        }
        self.items.set_message(work.unit);
    }

    fn advance(&self, bytes: u64, items: u64) {
        self.bytes.inc(bytes);
        self.items.inc(items);
    }

    fn end(&self) {
        self.bytes.finish_and_clear();
        self.items.finish_and_clear();
    }
}
