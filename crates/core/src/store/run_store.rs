//! The store of one run: everything it writes carries the run's token.

use std::ops::Deref;

use super::{EndpointCapabilities, Store, WriteToken};
use crate::settings::ObjectSettings;

/// A [`Store`] that writes for one run.
#[derive(Debug, Clone)]
pub struct RunStore {
    store: Store,
    token: WriteToken,
}

impl Store {
    /// The same store, writing objects that carry this token.
    pub(crate) fn writing_as(self, token: WriteToken) -> RunStore {
        RunStore { store: self, token }
    }
}

impl RunStore {
    /// The token that marks every object of the run.
    pub fn token(&self) -> &WriteToken {
        &self.token
    }

    /// The same store, relying only on what the endpoint can do.
    #[must_use]
    pub(crate) fn on(mut self, endpoint: EndpointCapabilities) -> Self {
        self.store = self.store.on(endpoint);
        self
    }

    /// The same store, creating objects as `objects` says.
    #[must_use]
    pub fn creating(mut self, objects: ObjectSettings) -> Self {
        self.store = self.store.creating(objects);
        self
    }
}

impl Deref for RunStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}
