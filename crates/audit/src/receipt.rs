//! Receipts: who asked can later prove that the log holds the record of it.

use crate::tlog;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystead_model::OperationId;
use std::fmt;
use std::str::FromStr;

/// Proof that a record is on disk. Made only by the journal; not `Clone`, so one record backs one answer.
///
/// ```
/// fn answered(receipt: keystead_audit::Receipt) -> keystead_audit::Answer<u8, ()> {
///     keystead_audit::Answer::new(receipt, Ok(1))
/// }
/// ```
/// Nobody else can make one, and it cannot be spent twice:
/// ```compile_fail,E0624
/// fn forged(id: keystead_model::OperationId) -> keystead_audit::Answer<u8, ()> {
///     keystead_audit::Answer::new(keystead_audit::Receipt::new([0; 16], 0, [0; 32], id), Ok(1))
/// }
/// ```
/// ```compile_fail,E0382
/// fn twice(receipt: keystead_audit::Receipt) -> [keystead_audit::Answer<u8, ()>; 2] {
///     [keystead_audit::Answer::new(receipt, Ok(1)), keystead_audit::Answer::new(receipt, Ok(2))]
/// }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Receipt {
    text: ReceiptText,
    operation: OperationId,
}

impl Receipt {
    pub(crate) fn new(log: [u8; 16], index: u64, entry: [u8; 32], operation: OperationId) -> Self {
        Self { text: ReceiptText { log, index, leaf: tlog::leaf_hash(&entry) }, operation }
    }

    /// The operation that the record names, for the server's own log.
    pub const fn operation(&self) -> OperationId {
        self.operation
    }

    /// `1.<log id, 32 hex>.<index, decimal>.<leaf hash, base64url without padding>`.
    pub fn header(&self) -> String {
        self.text.to_string()
    }

    /// Its parts.
    pub fn text(&self) -> &ReceiptText {
        &self.text
    }
}

/// A receipt as its holder kept it: a claim to be proved against a checkpoint, not a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptText {
    /// First 16 bytes of SHA-256 of the log's origin.
    pub log: [u8; 16],
    /// Index of the record in that log, from 0.
    pub index: u64,
    /// RFC 6962 leaf hash of the record's entry.
    pub leaf: [u8; 32],
}

/// Text that is not a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a receipt is 1.<log id, 32 hex digits>.<index>.<leaf hash, base64url>")]
pub struct BadReceipt;

impl fmt::Display for ReceiptText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log = u128::from_be_bytes(self.log);
        write!(f, "1.{log:032x}.{}.{}", self.index, URL_SAFE_NO_PAD.encode(self.leaf))
    }
}

impl FromStr for ReceiptText {
    type Err = BadReceipt;

    fn from_str(text: &str) -> Result<Self, BadReceipt> {
        let mut parts = text.split('.');
        let (Some("1"), Some(log), Some(index), Some(leaf), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(BadReceipt);
        };
        let mut out = Self { log: [0; 16], index: index.parse().map_err(|_| BadReceipt)?, leaf: [0; 32] };
        hex::decode_to_slice(log, &mut out.log).map_err(|_| BadReceipt)?;
        let n = URL_SAFE_NO_PAD.decode_slice(leaf, &mut out.leaf).map_err(|_| BadReceipt)?;
        // One spelling only: what prints differently (upper case, +1, leading zeros) is not a receipt of ours.
        if n == out.leaf.len() && out.to_string() == text { Ok(out) } else { Err(BadReceipt) }
    }
}

/// A result that cannot be had without the receipt of its record.
///
/// ```
/// fn read(answer: keystead_audit::Answer<u8, ()>) -> Result<u8, ()> {
///     let (_receipt, result) = answer.into_parts();
///     result
/// }
/// ```
/// ```compile_fail,E0616
/// fn read(answer: keystead_audit::Answer<u8, ()>) -> Result<u8, ()> {
///     answer.result
/// }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Answer<T, E> {
    receipt: Receipt,
    result: Result<T, E>,
}

impl<T, E> Answer<T, E> {
    /// The receipt is spent on this result.
    pub fn new(receipt: Receipt, result: Result<T, E>) -> Self {
        Self { receipt, result }
    }

    /// Both, together.
    pub fn into_parts(self) -> (Receipt, Result<T, E>) {
        (self.receipt, self.result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_parses_as_it_prints() {
        let receipt = Receipt::new([0xab; 16], 1234, [7; 32], OperationId::from_bytes([1; 16]));
        let text: ReceiptText = receipt.header().parse().unwrap();
        assert_eq!(&text, receipt.text());
        assert_eq!((text.log, text.index, text.leaf), ([0xab; 16], 1234, tlog::leaf_hash(&[7; 32])));
        assert!(receipt.header().starts_with(&format!("1.{}.1234.", "ab".repeat(16))));
    }

    #[test]
    fn anything_else_is_refused() {
        let good = Receipt::new([0xab; 16], 7, [7; 32], OperationId::from_bytes([1; 16])).header();
        let cases = [
            String::new(),
            good.replacen('1', "2", 1),
            good.replace("ab", "AB"),
            good.replace(".7.", ".+7."),
            good.replace(".7.", ".07."),
            good.replace(".7.", ".-7."),
            good.replace(".7.", ".99999999999999999999."),
            format!("{good}."),
            format!("{good}="),
            format!("{good}A"),
            good[..good.len() - 1].to_owned(),
            good.replace("ab.", "."),
        ];
        for text in cases {
            assert_eq!(text.parse::<ReceiptText>(), Err(BadReceipt), "{text}");
        }
    }
}
