//! Principals as GUIDs: what the Key Vault API has where we have an issuer and a subject or a group.
//!
//! A vault has one *directory*: the issuer whose GUIDs stand for themselves, those of subjects and those of groups. Who
//! names an issuer as the directory says that it gives each user, application and group a GUID of one space and lets
//! none of them choose: then one GUID is one of them, as in Entra ID. Everybody else is written as a UUID of version 8,
//! made of SHA-256(issuer | 00 | subject), of a group SHA-256(issuer | 01 | group). A UUID of that version is never read
//! as one of the directory's, so no GUID means two principals, and none can be chosen to be taken for another.

use crate::principal::Principal;
use keystead_model::Guid;

impl Principal {
    /// The derived id, whatever the directory.
    pub fn derived_id(&self) -> Guid {
        // A group is another principal than the subject of the same name.
        let between = u8::from(self.is_group());
        let digest = keystead_crypto::sha256(&[self.issuer().as_bytes(), &[between], self.subject().as_bytes()]);
        let mut first = [0; 16];
        first.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Guid::version_8(first)
    }

    /// Its GUID in a vault with this directory.
    pub fn id(&self, directory: &str) -> Guid {
        let own = self.own_id().filter(|_| self.issuer() == directory);
        own.unwrap_or_else(|| self.derived_id())
    }

    /// The GUID that it is where its issuer is the directory. Another spelling of one is another name.
    fn own_id(&self) -> Option<Guid> {
        let own = self.subject().parse::<Guid>().ok();
        own.filter(|id| !id.is_version_8() && id.to_string() == self.subject())
    }
}

/// The GUIDs of a caller and of its groups, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ids {
    in_directory: Vec<Guid>,
    elsewhere: Vec<Guid>,
}

impl Ids {
    /// All principals are of one issuer.
    pub(crate) fn of(principals: impl Iterator<Item = Principal>) -> Self {
        let ids = principals.map(|p| (p.own_id(), p.derived_id()));
        let (mut in_directory, mut elsewhere): (Vec<_>, Vec<_>) =
            ids.map(|(own, derived)| (own.unwrap_or(derived), derived)).unzip();
        in_directory.sort_unstable();
        elsewhere.sort_unstable();
        Self { in_directory, elsewhere }
    }

    /// Whether this is one of them where their issuer is the directory, or is not.
    pub(crate) fn contain(&self, id: Guid, of_directory: bool) -> bool {
        let ids = if of_directory { &self.in_directory } else { &self.elsewhere };
        ids.binary_search(&id).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DIRECTORY: &str = "https://login.example/t";
    const OID: &str = "6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11";

    #[test]
    fn a_guid_of_the_directory_stands_for_itself() {
        let principal = Principal::new(DIRECTORY, OID);
        assert_eq!(principal.id(DIRECTORY).to_string(), OID);
        assert_eq!(Principal::group(DIRECTORY, OID).id(DIRECTORY).to_string(), OID, "a group's, too: it is one space");
    }

    #[test]
    fn everybody_else_has_the_documented_digest() {
        // sha256("https://a\0s"), marked as version 8.
        let digest = keystead_crypto::sha256(&[b"https://a\0s"]);
        let id = Principal::new("https://a", "s").id(DIRECTORY);
        assert_eq!(id.as_bytes()[..6], digest[..6]);
        assert!(id.is_version_8());
        assert_eq!(id, Principal::new("https://a", "s").id("https://other"));
    }

    #[test]
    fn a_group_has_another_derived_id_than_the_subject_of_the_same_name() {
        for subject in ["s", OID] {
            let (group, namesake) = (Principal::group(DIRECTORY, subject), Principal::new(DIRECTORY, subject));
            assert_ne!(group.derived_id(), namesake.derived_id());
            for id in [group.derived_id(), group.id("https://other"), Principal::group(DIRECTORY, "s").id(DIRECTORY)] {
                assert!(id.is_version_8());
            }
        }
    }

    #[test]
    fn a_subject_of_the_directory_cannot_pass_for_a_derived_id() {
        let victim = Principal::new("https://a", "s").id(DIRECTORY);
        let forger = Principal::new(DIRECTORY, victim.to_string());
        assert_ne!(forger.id(DIRECTORY), victim);
        assert_ne!(Principal::group(DIRECTORY, victim.to_string()).id(DIRECTORY), victim);
        // Another spelling is another subject.
        let shouted = Principal::new(DIRECTORY, OID.to_uppercase());
        assert_ne!(shouted.id(DIRECTORY), Principal::new(DIRECTORY, OID).id(DIRECTORY));
    }

    proptest! {
        #[test]
        fn no_two_principals_have_one_id(
            a in ("[ab]", "[ab]{0,2}", any::<bool>()), b in ("[ab]", "[ab]{0,2}", any::<bool>()), directory in "[ab]"
        ) {
            let of = |(i, s, group): &(String, String, bool)| match group {
                true => Principal::group(i, s),
                false => Principal::new(i, s),
            };
            let (p, q) = (of(&a), of(&b));
            prop_assert_eq!(p.id(&directory) == q.id(&directory), p == q);
            let ids = Ids::of([p.clone(), q.clone()].into_iter());
            prop_assert!(ids.contain(p.id(&directory), p.issuer() == directory));
            prop_assert!(ids.contain(q.id(&directory), q.issuer() == directory));
        }
    }
}
