//! A custodian's or an approver's private key in a file, in PEM.

use crate::exit::Failure;
use crate::secret_file;
use keystead_crypto::CryptoError;
use keystead_crypto::{rsa, signature};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use zeroize::Zeroizing;

/// A key of the kind that is wanted.
pub(crate) trait FromPem: Sized {
    /// What it must be.
    const KIND: &str;
    fn pkcs8(der: &[u8]) -> Result<Self, CryptoError>;
    fn pkcs1(der: &[u8]) -> Result<Self, CryptoError>;
    fn encrypted(der: &[u8], passphrase: &[u8]) -> Result<Self, CryptoError>;
}

impl FromPem for rsa::PrivateKey {
    const KIND: &str = "an RSA key of 2048, 3072 or 4096 bits";

    fn pkcs8(der: &[u8]) -> Result<Self, CryptoError> {
        Self::from_pkcs8(der)
    }

    fn pkcs1(der: &[u8]) -> Result<Self, CryptoError> {
        Self::from_pkcs1(der)
    }

    fn encrypted(der: &[u8], passphrase: &[u8]) -> Result<Self, CryptoError> {
        Self::from_encrypted_pkcs8(der, passphrase)
    }
}

impl FromPem for signature::PrivateKey {
    const KIND: &str = "an Ed25519 or P-256 key";

    fn pkcs8(der: &[u8]) -> Result<Self, CryptoError> {
        Self::from_pkcs8(der)
    }

    fn pkcs1(_: &[u8]) -> Result<Self, CryptoError> {
        Err(CryptoError::BadKey)
    }

    fn encrypted(der: &[u8], passphrase: &[u8]) -> Result<Self, CryptoError> {
        Self::from_encrypted_pkcs8(der, passphrase)
    }
}

const ENVIRONMENT: &str = "KEYSTEAD_CUSTODIAN_PASSPHRASE";

/// The forms of a key, by the label of the PEM block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Pkcs8,
    Pkcs1,
    EncryptedPkcs8,
}

impl Form {
    const ALL: [Self; 3] = [Self::Pkcs8, Self::Pkcs1, Self::EncryptedPkcs8];

    const fn label(self) -> &'static str {
        match self {
            Self::Pkcs8 => "PRIVATE KEY",
            Self::Pkcs1 => "RSA PRIVATE KEY",
            Self::EncryptedPkcs8 => "ENCRYPTED PRIVATE KEY",
        }
    }
}

/// Why a text has no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BadPem {
    /// No whole block of a form that is known.
    None,
    /// Encrypted as OpenSSL did it before PKCS#8.
    Traditional,
    /// A block that is not base64 or has another end.
    Damaged,
}

/// Reads the key; asks for its passphrase where it needs one.
pub(crate) fn read<K: FromPem>(file: &Path, passphrase_file: Option<&Path>) -> Result<K, Failure> {
    let shown = file.display();
    let text = secret_file::read(file)?;
    let (form, der) = block(&text).map_err(|why| refused(file, why))?;
    let read = match form {
        Form::Pkcs8 => K::pkcs8(&der),
        Form::Pkcs1 => K::pkcs1(&der),
        Form::EncryptedPkcs8 => K::encrypted(&der, passphrase(file, passphrase_file)?.as_bytes()),
    };
    read.map_err(|e| match e {
        CryptoError::NotDecrypted => Failure::refused(format!(
            "{shown}: the passphrase does not open it, or it is encrypted in a way that is not known here \
             (PBES2 with AES-CBC and PBKDF2 over SHA-1 or SHA-256 is)"
        )),
        _ => Failure::usage(format!("{shown}: not {}", K::KIND)),
    })
}

fn passphrase(key: &Path, file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    if let Some(file) = file {
        let bytes = secret_file::read(file)?;
        let text = str::from_utf8(&bytes);
        let text = text.map_err(|_| Failure::usage(format!("{} is not UTF-8", file.display())))?;
        return Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()));
    }
    let set = std::env::var_os(ENVIRONMENT).and_then(|value| value.into_string().ok());
    set.map_or_else(|| ask(key), |value| Ok(Zeroizing::new(value)))
}

