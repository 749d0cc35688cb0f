//! Holds a process at a MongoDB command of the test's choice.

use std::sync::Arc;

use async_trait::async_trait;
use lob_testkit::mongo::{Command, Gate, Moment, Verdict};
use tokio::sync::{Semaphore, mpsc, watch};

/// Lets some commands of a kind pass, and holds the others until it is opened.
pub(crate) struct Trap {
    is_meant: fn(&Command) -> bool,
    passes: Semaphore,
    held: mpsc::UnboundedSender<()>,
    /// The verdict on held commands, once it is known.
    fate: watch::Sender<Option<Verdict>>,
}

impl Trap {
    pub(crate) fn new(
        is_meant: fn(&Command) -> bool,
        passes: usize,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<()>) {
        let (held, holds) = mpsc::unbounded_channel();
        let trap = Self {
            is_meant,
            passes: Semaphore::new(passes),
            held,
            fate: watch::Sender::new(None),
        };
        (Arc::new(trap), holds)
    }

    /// Lets this many more commands pass.
    pub(crate) fn let_pass(&self, more: usize) {
        self.passes.add_permits(more);
    }

    pub(crate) fn open(&self, fate: Verdict) {
        self.fate.send_replace(Some(fate));
    }
}

#[async_trait]
impl Gate for Trap {
    async fn decide(&self, moment: Moment, command: &Command) -> Verdict {
        let mut fate = self.fate.subscribe();
        let is_open = fate.borrow().is_some();
        if is_open || moment != Moment::Arrived || !(self.is_meant)(command) {
            return Verdict::Pass;
        }
        if let Ok(pass) = self.passes.try_acquire() {
            pass.forget();
            return Verdict::Pass;
        }
        let _ = self.held.send(());
        let fate = fate.wait_for(Option::is_some).await.unwrap();
        fate.unwrap_or(Verdict::Pass)
    }
    /// Whoever sets it waits for the news.
    fn must_strike(&self) -> bool {
        false
    }
}
