//! What is said when the node's state changes: once, with what helps. The state itself is in the metrics.

use keystead_audit::journal::JournalState;

/// What was said last.
#[derive(Default)]
pub(crate) struct Said {
    journal: Option<JournalState>,
    publishing: Option<String>,
    held: bool,
}

impl Said {
    /// Says what is new about the journal.
    pub(crate) fn journal(&mut self, now: &JournalState, publishing: Option<&String>) {
        if self.journal.as_ref() != Some(now) {
            if let Some(text) = advice(now) {
                tracing::warn!("{text}");
            } else if self.journal.is_some() {
                tracing::info!("the audit journal is ready again");
            }
            self.journal = Some(now.clone());
        }
        if self.publishing.as_ref() != publishing {
            if let Some(error) = publishing {
                tracing::warn!(
                    "checkpoints cannot be published ({error}): look at the disk of the audit directory; records are \
                     kept, but receipts cannot be proven meanwhile"
                );
            }
            self.publishing = publishing.cloned();
        }
    }

    /// Says whether purges wait for the clock.
    pub(crate) fn held(&mut self, purges: usize) {
        let now = purges > 0;
        if now && !self.held {
            tracing::warn!(
                purges,
                "purges wait because the clock has stepped by more than an hour: set it right and start the server again"
            );
        }
        self.held = now;
    }
}

fn advice(state: &JournalState) -> Option<String> {
    match state {
        JournalState::Ready | JournalState::Closed => None,
        JournalState::Low => Some(
            "the audit journal is nearly full: make room on its disk or raise audit.max_bytes; at the limit every \
             operation is refused"
                .to_owned(),
        ),
        JournalState::Full => Some(
            "the audit journal is full and every operation is refused: make room on its disk or raise audit.max_bytes"
                .to_owned(),
        ),
        JournalState::Failed(why) => Some(format!(
            "the audit journal failed ({why}) and every operation is refused: look at its disk, then start the server \
             again"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_refuses_operations_comes_with_advice() {
        for state in [JournalState::Low, JournalState::Full, JournalState::Failed("disk".into())] {
            assert!(advice(&state).is_some_and(|text| text.contains(": ")), "{state:?}");
        }
        assert_eq!(advice(&JournalState::Ready), None);
    }
}
