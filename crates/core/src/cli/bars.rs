//! Progress on a terminal: a bar, and below it bytes, items and what went wrong, a line each, so that
//! forty columns are enough.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::progress::Status;

/// A bar that is redrawn in place, from its first picture on.
#[derive(Debug, Default)]
pub(super) struct Bars {
    area: MultiProgress,
    bar: Option<ProgressBar>,
}

impl Bars {
    /// The drawing area, which log lines must go around.
    pub(super) fn area(&self) -> MultiProgress {
        self.area.clone()
    }

    pub(super) fn draw(&mut self, status: &Status) {
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{wide_bar} {prefix}\n{msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            self.area.add(ProgressBar::no_length().with_style(style))
        });
        let (done, total) = status.share().unwrap_or_default();
        let percent = (done * 100).checked_div(total).unwrap_or(0).min(100);
        let beside = [Some(format!("{percent}%")), status.left()];
        let below = [
            status.bytes_done(),
            Some(status.items_done()),
            status.trouble(),
        ];
        bar.update(|state| {
            state.set_len(total);
            state.set_pos(done.min(total));
        });
        bar.set_prefix(joined(beside, ", "));
        bar.set_message(joined(below, "\n"));
    }

    pub(super) fn clear(&self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

fn joined<const N: usize>(texts: [Option<String>; N], separator: &str) -> String {
    let texts: Vec<_> = texts.into_iter().flatten().collect();
    texts.join(separator)
}
