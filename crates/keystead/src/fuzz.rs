//! Entry points for fuzzing: each takes any bytes and must return. A binary has no way in from outside, so they are
//! built with its tests.

use crate::approval;
use crate::audit::prove;
use crate::key::{env_file, envelope, profile, words};
use crate::output::time;
use crate::pem;
use crate::vault::policy::FirstPolicy;
use crate::watch::traces::context::Parent;
use crate::{config, node_key, tls};
use keystead_engine::ClockNote;

/// The configuration of `serve`: one, or an error with a line of it.
fn configuration(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err((line, what)) = config::parse(&text) {
        assert!(line >= 1 && line <= text.matches('\n').count() + 1 && !what.is_empty());
    }
}

/// A policy file, and what the check says of it.
fn policy(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match FirstPolicy::parse(&text) {
        Ok(policy) => drop((policy.check(), policy.document())),
        Err((line, what)) => assert!(line >= 1 && line <= text.matches('\n').count() + 1 && !what.is_empty()),
    }
}

/// A custodian's key file.
fn key_file(data: &[u8]) {
    pem::fuzz(data);
}

/// A file with a proposal or a signature on one.
fn proposal_file(data: &[u8]) {
    approval::fuzz(data);
}

/// A file that `encrypt` or `wrap` wrote.
fn envelope_file(data: &[u8]) {
    drop(envelope::parse(data));
}

/// A file of settings: each of them, or a line of it.
fn settings(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(line) = env_file::parse(&text) {
        assert!(line >= 1 && line <= text.lines().count());
    }
}

/// A file of profiles.
fn profiles(data: &[u8]) {
    profile::fuzz(&String::from_utf8_lossy(data), "geheim");
}

/// The header `traceparent`.
fn traceparent(data: &[u8]) {
    if let Some(parent) = Parent::parse(&String::from_utf8_lossy(data)) {
        assert!(parent.trace != 0 && parent.span != 0);
    }
}

/// What the state directories hold beside the store and the journal.
fn state(data: &[u8]) {
    drop(node_key::parse(data));
    if let Ok(note) = ClockNote::parse(data) {
        assert_eq!(note.to_bytes(), data);
    }
    let text = String::from_utf8_lossy(data);
    if let Ok(validity) = text.parse::<tls::Validity>() {
        assert_eq!(validity.to_string(), text);
    }
}

/// Words of the command line: receipts, keys, digests, tags, operations, times.
fn word(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(receipt) = prove::receipt(&text) {
        assert_eq!(receipt.to_string(), text.trim());
    }
    let _ = (words::key_ref(&text), words::name(&text), words::digest(&text), words::base64(&text));
    let _ = (words::tag(&text), words::operation(&text), words::curve(&text));
    let _ = (words::sign_algorithm(&text), words::cipher_algorithm(&text));
    if let Ok(at) = time::parse(&text) {
        assert_eq!(time::parse(&time::seconds(at)), Ok(at));
    }
}

mod tests {
    use super::*;
    use crate::vault::policy::EXAMPLE as POLICY;
    use keystead_engine::{Doubt, Why};
    use keystead_model::Time;

