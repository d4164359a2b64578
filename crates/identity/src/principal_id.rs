//! Principals as GUIDs: what the Key Vault API has where we have an issuer and a subject.
//!
//! A vault has one *directory*: the issuer whose subjects are GUIDs that stand for themselves. Everybody else is
//! written as a UUID of version 8, made of SHA-256(issuer | 00 | subject). A UUID of that version is never read as a subject of
//! the directory, so no GUID means two principals, and none can be chosen to be taken for another.

use crate::principal::Principal;
use keystead_model::Guid;

/// What a principal's GUID leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A subject of the directory.
    Principal(Principal),
    /// Whoever has this derived id: it cannot be reversed.
    Derived(Guid),
}

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
        let own = self.subject().parse::<Guid>().ok();
        own.filter(|id| {
            !self.is_group() && self.issuer() == directory && !id.is_version_8() && id.to_string() == self.subject()
        })
        .unwrap_or_else(|| self.derived_id())
    }

    /// What a GUID means in a vault with this directory: the reverse of [`Self::id`], as far as there is one.
    pub fn named(id: Guid, directory: &str) -> Named {
        if id.is_version_8() { Named::Derived(id) } else { Named::Principal(Self::new(directory, id.to_string())) }
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
        assert_eq!(Principal::named(OID.parse().unwrap(), DIRECTORY), Named::Principal(principal));
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
    fn a_group_has_another_id_than_its_namesake_and_never_one_of_the_directory() {
        for subject in ["s", OID] {
            let (group, namesake) = (Principal::group(DIRECTORY, subject), Principal::new(DIRECTORY, subject));
            assert_ne!(group.id(DIRECTORY), namesake.id(DIRECTORY));
            assert_ne!(group.id(DIRECTORY), namesake.derived_id());
            assert!(group.id(DIRECTORY).is_version_8());
        }
    }

    #[test]
    fn a_subject_of_the_directory_cannot_pass_for_a_derived_id() {
        let victim = Principal::new("https://a", "s").id(DIRECTORY);
        let forger = Principal::new(DIRECTORY, victim.to_string());
        assert_ne!(forger.id(DIRECTORY), victim);
        assert_eq!(Principal::named(victim, DIRECTORY), Named::Derived(victim));
        // Another spelling is another subject.
        let shouted = Principal::new(DIRECTORY, OID.to_uppercase());
        assert_ne!(shouted.id(DIRECTORY), Principal::new(DIRECTORY, OID).id(DIRECTORY));
    }

    proptest! {
        #[test]
        fn an_id_leads_back_to_its_principal_and_to_no_other(
            a in ("[ab]", "[ab]{0,2}"), b in ("[ab]", "[ab]{0,2}"), directory in "[ab]"
        ) {
            let (p, q) = (Principal::new(&a.0, &a.1), Principal::new(&b.0, &b.1));
            prop_assert_eq!(p.id(&directory) == q.id(&directory), p == q);
            match Principal::named(p.id(&directory), &directory) {
                Named::Principal(found) => prop_assert_eq!(found, p),
                Named::Derived(id) => prop_assert_eq!(id, p.derived_id()),
            }
        }
    }
}
