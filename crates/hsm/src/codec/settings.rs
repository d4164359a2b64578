//! The settings of a token, with its PIN, as CBOR: they travel on the socket, so nothing secret is in the worker's
//! arguments or environment.

use crate::worker::{Select, Settings};
use minicbor::decode::{Decoder, Error as Bad};
use minicbor::encode::{Encoder, Error as Unwritten, Write};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use zeroize::Zeroizing;

const LABEL: u8 = 0;
const SERIAL: u8 = 1;
const ONLY: u8 = 2;

pub(crate) fn encode<C, W: Write>(v: &Settings, e: &mut Encoder<W>, _: &mut C) -> Result<(), Unwritten<W::Error>> {
    let (kind, which) = match &v.select {
        Select::Label(label) => (LABEL, label.as_str()),
        Select::Serial(serial) => (SERIAL, serial.as_str()),
        Select::Only => (ONLY, ""),
    };
    e.array(6)?
        .bytes(v.module.as_os_str().as_bytes())?
        .u8(kind)?
        .str(which)?
        .str(&v.pin)?
        .encode(v.sessions)?
        .bool(v.guest)?
        .ok()
}

pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Settings, Bad> {
    if d.array()? != Some(6) {
        return Err(Bad::message("six settings"));
    }
    let module = OsString::from_vec(d.bytes()?.to_vec()).into();
    let select = match (d.u8()?, d.str()?.to_owned()) {
        (LABEL, label) => Select::Label(label),
        (SERIAL, serial) => Select::Serial(serial),
        (ONLY, _) => Select::Only,
        _ => return Err(Bad::message("unknown way to select a token")),
    };
    let pin = Zeroizing::new(d.str()?.to_owned());
    Ok(Settings { module, select, pin, sessions: d.decode()?, guest: d.bool()? })
}