fn refused(file: &Path, why: BadPem) -> Failure {
    let shown = file.display();
    Failure::usage(match why {
        BadPem::None => format!("{shown} has no private key in PEM: `openssl pkcs8 -topk8` makes one of other formats"),
        BadPem::Traditional => {
            format!("{shown} is encrypted in OpenSSL's old way: `openssl pkcs8 -topk8 -in {shown}` makes a newer file")
        }
        BadPem::Damaged => format!("{shown} is damaged: its PEM block cannot be read"),
    })
}

/// The first private key in a text.
fn block(text: &[u8]) -> Result<(Form, Zeroizing<Vec<u8>>), BadPem> {
    let blocks = ::pem::parse_many(text).map_err(|why| match why {
        ::pem::PemError::NotUtf8(_) => BadPem::None,
        _ => BadPem::Damaged,
    })?;
    let form = |block: &::pem::Pem| Form::ALL.into_iter().find(|form| form.label() == block.tag());
    let (form, block) = blocks.into_iter().find_map(|block| Some((form(&block)?, block))).ok_or(BadPem::None)?;
    if block.headers().get("Proc-Type").is_some() {
        return Err(BadPem::Traditional);
    }
    Ok((form, Zeroizing::new(block.into_contents())))
}

/// Asks on the terminal, and does not show what is typed.
fn ask(key: &Path) -> Result<Zeroizing<String>, Failure> {
    let nobody = |_| {
        Failure::usage(format!(
            "{} is encrypted and there is no terminal to ask for its passphrase: give --passphrase-file, or set \
             {ENVIRONMENT}",
            key.display()
        ))
    };
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(nobody)?;
    let quiet = Quiet::new(terminal.try_clone().map_err(nobody)?);
    let _ = write!(terminal, "Passphrase of {}: ", key.display());
    let mut line = Zeroizing::new(String::with_capacity(1024));
    let read = BufReader::new(&terminal).read_line(&mut line);
    drop(quiet);
    let _ = writeln!(terminal);
    read.map_err(nobody)?;
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Quiet {
    terminal: File,
    before: Option<Termios>,
}

impl Quiet {
    fn new(terminal: File) -> Self {
        let before = tcgetattr(&terminal).ok();
        if let Some(mut quiet) = before.clone() {
            quiet.local_modes.remove(LocalModes::ECHO);
            let _ = tcsetattr(&terminal, OptionalActions::Flush, &quiet);
        }
        Self { terminal, before }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(&self.terminal, OptionalActions::Flush, before);
        }
    }
}

/// For fuzzing: a text with a key in it, or none.
#[cfg(test)]
pub(crate) fn fuzz(text: &[u8]) {
    drop(block(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(label: &str, body: &str) -> String {
        format!("Bag Attributes\n-----BEGIN {label}-----\r\n{body}\r\n-----END {label}-----\n")
    }

    #[test]
    fn the_first_key_in_a_file_is_read_by_its_label() {
        for form in Form::ALL {
            let (found, der) = block(pem(form.label(), "AQID\r\nBA==").as_bytes()).unwrap();
            assert_eq!((found, der.as_slice()), (form, &[1, 2, 3, 4][..]));
        }
        let both = pem("CERTIFICATE", "AAAA") + &pem("PRIVATE KEY", "AQID");
        assert_eq!(*block(both.as_bytes()).unwrap().1, [1, 2, 3]);
    }

    #[test]
    fn what_has_no_key_is_refused_by_name() {
        for (text, why) in [
            (String::new(), BadPem::None),
            (pem("EC PRIVATE KEY", "AQID"), BadPem::None),
            (pem("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAQID"), BadPem::Traditional),
            (pem("PRIVATE KEY", "AQID*"), BadPem::Damaged),
            ("-----BEGIN PRIVATE KEY-----\nAQID\n".to_owned(), BadPem::None),
        ] {
            assert_eq!(block(text.as_bytes()).err(), Some(why), "{text}");
        }
        assert_eq!(block(&[0xff]).err(), Some(BadPem::None));
    }
}
