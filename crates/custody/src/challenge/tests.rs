use super::*;
use crate::shares::{Quorum, Share, split};
use proptest::prelude::*;

const NOW: Time = Time(1_000);
const EXPIRES: Time = Time(2_000);

fn share() -> Share {
    split(&[1; 32], Quorum::new(2, 3).unwrap()).remove(1)
}

fn asked(key: &SingleUseKey) -> SignedChallenge {
    asked_for(key, Purpose::Unseal)
}

fn asked_for(key: &SingleUseKey, purpose: Purpose) -> SignedChallenge {
    let node = SigningKey::from_seed(&[7; 32]);
    let challenge = Challenge {
        vault: VaultId::from_bytes([1; 16]),
        domain: DomainPublic::from_bytes([2; 32]),
        single_use: key.public(),
        node: NodeIdentity { id: NodeId::from_bytes([3; 16]), key: node.public() },
        expires: EXPIRES,
        purpose,
    };
    challenge.sign(&node)
}

#[test]
fn a_share_reaches_the_challenge_it_answers() {
    let (key, share) = (SingleUseKey::generate(), share());
    let asked = asked(&key);
    let read = SignedChallenge::parse_text(&format!("  {}\n", asked.to_text())).unwrap();
    assert_eq!(read, asked);
    let answer = Answer::seal(&read, &share, NOW).unwrap();
    let answer = Answer::parse_text(&answer.to_text()).unwrap();
    assert_eq!(answer.challenge(), &sha256(&[asked.as_bytes()]));
    assert_eq!(answer.open(&asked, &key, NOW).unwrap().digest(), share.digest());
}

#[test]
fn an_answer_opens_to_its_own_challenge_only() {
    let (key, share) = (SingleUseKey::generate(), share());
    let asked = asked(&key);
    let answer = Answer::seal(&asked, &share, NOW).unwrap();
    let other_key = SingleUseKey::generate();
    let refused = |to: &SignedChallenge, key: &SingleUseKey| answer.open(to, key, NOW).err();
    assert_eq!(refused(&self::asked(&other_key), &other_key), Some(BadChallenge::OtherChallenge));
    assert_eq!(refused(&asked, &other_key), Some(BadChallenge::NotOpened));
    // The same key asked again, of another vault, by the same node.
    let elsewhere = Challenge { vault: VaultId::from_bytes([9; 16]), ..asked.challenge().clone() };
    let elsewhere = elsewhere.sign(&SigningKey::from_seed(&[7; 32]));
    assert_eq!(refused(&elsewhere, &key), Some(BadChallenge::OtherChallenge));
    let moved = Answer { challenge: elsewhere.digest(), ..answer.clone() };
    assert_eq!(moved.open(&elsewhere, &key, NOW).err(), Some(BadChallenge::NotOpened));
}

fn purposes() -> Vec<Purpose> {
    let who = |subject: &str, secret| {
        Purpose::Appoint(Appointee { issuer: "https://login.example".to_owned(), subject: subject.to_owned(), secret })
    };
    vec![
        Purpose::Unseal,
        Purpose::Replace { activation: [1; 32] },
        Purpose::Replace { activation: [2; 32] },
        who("ada", None),
        who("bea", None),
        who("ada", Some([3; 32])),
        Purpose::Enrol { token: "one".to_owned() },
        Purpose::Enrol { token: "two".to_owned() },
    ]
}

#[test]
fn an_answer_to_one_purpose_is_worth_nothing_for_another() {
    let (key, share) = (SingleUseKey::generate(), share());
    for (at, purpose) in purposes().into_iter().enumerate() {
        let asked = asked_for(&key, purpose.clone());
        let read = SignedChallenge::parse_text(&asked.to_text()).unwrap();
        assert_eq!(read.challenge().purpose, purpose);
        let answer = Answer::seal(&read, &share, NOW).unwrap();
        for (other, purpose) in purposes().into_iter().enumerate() {
            // The same node, key, vault and time: the purpose alone differs.
            let to = asked_for(&key, purpose);
            assert_eq!(answer.open(&to, &key, NOW).is_ok(), at == other);
            let moved = Answer { challenge: to.digest(), ..answer.clone() };
            assert_eq!(moved.open(&to, &key, NOW).is_ok(), at == other);
        }
    }
}

#[test]
fn a_purpose_that_cannot_be_is_no_challenge() {
    let key = SingleUseKey::generate();
    let long = "x".repeat(Appointee::MAX + 1);
    for subject in ["", "a\nb", &long] {
        let who = Appointee { issuer: "https://login.example".to_owned(), subject: subject.to_owned(), secret: None };
        for purpose in [Purpose::Appoint(who), Purpose::Enrol { token: subject.to_owned() }] {
            let asked = asked_for(&key, purpose);
            assert_eq!(SignedChallenge::parse(asked.as_bytes()), Err(BadChallenge::Purpose));
        }
    }
    let longest = "x".repeat(Appointee::MAX);
    let who = Appointee { issuer: longest.clone(), subject: longest, secret: Some([1; 32]) };
    let asked = asked_for(&key, Purpose::Appoint(who));
    assert!(asked.to_text().len() <= MAX_TEXT);
    assert!(SignedChallenge::parse_text(&asked.to_text()).is_ok());
}

