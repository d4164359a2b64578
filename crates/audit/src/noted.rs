//! What a record says in words. Whoever acts chooses some of them, so they must not push out what proves something:
//! facts stand first and whole, and what does not fit behind them is cut where everybody sees it.

use keystead_crypto::sha256;

/// What a record of done work says besides: facts, and then what somebody chose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Note {
    facts: String,
    said: String,
}

/// A note's facts are longer than a record has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the facts of a note have at most {} bytes", Note::FACTS)]
pub struct TooManyFacts;

impl Note {
    /// Most bytes of a note as it stands in a record.
    pub const MAX: usize = 2048;
    /// Most bytes of its facts: behind them there is room for the mark of a cut.
    pub const FACTS: usize = Self::MAX - MARK - SEPARATOR.len();

    /// Facts alone: each of bounded length, none of which is cut.
    pub fn facts(facts: String) -> Self {
        Self { facts, said: String::new() }
    }

    /// What somebody chose, or what is only explained: it may be cut.
    pub fn said(said: String) -> Self {
        Self { facts: String::new(), said }
    }

    /// With this behind the facts.
    pub fn and_said(self, said: &str) -> Self {
        Self { said: joined(&self.said, said), ..self }
    }

    /// Behind what another one says: its facts before these, and what it says before this.
    pub fn behind(self, first: &Self) -> Self {
        Self { facts: joined(&first.facts, &self.facts), said: joined(&first.said, &self.said) }
    }

    /// Refuses one whose facts a record has no room for.
    pub fn checked(self) -> Result<Self, TooManyFacts> {
        if self.facts.len() <= Self::FACTS { Ok(self) } else { Err(TooManyFacts) }
    }

    /// As it stands in the record.
    pub fn to_text(&self) -> String {
        match (self.facts.is_empty(), self.said.is_empty()) {
            (false, false) => {
                let room = Self::MAX.saturating_sub(self.facts.len()).saturating_sub(SEPARATOR.len());
                // Those that were not checked are cut as well, for all to see.
                cut(&joined(&self.facts, &cut(&self.said, room)), Self::MAX)
            }
            (false, true) => cut(&self.facts, Self::MAX),
            (true, _) => cut(&self.said, Self::MAX),
        }
    }
}

const SEPARATOR: &str = "; ";
/// Bytes of what [`cut`] puts in the place of what it takes away.
const MARK: usize = "… cut, SHA-256 of it all: ".len() + 64;

fn joined(first: &str, then: &str) -> String {
    match (first, then) {
        ("", one) | (one, "") => one.to_owned(),
        (first, then) => format!("{first}{SEPARATOR}{then}"),
    }
}

/// A text as it is, if it fits; else its longest start in whole characters with a mark that it was cut, and its digest,
/// so that nobody can say later that it was another. Nothing has no room for the mark.
pub(crate) fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let most = bytes.saturating_sub(MARK);
    let end = (0..=most).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    let (start, digest) = (text.get(..end).unwrap_or_default(), hex::encode(sha256(&[text.as_bytes()])));
    format!("{start}… cut, SHA-256 of it all: {digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stays_and_what_is_cut_says_so_and_which_text_it_was() {
        let digest = |text: &str| hex::encode(sha256(&[text.as_bytes()]));
        assert_eq!((cut("aé", 3), cut("", 9)), ("aé".to_owned(), String::new()));
        for (text, bytes) in [("é".repeat(300), 256), ("é".repeat(300), 257), ("a".repeat(513), 512)] {
            let short = cut(&text, bytes);
            assert!(short.len() <= bytes && short.len() + 1 >= bytes, "{short}");
            let start = short.strip_suffix(&format!("… cut, SHA-256 of it all: {}", digest(&text))).unwrap();
            assert!(text.starts_with(start) && start.len() + MARK + 1 >= bytes);
        }
    }

    #[test]
    fn however_much_is_said_the_facts_stand_whole_before_it() {
        let facts = "f".repeat(Note::FACTS);
        for said in [0, 1, MARK - 1, MARK, MARK + 1, 100_000].map(|n| "é".repeat(n)) {
            for facts in ["", "three facts", facts.as_str()] {
                let text = Note::facts(facts.to_owned()).and_said(&said).checked().unwrap().to_text();
                assert!(text.starts_with(facts) && text.len() <= Note::MAX, "{} {}", facts.len(), said.len());
                let whole = text.ends_with(&said);
                assert_eq!(!whole, text.contains("… cut"), "{} {}", facts.len(), said.len());
            }
        }
    }

    #[test]
    fn more_facts_than_a_record_has_room_for_are_refused_or_else_seen_to_be_cut() {
        let long = Note::facts("f".repeat(Note::FACTS + 1));
        assert_eq!(long.clone().checked(), Err(TooManyFacts));
        let behind = Note::facts("f".repeat(Note::FACTS)).behind(&Note::facts("a".to_owned()));
        assert_eq!(behind.clone().checked(), Err(TooManyFacts));
        let longer = Note::facts("f".repeat(Note::MAX + 1)).and_said("x");
        for note in [longer.clone(), Note { said: String::new(), ..longer }] {
            assert!(note.to_text().contains("… cut") && note.to_text().len() <= Note::MAX);
        }
    }

    #[test]
    fn facts_of_both_stand_before_what_either_says() {
        let own = Note::facts("own".to_owned()).and_said("chosen");
        let both = own.clone().behind(&Note::facts("approved".to_owned()));
        assert_eq!((own.to_text(), both.to_text()), ("own; chosen".into(), "approved; own; chosen".into()));
        let said = Note::said("a".to_owned()).behind(&Note::default());
        assert_eq!((said.to_text(), Note::default().to_text()), ("a".to_owned(), String::new()));
    }
}
