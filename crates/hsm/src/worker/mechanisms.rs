//! The mechanisms that a token lists.

use super::rv::Tried;
use super::seat::Library;
use crate::describe::Mechanism;
use cryptoki::mechanism::MechanismType;
use cryptoki_sys::{
    CKF_DECRYPT, CKF_DERIVE, CKF_DIGEST, CKF_ENCRYPT, CKF_GENERATE, CKF_GENERATE_KEY_PAIR, CKF_HW, CKF_SIGN,
    CKF_UNWRAP, CKF_VERIFY, CKF_WRAP, CKM_AES_KEY_WRAP_KWP, CKM_AES_KEY_WRAP_PKCS7, CKM_RSA_AES_KEY_WRAP,
};

/// A mechanism with what it takes and does.
pub(super) struct Listed {
    pub(super) number: u64,
    pub(super) least: u64,
    pub(super) most: u64,
    pub(super) flags: u64,
}

/// All that the token lists.
pub(super) struct Mechanisms(Vec<Listed>);

impl Mechanisms {
    pub(super) fn read(library: &Library) -> Tried<Self> {
        let slot = library.slot.id();
        let numbers = library.functions.mechanisms(slot)?;
        let one = |number| {
            let info = library.functions.info(slot, number)?;
            Ok(Listed { number, least: info.least, most: info.most, flags: info.flags })
        };
        Ok(Self(numbers.into_iter().map(one).collect::<Tried<_>>()?))
    }

    /// Whether a mechanism is listed for all of these uses (CKF_).
    pub(super) fn can(&self, number: u64, uses: u64) -> bool {
        self.0.iter().any(|listed| listed.number == number && listed.flags & uses == uses)
    }

    /// The largest key that a mechanism takes, as the vendor counts.
    pub(super) fn most(&self, mechanism: MechanismType) -> Option<u64> {
        let number: u64 = mechanism.into();
        self.0.iter().find(|listed| listed.number == number).map(|listed| listed.most)
    }

    pub(super) fn described(&self) -> Vec<Mechanism> {
        self.0.iter().map(Listed::described).collect()
    }
}

impl Listed {
    fn described(&self) -> Mechanism {
        let uses = USES.iter().filter(|(flag, _)| self.flags & flag != 0).map(|(_, name)| (*name).to_owned());
        Mechanism { name: name(self.number), least: self.least, most: self.most, uses: uses.collect() }
    }
}

const USES: &[(u64, &str)] = &[
    (CKF_HW, "hardware"),
    (CKF_ENCRYPT, "encrypt"),
    (CKF_DECRYPT, "decrypt"),
    (CKF_DIGEST, "digest"),
    (CKF_SIGN, "sign"),
    (CKF_VERIFY, "verify"),
    (CKF_GENERATE, "generate"),
    (CKF_GENERATE_KEY_PAIR, "generate pair"),
    (CKF_WRAP, "wrap"),
    (CKF_UNWRAP, "unwrap"),
    (CKF_DERIVE, "derive"),
];

pub(super) fn name(number: u64) -> String {
    match number {
        CKM_AES_KEY_WRAP_KWP => "CKM_AES_KEY_WRAP_KWP".to_owned(),
        CKM_AES_KEY_WRAP_PKCS7 => "CKM_AES_KEY_WRAP_PKCS7".to_owned(),
        CKM_RSA_AES_KEY_WRAP => "CKM_RSA_AES_KEY_WRAP".to_owned(),
        _ => {
            let known = MechanismType::try_from(number).map(|mechanism| mechanism.to_string());
            known.ok().filter(|name| name.starts_with("CKM_")).unwrap_or_else(|| format!("0x{number:08X}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mechanisms_have_the_standards_names_or_their_numbers() {
        assert_eq!(name(1), "CKM_RSA_PKCS");
        assert_eq!(name(0x210b), "CKM_AES_KEY_WRAP_KWP");
        assert_eq!(name(0x8000_216f), "0x8000216F");
    }

    #[test]
    fn a_mechanism_can_only_what_it_is_listed_for() {
        let list = Mechanisms(vec![Listed { number: 1, least: 1024, most: 4096, flags: CKF_SIGN | CKF_HW }]);
        assert!(list.can(1, CKF_SIGN) && !list.can(1, CKF_SIGN | CKF_DECRYPT) && !list.can(2, 0));
        assert_eq!(list.described()[0].uses, ["hardware", "sign"]);
        assert_eq!(list.most(MechanismType::RSA_PKCS), Some(4096));
    }
}