    const CONFIGURATION: &str = include_str!("../../../docs/keystead.example.toml");
    const ENVELOPE: &str = r#"{"kid":"https://h:1/keys/a/0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","alg":"A256GCM","iv":"AwMD",
        "tag":"BAQE","aad":"AA","value":"AQI","receipt":"1.x"}"#;
    const SETTINGS: &str = "# of dev\nexport A='b c'\nB=\"d\"\n\nC=e";
    const RECEIPT: &str = "1.abababababababababababababababab.7.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const KID: &str = "https://h:1/keys/pay/0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

    /// xorshift64.
    struct Random(u64);

    impl Random {
        fn below(&mut self, n: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % n.max(1) as u64) as usize
        }

        /// A few bytes changed, put in, repeated or cut off.
        fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
            let mut data = seed.to_vec();
            for _ in 0..self.below(5) {
                let at = self.below(data.len());
                match self.below(5) {
                    0 | 1 if !data.is_empty() => data[at] = self.below(256) as u8,
                    2 => data.insert(at, b"\"'[]{}.=\n\0\\"[self.below(11)]),
                    3 => drop(data.splice(at..at, seed[at.min(seed.len())..].iter().take(40).copied())),
                    _ => data.truncate(at),
                }
            }
            data
        }
    }

    fn smoke(rounds: usize, seeds: &[&[u8]], target: fn(&[u8])) {
        let mut random = Random(0x6b65_7973_7465_6164);
        for round in 0..rounds {
            target(&random.mutate(seeds[round % seeds.len()]));
        }
    }

    #[test]
    fn no_configuration_panics() {
        // Every setting of the example that is only shown there is set here.
        let set = |line: &'static str| line.strip_prefix("# ").filter(|rest| is_setting(rest)).unwrap_or(line);
        let full = CONFIGURATION.lines().map(set).collect::<Vec<_>>().join("\n");
        assert!(["\nsyslog = ", "\notlp = ", "\nproxy = "].iter().all(|setting| full.contains(setting)), "{full}");
        assert_eq!(config::parse(&full).err(), None, "{full}");
        let syslog = ["unix:/dev/log", "tcp://h:601", "tls://[::1]:6514"]
            .map(|to| CONFIGURATION.replace("# syslog = \"tls://logs.example:6514\"", &format!("syslog = \"{to}\"")));
        let links = b"[node]\ndata=\"/proc/self/cwd\"\n[listen]\ntls=[\"[::1]:1\"]\ncertificate=\"\"\n\
            private_key=\"\"\n[custody]\nkey_file=\"../../../x/..\"\n";
        let [unix, tcp, tls] = syslog.each_ref().map(String::as_bytes);
        smoke(8_000, &[CONFIGURATION.as_bytes(), links, full.as_bytes(), unix, tcp, tls], configuration);
    }

    /// `name = value`, `[section]` or `[[section]]`, and no sentence.
    fn is_setting(text: &str) -> bool {
        let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        text.split_once(" = ").is_some_and(|(name, _)| word(name))
            || text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).is_some_and(word)
            || text.strip_prefix("[[").and_then(|t| t.strip_suffix("]]")).is_some_and(word)
    }

    #[test]
    fn no_policy_file_panics() {
        smoke(4_000, &[POLICY.as_bytes(), b"administrators = [{ issuer = \"i\", subject = \"s\" }]"], policy);
    }

    #[test]
    fn no_key_file_panics() {
        let old = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAQID\n-----END RSA PRIVATE KEY-----\n";
        let new = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAQID\nBAUG\n-----END ENCRYPTED PRIVATE KEY-----\n";
        smoke(8_000, &[old, new, b"-----BEGIN PRIVATE KEY-----"], key_file);
    }

    #[test]
    fn no_proposal_file_panics() {
        let signed = br#"{"version":1,"proposal":"00","verdict":"reject","key":"-----BEGIN","signature":"AAEC"}"#;
        smoke(4_000, &[include_bytes!("../tests/golden/proposal-v1.json"), signed], proposal_file);
    }

    #[test]
    fn no_envelope_panics() {
        smoke(8_000, &[ENVELOPE.as_bytes(), b"{}", b"[[[["], envelope_file);
    }

    #[test]
    fn no_file_of_settings_panics() {
        smoke(8_000, &[SETTINGS.as_bytes(), b"A='", b"export =\"$"], settings);
    }

    #[test]
    fn no_file_of_profiles_panics_or_gives_a_secret_away() {
        let good = b"[a]\nvault = \"https://a\"\nclient_id = \"1\"\nclient_secret = \"geheim\"\n\
            [b]\nvault = \"https://b\"\nca = \"/ca.pem\"\nclient_secret_env = \"S\"\nauthority = \"https://c\"\n";
        smoke(8_000, &[good, b"[a]\nclient_secret = [\"geheim\"]", b"a = \"geheim\"", b"[a.b]"], profiles);
    }

    #[test]
    fn no_traceparent_panics() {
        let good = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        smoke(16_000, &[good, b"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", b"---"], traceparent);
    }

    #[test]
    fn no_kept_state_panics() {
        let (id, why, said) = ([7; 16], Why::Start, Time(1));
        let note = ClockNote { seen: Time(2), doubt: Some(Doubt { id, why, said, expected: Some(said) }) };
        smoke(
            8_000,
            &[
                &[1; 49],
                &note.to_bytes(),
                b"1 5 -7 192.0.2.1,2001:db8::1",
                b"1 9223372036854775807 -9223372036854775808 ",
            ],
            state,
        );
    }

    #[test]
    fn no_word_of_the_command_line_panics() {
        let seeds =
            [RECEIPT, KID, "a=b=c", "wrapKey", "2027-01-31T12:00:00Z", "-9223372036854775808", "9999-12-31", "+/8="];
        smoke(16_000, &seeds.map(str::as_bytes), word);
    }
}
