//! Share the security domain among custodians.

use crate::birth::singleton;
use crate::commands::ask;
use crate::error::Refusal;
use crate::notes;
use crate::room::Room;
use crate::run::{Effect, Execute};
use crate::security_domain::{SecurityDomainError, is_here, secrets};
use crate::wraps;
use keystead_access::{Ask as _, Operation, Permit, Policy, Rule, Who};
use keystead_custody::{Certificate, make_domain};
use keystead_model::Target;
use keystead_store::{Changes, Kind};
use serde_json::json;

/// Makes the security domain's file: a new master key, shared among these custodians, of whom so many open it. Each
/// time it is another file of the same domain, and those made before open as ever.
pub struct DownloadSecurityDomain {
    /// Those who get a share, 3 to 10.
    pub custodians: Vec<Custodian>,
    /// How many of them open it, 2 or more.
    pub required: usize,
}
ask!(DownloadSecurityDomain, DownloadSecurityDomain, |c| Target::Vault);

/// A custodian, as clients describe one.
pub struct Custodian {
    /// His certificate, X.509 in DER.
    pub certificate: Vec<u8>,
    /// Modulus and exponent that stood beside it, big-endian: they must be the certificate's.
    pub public: Option<(Vec<u8>, Vec<u8>)>,
}

impl Execute for DownloadSecurityDomain {
    type Output = String;

    fn approval(&self, _: &Who, _: &Policy) -> Option<Operation> {
        let thumbprint = |of: &Custodian| hex::encode(keystead_crypto::sha256(&[&of.certificate]));
        let custodians: Vec<_> = self.custodians.iter().map(thumbprint).collect();
        let parameters = json!({ "custodians_sha256": custodians, "required": self.required });
        // Whoever opens it and has a copy of the store has every key that leaves with `export` and `backup`.
        Some(Operation::new(&[Rule::Export, Rule::Backup], Self::ACTION, &self.target(), &parameters))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<String>, Refusal> {
        is_here(room)?;
        let ask = permit.ask();
        let custodians: Vec<_> = ask.custodians.iter().zip(1..).map(certificate).collect::<Result<_, _>>()?;
        let secrets = secrets::opened(room).await?;
        let made = make_domain(&secrets, &custodians, ask.required).map_err(SecurityDomainError::Custodians)?;
        let file = made.file.to_json();
        let at = singleton(Kind::SecurityDomain);
        let row = wraps::clear(at, room.row_at(at).await?.as_ref(), file.clone().into_bytes());
        let thumbprints: Vec<_> = custodians.iter().map(Certificate::thumbprint).collect();
        let note = notes::shared(room.domain(), made.file.required, &thumbprints);
        Ok(Effect::change(file, Changes { puts: vec![row], ..Changes::default() }).note(note))
    }
}

fn certificate((of, at): (&Custodian, usize)) -> Result<Certificate, SecurityDomainError> {
    let certificate =
        Certificate::parse(&of.certificate).map_err(|why| SecurityDomainError::Certificate { at, why })?;
    let whole = |number: &[u8]| number.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
    let (n, e) = certificate.public();
    let same = |(given_n, given_e): &(Vec<u8>, Vec<u8>)| whole(given_n) == n && whole(given_e) == e;
    if of.public.as_ref().is_none_or(same) { Ok(certificate) } else { Err(SecurityDomainError::OtherKey { at }) }
}