#[test]
fn an_expired_challenge_is_neither_answered_nor_believed() {
    let (key, share) = (SingleUseKey::generate(), share());
    let asked = asked(&key);
    let last = Time(EXPIRES.0 - 1);
    let answer = Answer::seal(&asked, &share, last).unwrap();
    assert!(answer.open(&asked, &key, last).is_ok());
    for late in [EXPIRES, Time(i64::MAX)] {
        assert_eq!(Answer::seal(&asked, &share, late), Err(BadChallenge::Expired));
        assert_eq!(answer.open(&asked, &key, late).err(), Some(BadChallenge::Expired));
    }
}

#[test]
fn what_no_node_signed_is_refused() {
    let asked = asked(&SingleUseKey::generate());
    let other = asked.challenge().sign(&SigningKey::from_seed(&[8; 32]));
    assert_eq!(SignedChallenge::parse(other.as_bytes()), Err(BadChallenge::Signature));
    let small_order =
        Challenge { single_use: [0; 32], ..asked.challenge().clone() }.sign(&SigningKey::from_seed(&[7; 32]));
    assert_eq!(Answer::seal(&small_order, &share(), NOW), Err(BadChallenge::BadKey));
    let mut later = asked.as_bytes().to_vec();
    later[0] = 2;
    assert_eq!(SignedChallenge::parse(&later), Err(BadChallenge::Version));
    assert_eq!(Answer::parse(&[2; 145]), Err(BadChallenge::Version));
    for text in ["", "keystead-challenge", "keystead-challenge.", "keystead-answer.AQ", "keystead-challenge.A+"] {
        assert!(SignedChallenge::parse_text(text).is_err() && Answer::parse_text(text).is_err(), "{text}");
    }
    assert_eq!(Answer::parse_text(&asked.to_text()), Err(BadChallenge::NotOne));
    assert_eq!(SignedChallenge::parse_text(&to_text(CHALLENGE_WORD, &[1; MAX_TEXT])), Err(BadChallenge::NotOne));
}

#[test]
fn the_golden_answers_open_to_the_golden_challenges() {
    let private = Zeroizing::new([0x77; 32]);
    let key = SingleUseKey { public: hpke::public_of(&private).unwrap(), private };
    let record =
        crate::activation::ActivationRecord::parse(include_bytes!("../../tests/golden/activation.json")).unwrap();
    let (issuer, subject) = ("https://login.example".to_owned(), "ada".to_owned());
    let (unseal, replace) = (Purpose::Unseal, Purpose::Replace { activation: record.digest() });
    let appoint = Purpose::Appoint(Appointee { issuer, subject, secret: Some([0x88; 32]) });
    macro_rules! golden {
        ($of:literal) => {
            include_str!(concat!("../../tests/golden/", $of, ".txt"))
        };
    }
    for (asked, answer, purpose) in [
        (golden!("challenge"), golden!("answer"), unseal),
        (golden!("challenge-replace"), golden!("answer-replace"), replace),
        (golden!("challenge-appoint"), golden!("answer-appoint"), appoint),
        (golden!("challenge-enrol"), golden!("answer-enrol"), Purpose::Enrol { token: "luna-2".to_owned() }),
    ] {
        let asked = SignedChallenge::parse_text(asked).unwrap();
        assert_eq!((asked.challenge().single_use, &asked.challenge().purpose), (key.public(), &purpose));
        let share = Answer::parse_text(answer).unwrap().open(&asked, &key, NOW).unwrap();
        assert_eq!((share.number(), share.digest()), (3, record.custodians[2].share));
    }
}

proptest! {
    #[test]
    fn any_change_of_a_challenge_or_an_answer_is_seen(
        at: prop::sample::Index,
        bit in 0u8..8,
        length: prop::sample::Index,
    ) {
        let key = SingleUseKey::generate();
        let asked = asked(&key);
        let flipped = |bytes: &[u8]| {
            let mut changed = bytes.to_vec();
            changed[at.index(bytes.len())] ^= 1 << bit;
            changed
        };
        prop_assert!(SignedChallenge::parse(&flipped(asked.as_bytes())).is_err());
        prop_assert!(SignedChallenge::parse(&asked.as_bytes()[..length.index(asked.as_bytes().len())]).is_err());
        let answer = Answer::seal(&asked, &share(), NOW).unwrap().to_bytes();
        let opened = Answer::parse(&flipped(&answer)).and_then(|answer| answer.open(&asked, &key, NOW));
        prop_assert!(opened.is_err());
        prop_assert!(Answer::parse(&answer[..length.index(answer.len())]).is_err());
    }
}
