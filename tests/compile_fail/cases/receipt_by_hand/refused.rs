// refused with: E0423|E0451|E0603
#![allow(unused)]


pub fn forge(text: keystead_audit::ReceiptText, other: keystead_audit::Receipt) -> keystead_audit::Receipt {
    keystead_audit::Receipt(text)
}
