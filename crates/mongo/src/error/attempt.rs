//! What an error says of the attempt that failed: whether another one can succeed, what became of
//! this one, and what it is counted as.

use super::Error;

impl Error {
    /// True if the same call can succeed a moment later: the server was not there, was becoming or
    /// ceasing to be the primary, or had too much to do.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::ConnectionLost { .. } => true,
            Self::Refused { source, .. } | Self::WriteConcern { source, .. } => {
                source.is_transient()
            }
            _ => false,
        }
    }

    /// True if a write that failed so may have taken effect, or may still do so.
    pub(crate) fn leaves_outcome_unknown(&self) -> bool {
        match self {
            Self::TimedOut { .. } | Self::ConnectionLost { .. } | Self::WriteConcern { .. } => true,
            Self::Refused { source, .. } => source.interrupts(),
            _ => false,
        }
    }

    /// The command that failed for a reason that may pass.
    pub(crate) fn command(&self) -> Option<&'static str> {
        match self {
            Self::TimedOut { command, .. }
            | Self::ConnectionLost { command, .. }
            | Self::Refused { command, .. }
            | Self::WriteConcern { command, .. } => Some(command),
            _ => None,
        }
    }

    /// What a failed attempt is counted as.
    pub(crate) fn class(&self) -> String {
        match self {
            Self::TimedOut { .. } => "timeout".to_owned(),
            Self::Refused { source, .. } if source.name.is_empty() => source.code.to_string(),
            Self::Refused { source, .. } => source.name.clone(),
            Self::Unauthorized { .. } => "Unauthorized".to_owned(),
            _ => "transport".to_owned(),
        }
    }

    /// The server's code, where the server answered with an error.
    pub(crate) fn code(&self) -> Option<i32> {
        match self {
            Self::Refused { source, .. } => Some(source.code),
            _ => None,
        }
    }
}
