//! Entry points for fuzzing: every parser of this crate outside [`crate::tlog`] and [`crate::verify`]. None may panic.

use crate::draft::Detail;
use crate::journal::TurnedAway;
use crate::journal::segment::{Header, Step, frame_at, put_frame};
use crate::receipt::ReceiptText;
use crate::record::Record;
use crate::sink::Cursor;
use crate::waiting::just_written;

/// A record, and what is inside it.
pub fn record(data: &[u8]) {
    if let Ok(record) = Record::parse(data) {
        assert_eq!(record.bytes(), data);
        let _ = (record.action(), record.object(), record.version(), record.revision(), record.digest());
        let _ = (record.clear(), record.sealed(), record.bound(), TurnedAway::of(&record), format!("{record:?}"));
    }
    let _ = (Detail::from_cbor(data), TurnedAway::from_cbor(data), just_written(data));
}

/// A segment's header and frames.
pub fn segment(data: &[u8]) {
    if let Ok((header, len)) = Header::parse(data) {
        assert_eq!(Some(header.encode().as_slice()), data.get(..len));
    }
    if let Step::Frame(frame) = frame_at(data) {
        let mut again = Vec::new();
        put_frame(&mut again, frame.index, frame.starts_group, &frame.record, &frame.entry);
        assert_eq!(data.get(..frame.len()), Some(again.as_slice()));
    }
}

/// Texts: receipts and cursors.
pub fn text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(receipt) = text.parse::<ReceiptText>() {
        assert_eq!(receipt.to_string(), text);
    }
    let _ = Cursor::parse(data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::{Draft, Outcome};
    use keystead_model::{Action, InstanceId, NodeId, OperationId, Time, VaultId};

    #[test]
    fn no_input_makes_a_parser_panic() {
        let (vault, op) = (VaultId::from_bytes([1; 16]), OperationId::from_bytes([2; 16]));
        let draft = Draft::node(Action::TurnedAway, vault, b"\xa2\x00\x01\x01\xa1\x01\x05".to_vec(), op, Time(3));
        let record = draft.encode(Outcome::DONE, None, NodeId::from_bytes([4; 16]));
        let (instance, node) = (InstanceId::from_bytes([5; 16]), NodeId::from_bytes([4; 16]));
        let mut frame = Vec::new();
        put_frame(&mut frame, 7, true, &record, &record.entry());
        let seeds = [
            record.bytes().to_vec(),
            [&[2_u8; 33][..], record.bytes()].concat(),
            record.clear().to_vec(),
            frame,
            Header { instance, node, first: 0, logs: Vec::new() }.encode(),
            format!("1.{}.7.{}", "ab".repeat(16), "A".repeat(43)).into_bytes(),
            b"1 2 3\n".to_vec(),
            Vec::new(),
        ];
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for round in 0..8_000 {
            let mut data = seeds[round % seeds.len()].clone();
            for _ in 0..next() % 4 {
                let at = next() as usize % data.len().max(1);
                match next() % 3 {
                    0 if !data.is_empty() => data[at] = next() as u8,
                    1 => data.truncate(at),
                    _ => data.insert(at.min(data.len()), next() as u8),
                }
            }
            super::record(&data);
            segment(&data);
            text(&data);
        }
    }
}
