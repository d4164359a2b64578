//! Key material under another generation of the root. It is neither parsed nor used, and leaves this room sealed.

use crate::KeyError;
use keystead_crypto::sealed::{Binding, Sealer, generation_of};

/// Material that an earlier generation sealed, sealed at the same place by the sealer's own; none if it is so already.
pub fn turned(sealer: &Sealer, binding: &Binding, material: &[u8]) -> Result<Option<Vec<u8>>, KeyError> {
    if generation_of(material) == Some(sealer.generation()) {
        return Ok(None);
    }
    let plain = sealer.open(binding, b"", material).map_err(|_| KeyError::Damaged)?;
    Ok(Some(sealer.seal(binding, b"", &plain)))
}

/// Whether material opens by this sealer.
pub fn opens(sealer: &Sealer, binding: &Binding, material: &[u8]) -> Result<(), KeyError> {
    sealer.open(binding, b"", material).map(drop).map_err(|_| KeyError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_crypto::sealed::Usage;

    #[test]
    fn turned_material_opens_without_the_generation_before_and_only_at_its_place() {
        let place = Binding { vault: [1; 16], kind: 9, object: [2; 16], version: [3; 16], counter: 1 };
        let first = Sealer::new(&[1; 32], Usage::KeyMaterial, 1);
        let (second, both) = (Sealer::new(&[2; 32], Usage::KeyMaterial, 2), Sealer::after(first.clone(), &[2; 32], 2));
        let material = first.seal(&place, b"", b"secret");
        assert_eq!(turned(&second, &place, &material).err(), Some(KeyError::Damaged));
        let next = turned(&both, &place, &material).unwrap().unwrap();
        assert!(opens(&second, &place, &next).is_ok() && opens(&first, &place, &next).is_err());
        assert_eq!(turned(&both, &place, &next).unwrap(), None);
        assert!(opens(&second, &Binding { version: [4; 16], ..place }, &next).is_err());
    }
}
