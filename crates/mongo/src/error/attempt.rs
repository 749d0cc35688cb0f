//! What an error says about the failed attempt: whether a retry can succeed, what became of this
//! attempt, and how it is counted.

use super::Error;

impl Error {
    /// Whether the same call can succeed a moment later: the server was gone, was gaining or losing
    /// the primary role, or was overloaded.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::ConnectionLost { .. } => true,
            Self::Refused { source, .. } | Self::WriteConcern { source, .. } => {
                source.is_transient()
            }
            _ => false,
        }
    }

    /// Whether a write that failed like this may have taken effect, or still may.
    pub(crate) fn leaves_outcome_unknown(&self) -> bool {
        match self {
            Self::TimedOut { .. } | Self::ConnectionLost { .. } | Self::WriteConcern { .. } => true,
            Self::Refused { source, .. } => source.interrupts(),
            _ => false,
        }
    }

    /// The command that failed for a possibly transient reason.
    pub(crate) fn command(&self) -> Option<&'static str> {
        match self {
            Self::TimedOut { command, .. }
            | Self::ConnectionLost { command, .. }
            | Self::Refused { command, .. }
            | Self::WriteConcern { command, .. } => Some(command),
            _ => None,
        }
    }

    /// The class under which a failed attempt is counted.
    pub(crate) fn class(&self) -> String {
        match self {
            Self::TimedOut { .. } => "timeout".to_owned(),
            Self::Refused { source, .. } if source.name.is_empty() => source.code.to_string(),
            Self::Refused { source, .. } => source.name.clone(),
            Self::Unauthorized { .. } => "Unauthorized".to_owned(),
            _ => "transport".to_owned(),
        }
    }

    /// The server's error code, if the server answered with an error.
    pub(crate) fn code(&self) -> Option<i32> {
        match self {
            Self::Refused { source, .. } => Some(source.code),
            _ => None,
        }
    }
}
