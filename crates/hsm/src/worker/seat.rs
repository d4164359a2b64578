//! One session with the token, and the functions to use it.

use super::raw::{Functions, Template, Way};
use super::rv::{Tried, Trouble};
use cryptoki::context::Pkcs11;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::Slot;
use std::sync::Arc;

/// A library that is loaded and initialised, and the slot of the token.
pub(super) struct Library {
    pub(super) context: Pkcs11,
    pub(super) functions: Functions,
    pub(super) slot: Slot,
}

/// A session. Every object handle that goes in came out of the same token.
pub(super) struct Seat {
    pub(super) library: Arc<Library>,
    pub(super) session: Session,
}

impl Library {
    /// A session that may make objects.
    pub(super) fn seat(self: &Arc<Self>) -> Tried<Seat> {
        Ok(Seat { library: Arc::clone(self), session: self.context.open_rw_session(self.slot)? })
    }
}

impl Seat {
    pub(super) fn find(&self, template: &[Attribute]) -> Tried<Vec<ObjectHandle>> {
        Ok(self.session.find_objects(template)?)
    }

    pub(super) fn wrap(&self, mechanism: u64, wrapping: ObjectHandle, key: ObjectHandle) -> Tried<Vec<u8>> {
        Ok(self.library.functions.wrap(&self.session, Way::Number(mechanism), wrapping, key)?)
    }

    pub(super) fn unwrap(&self, way: Way<'_>, by: ObjectHandle, blob: &[u8], to: Template<'_>) -> Tried<Passing<'_>> {
        Ok(self.passing(self.library.functions.unwrap(&self.session, way, by, blob, to)?))
    }

    /// Makes an object of these attributes.
    pub(super) fn create(&self, template: &[Attribute]) -> Tried<Passing<'_>> {
        Ok(self.passing(self.session.create_object(template)?))
    }

    /// Makes a secret key.
    pub(super) fn generate(&self, mechanism: &Mechanism<'_>, template: &[Attribute]) -> Tried<Passing<'_>> {
        Ok(self.passing(self.session.generate_key(mechanism, template)?))
    }

    /// Makes a key pair: public, private.
    pub(super) fn pair(
        &self,
        mechanism: &Mechanism<'_>,
        public: &[Attribute],
        private: &[Attribute],
    ) -> Tried<(Passing<'_>, Passing<'_>)> {
        let (public, private) = self.session.generate_key_pair(mechanism, public, private)?;
        Ok((self.passing(public), self.passing(private)))
    }

    /// Copies an object, with other attributes.
    pub(super) fn copy(&self, object: ObjectHandle, to: Template<'_>) -> Tried<Passing<'_>> {
        Ok(self.passing(self.library.functions.copy(&self.session, object, to)?))
    }

    /// Derives a secret.
    pub(super) fn derived(&self, how: &Mechanism<'_>, from: ObjectHandle, to: &[Attribute]) -> Tried<Passing<'_>> {
        Ok(self.passing(self.session.derive_key(how, from, to)?))
    }

    /// An attribute's value, if the object has it and shows it.
    pub(super) fn attribute(&self, object: ObjectHandle, wanted: AttributeType) -> Tried<Option<Attribute>> {
        Ok(self.session.get_attributes(object, &[wanted])?.into_iter().next())
    }

    /// Random bytes of the token.
    pub(super) fn random<const N: usize>(&self) -> Tried<[u8; N]> {
        let mut bytes = [0; N];
        self.session.generate_random_slice(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn random_vec(&self, count: u8) -> Tried<Vec<u8>> {
        Ok(self.session.generate_random_vec(u32::from(count))?)
    }

    fn passing(&self, handle: ObjectHandle) -> Passing<'_> {
        Passing { seat: self, handle, kept: false }
    }
}

/// An object that is destroyed when this goes out of scope, unless it is kept.
pub(super) struct Passing<'a> {
    seat: &'a Seat,
    pub(super) handle: ObjectHandle,
    kept: bool,
}

impl Passing<'_> {
    /// The object stays in the token.
    pub(super) fn keep(mut self) -> ObjectHandle {
        self.kept = true;
        self.handle
    }

    /// Destroys it, where it matters that it is gone.
    pub(super) fn destroy(mut self) -> Tried<()> {
        self.kept = true;
        self.seat.session.destroy_object(self.handle).map_err(Trouble::from)
    }
}

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = self.seat.session.destroy_object(self.handle)
        {
            tracing::warn!(error = Trouble::from(error).name(), "an object in the token was not destroyed");
        }
    }
}
