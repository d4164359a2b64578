//! What every token is asked to do. Each test is run twice, once a token.

mod algorithms;
mod attackers;
mod exports;
mod imports;
mod keys;
mod loss;
mod opening;
mod owned;
mod texts;
mod threads;

/// Each of these functions as a test on SoftHSM2 and on Kryoptic.
macro_rules! on_each_token {
    ($($test:ident)*) => {
        mod softhsm2 {
            $(#[test]
            fn $test() {
                crate::bed::on(crate::bed::Kind::SoftHsm2, module_path!(), stringify!($test), super::$test);
            })*
        }
        mod kryoptic {
            $(#[test]
            fn $test() {
                crate::bed::on(crate::bed::Kind::Kryoptic, module_path!(), stringify!($test), super::$test);
            })*
        }
    };
}
use on_each_token;
