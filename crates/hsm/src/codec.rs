//! What server and worker say to each other, as bytes on a socket pair.

pub(crate) mod words;
