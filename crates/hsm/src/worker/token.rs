//! A token, opened: its library loaded, its slot found, logged in once, tested.

use super::aes::{self, BLOCK};
use super::hand::Hand;
use super::mechanisms::Mechanisms;
use super::opened::Opened;
use super::porter::Porter;
use super::quirks::Quirks;
use super::raw::Functions;
use super::rv::{Tried, Trouble, tolerated};
use super::seat::{Library, Seat};
use super::selftest::{self, Abilities, Found};
use super::settings::Settings;
use super::templates::Hardening;
use super::{slot, templates};
use crate::describe::Description;
use crate::error::HsmError;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType};
use cryptoki::session::UserType;
use cryptoki::slot::{Limit, TokenInfo};
use cryptoki::types::AuthPin;
use keystead_model::CipherAlgorithm;
use std::sync::{Arc, Mutex, PoisonError};

/// A token that is open, logged in and tested.
pub struct Token(Arc<Shared>);

/// What the sessions of a token share.
pub(super) struct Shared {
    pub(super) library: Arc<Library>,
    pub(super) description: Description,
    pub(super) abilities: Abilities,
    pub(super) opened: Opened,
    /// The pair under which the next wrapping key comes in.
    pub(super) transfer: Mutex<Option<Porter>>,
    pub(super) mechanisms: Mechanisms,
    pub(super) quirks: Quirks,
    /// None of a guest, where the token makes no AES keys: cards of one person seldom do.
    canary: Option<Vec<u8>>,
    /// Whether the token is its owner's, and none that serves a vault.
    pub(super) guest: bool,
    sessions: Mutex<Sessions>,
}

/// Sessions that no thread has now. None is closed before the token is: with it went the objects that were made in it,
/// and others work with them, too.
struct Sessions {
    /// Holds the login.
    _first: Seat,
    free: Vec<Seat>,
    /// Of threads that broke off in the middle of something.
    spoilt: Vec<Seat>,
}

/// As many sessions as a token gets if nothing is said.
const SESSIONS: u16 = 16;

impl Token {
    /// Opens the one token that the settings name. The library is loaded with the rights and the network of this
    /// process: give them up first.
    pub fn open(settings: &Settings) -> Result<Self, HsmError> {
        Self::open_known(settings, None)
    }

    /// The same; its self-test is left out if this is what it found before.
    pub(crate) fn open_known(settings: &Settings, found: Option<Found>) -> Result<Self, HsmError> {
        Self::open_with(settings, &Hardening::candidates(), found)
    }

    /// What the self-test found, for the next worker.
    pub(crate) fn found(&self) -> Found {
        Found::new(&self.0.description, &self.0.abilities)
    }

    /// What the attacks of the self-test get of a wrapping key that has none of its protections: a test of the attacks.
    #[doc(hidden)]
    pub fn open_unprotected(settings: &Settings) -> Result<Description, HsmError> {
        Self::open_with(settings, &[Hardening::NONE], None).map(|token| token.0.description.clone())
    }

    fn open_with(settings: &Settings, candidates: &[Hardening], found: Option<Found>) -> Result<Self, HsmError> {
        let context = slot::load(settings)?;
        let (slot, info) = slot::find(&context, settings)?;
        let told = |trouble: Trouble| trouble.told("what every token must");
        let functions = Functions::load(&settings.module).map_err(|error| told(error.into()))?;
        let library = Arc::new(Library { context, functions, slot });
        let seat = library.seat().map_err(told)?;
        log_in(&seat, &info, settings)?;
        Self::tested(settings, library, seat, &info, (candidates, found)).map_err(told)
    }

    fn tested(
        settings: &Settings,
        library: Arc<Library>,
        seat: Seat,
        info: &TokenInfo,
        (candidates, found): (&[Hardening], Option<Found>),
    ) -> Tried<Self> {
        let about = library.context.get_library_info()?;
        let mechanisms = Mechanisms::read(&library)?;
        let quirks = Quirks::of(&[info.manufacturer_id(), about.manufacturer_id()]);
        let firmware = info.firmware_version().to_string();
        let about = format!("{} {}", about.library_description(), about.library_version());
        let abilities = match found.filter(|found| found.is_of(info.serial_number(), &firmware, &about)) {
            Some(found) => selftest::known(&seat, &quirks, found)?,
            None => selftest::run(&seat, &mechanisms, &quirks, candidates)?,
        };
        let canary = canary(&seat, settings.guest)?;
        let description = Description {
            label: info.label().to_owned(),
            serial: info.serial_number().to_owned(),
            manufacturer: info.manufacturer_id().to_owned(),
            model: info.model().to_owned(),
            firmware,
            library: about,
            sessions: sessions(settings, info, &quirks),
            mechanisms: mechanisms.described(),
            quirks: quirks.names(),
            wrap: abilities.class,
            attacks: abilities.attacks.clone(),
            keys: abilities.keys.clone(),
            signs: abilities.signs.clone(),
            ciphers: abilities.ciphers.clone(),
        };
        let sessions = Mutex::new(Sessions { _first: seat, free: Vec::new(), spoilt: Vec::new() });
        let (opened, transfer) = (Opened::default(), Mutex::new(None));
        let guest = settings.guest;
        let shared =
            Shared { library, description, abilities, opened, transfer, mechanisms, quirks, canary, guest, sessions };
        Ok(Self(Arc::new(shared)))
    }

