//! What we show: the pairs of key and certificate, what is stapled to them, and
//! the choice among them by the name that the client asks for.

pub mod a_label;
pub mod choice;
pub mod directory;
pub mod pair;
pub mod sessions;
mod staple;
pub mod tickets;
