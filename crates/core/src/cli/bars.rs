//! Progress on a terminal: a bar, and below it one line each for bytes, items, trouble and the step
//! alongside the work, so that forty columns are enough. Until the work is known, a single line
//! says what is being done.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::progress::{Moment, Status, Step};
use crate::text::printable;

/// Progress redrawn in place; nothing is shown before the first draw.
#[derive(Debug, Default)]
pub(super) struct Bars {
    area: MultiProgress,
    shown: Option<Shown>,
}

#[derive(Debug)]
enum Shown {
    Step(ProgressBar),
    Work(ProgressBar),
}

impl Bars {
    /// The drawing area, which log lines must not overwrite.
    pub(super) fn area(&self) -> MultiProgress {
        self.area.clone()
    }

    pub(super) fn draw(&mut self, moment: &Moment) {
        match moment {
            Moment::Step(step) => self.draw_step(step),
            Moment::Work(status) => self.draw_work(status),
        }
    }

    fn draw_step(&mut self, step: &Step) {
        let bar = match &self.shown {
            Some(Shown::Step(bar)) => bar.clone(),
            _ => {
                let bar = self.add("{spinner} {wide_msg}");
                self.shown = Some(Shown::Step(bar.clone()));
                bar
            }
        };
        bar.set_message(text_of(step));
        bar.tick();
    }

    fn draw_work(&mut self, status: &Status) {
        let bar = match &self.shown {
            Some(Shown::Work(bar)) => bar.clone(),
            _ => {
                let bar = self.add("{wide_bar} {prefix}\n{msg}");
                self.shown = Some(Shown::Work(bar.clone()));
                bar
            }
        };
        let (done, total) = status.share().unwrap_or_default();
        let beside = [Some(format!("{}%", status.percent())), status.left()];
        let below = [
            status.bytes_done(),
            Some(status.items_done()),
            status.trouble(),
            status.step.as_ref().map(text_of),
        ];
        bar.update(|state| {
            state.set_len(total);
            state.set_pos(done.min(total));
        });
        bar.set_prefix(joined(beside, ", "));
        bar.set_message(joined(below, "\n"));
    }

    /// Adds a bar in place of the previous one.
    fn add(&self, template: &str) -> ProgressBar {
        self.clear();
        let style = ProgressStyle::with_template(template);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        self.area.add(ProgressBar::no_length().with_style(style))
    }

    pub(super) fn clear(&self) {
        if let Some(Shown::Step(bar) | Shown::Work(bar)) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

/// Makes a step printable: it may contain foreign names, and bars bypass the last step of all other
/// output.
fn text_of(step: &Step) -> String {
    printable(&step.line()).into_owned()
}

fn joined<const N: usize>(texts: [Option<String>; N], separator: &str) -> String {
    let texts: Vec<_> = texts.into_iter().flatten().collect();
    texts.join(separator)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::progress::Work;

    fn message(bars: &Bars) -> String {
        match &bars.shown {
            Some(Shown::Step(bar) | Shown::Work(bar)) => bar.message(),
            None => String::new(),
        }
    }

    #[test]
    fn a_step_has_a_line_of_its_own_before_the_work_and_below_the_bar() {
        let step = |what: &str| Step {
            what: what.to_owned(),
            time: Duration::ZERO,
        };
        let mut bars = Bars::default();
        bars.draw(&Moment::Step(step("reading `a\u{1b}[2J`")));
        assert_eq!(message(&bars), r"reading `a\u001b[2J`");
        bars.draw(&Moment::Step(step("planning 3 splits")));
        assert_eq!(message(&bars), "planning 3 splits");
        bars.draw(&Moment::Work(Status {
            step: Some(step("proving the run")),
            work: Work {
                unit: "files",
                ..Work::default()
            },
            bytes: 0,
            items: 7,
            time: Duration::ZERO,
            is_done: false,
            bytes_per_second: 0,
            time_left: None,
            retries: 0,
            throttles: 0,
        }));
        assert_eq!(message(&bars), "7 files\nproving the run");
    }
}