    /// What the token is and can.
    pub fn description(&self) -> &Description {
        &self.0.description
    }

    /// How many sessions suit it: each is worth a thread.
    pub fn sessions(&self) -> u16 {
        self.0.description.sessions
    }

    /// Another session, for a thread of its own.
    pub fn session(&self) -> Result<Hand, HsmError> {
        let free = self.0.sessions().free.pop();
        let seat = match free {
            Some(seat) => seat,
            None => self.0.library.seat().map_err(|trouble| trouble.told("another session"))?,
        };
        Ok(Hand::new(seat, Arc::clone(&self.0)))
    }
}

impl Shared {
    fn sessions(&self) -> std::sync::MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a session back.
    pub(super) fn give_back(&self, seat: Seat, spoilt: bool) {
        let mut sessions = self.sessions();
        let place = if spoilt { &mut sessions.spoilt } else { &mut sessions.free };
        place.push(seat);
    }

    /// Whether the token is there, is the one that was opened, and works: its canary encrypts and decrypts.
    pub(super) fn check(&self, seat: &Seat) -> Tried<()> {
        let down = |why: String| Trouble::Told(HsmError::Down { why });
        let Some(canary) = &self.canary else { return Ok(()) };
        let found = seat.find(&templates::this_canary(canary))?;
        let Some(canary) = found.first() else {
            return Err(down("its canary is gone: it was cleared or lost".to_owned()));
        };
        if !self.abilities.ciphers.iter().any(|(algorithm, _)| *algorithm == CipherAlgorithm::A128Cbc) {
            return Ok(());
        }
        let plain = [0x3c; BLOCK];
        let again = aes::cbc_encrypt(seat, *canary, [0; BLOCK], &plain)
            .and_then(|cipher| aes::cbc_decrypt(seat, *canary, [0; BLOCK], &cipher));
        match again {
            Ok(again) if again.as_slice() == plain => Ok(()),
            Ok(_) => Err(down("its canary does not decrypt to itself".to_owned())),
            Err(trouble) => Err(down(format!("its canary does not work: {}", trouble.name()))),
        }
    }
}

/// Once: tokens count wrong tries, and lock themselves.
fn log_in(seat: &Seat, info: &TokenInfo, settings: &Settings) -> Result<(), HsmError> {
    if info.user_pin_locked() {
        return Err(HsmError::PinRefused);
    }
    if info.user_pin_final_try() {
        let why = "its PIN has one try left, which is not for us: log in with the vendor's tool first".to_owned();
        return Err(HsmError::Setting { why });
    }
    let pin = AuthPin::new(settings.pin.as_str().into());
    match seat.session.login(UserType::User, Some(&pin)) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(error) => Err(Trouble::from(error).told("a login with a PIN")),
    }
}

/// The canary's id: one that was there, or of a new one.
fn canary(seat: &Seat, guest: bool) -> Tried<Option<Vec<u8>>> {
    for found in seat.find(&templates::ours(templates::CANARY))? {
        if let Some(Attribute::Id(id)) = seat.attribute(found, AttributeType::Id)? {
            return Ok(Some(id));
        }
    }
    let id = seat.random()?;
    let made = seat.generate(&Mechanism::AesKeyGen, &templates::canary(id, !guest));
    let made = if guest { tolerated(made)? } else { Some(made?) };
    Ok(made.map(|canary| {
        canary.keep();
        id.to_vec()
    }))
}

/// No more than the token has left besides the one with the login, and no more than suits it.
fn sessions(settings: &Settings, info: &TokenInfo, quirks: &Quirks) -> u16 {
    let wanted = settings.sessions.unwrap_or_else(|| quirks.sessions().unwrap_or(SESSIONS).min(SESSIONS));
    let used = info.rw_session_count().unwrap_or(0);
    let left = match info.max_rw_session_count() {
        Limit::Max(most) => u16::try_from(most.saturating_sub(used).saturating_sub(1)).unwrap_or(u16::MAX),
        Limit::Unavailable | Limit::Infinite => u16::MAX,
    };
    wanted.min(left).max(1)
}
