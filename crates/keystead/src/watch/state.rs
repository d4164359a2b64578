//! What is said when the node's state changes: once, with what helps. The state itself is in the metrics.

use crate::policy::clock::why;
use keystead_audit::journal::JournalState;
use keystead_engine::Doubt;

/// What was said last.
#[derive(Default)]
pub(crate) struct Said {
    journal: Option<JournalState>,
    publishing: Option<String>,
    /// The newest doubt, and whether any vault waited because of it.
    clock: Option<([u8; 16], bool)>,
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

    /// Says that the clock is doubted, once for each doubt, and when no vault waits for it any more.
    pub(crate) fn clock(&mut self, doubt: Option<&Doubt>, waiting: usize) {
        let now = doubt.map(|doubt| (doubt.id, waiting > 0));
        if self.clock == now {
            return;
        }
        let known = self.clock.is_some_and(|(id, waited)| now.is_some_and(|(new, _)| id == new) && waited);
        match doubt {
            Some(doubt) if waiting > 0 && !known => tracing::warn!(vaults = waiting, "{}", doubted(doubt)),
            Some(_) if waiting == 0 && known => {
                tracing::info!("the clock is confirmed in every open vault: purges at the end of a retention go on");
            }
            _ => {}
        }
        self.clock = now;
    }
}

/// Why the clock is doubted, what waits, and what helps.
pub(crate) fn doubted(doubt: &Doubt) -> String {
    let why = why(doubt.why.name(), doubt.said.0, doubt.expected.map(|t| t.0));
    format!(
        "the clock is doubted: {why}. Purges at the end of a retention and the sweep of HSMs wait, all else goes \
         on. If the clock is wrong, set it right; then an administrator of each vault confirms it: `keystead clock show`"
    )
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
    fn a_doubted_clock_is_said_with_its_remedy() {
        let doubt = Doubt {
            id: [1; 16],
            why: keystead_engine::Why::Start,
            said: keystead_model::Time(86_400_000),
            expected: Some(keystead_model::Time(0)),
        };
        let text = doubted(&doubt);
        assert!(
            text.contains("1970-01-02") && text.contains("1970-01-01") && text.contains("keystead clock"),
            "{text}"
        );
    }

    #[test]
    fn whatever_refuses_operations_comes_with_advice() {
        for state in [JournalState::Low, JournalState::Full, JournalState::Failed("disk".into())] {
            assert!(advice(&state).is_some_and(|text| text.contains(": ")), "{state:?}");
        }
        assert_eq!(advice(&JournalState::Ready), None);
    }
}
