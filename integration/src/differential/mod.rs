//! The differential suite: the same steps of raw protocol on the reference and on ours, and everything that clients hear
//! compared field by field. The reference is the judge; nobody writes an expected answer by hand.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`schema`] | what every operation sends and answers, as a table |
//! | [`step`], [`parse`], [`text`] | scripts of steps, as values and as text |
//! | [`encode`], [`answer`], [`line`](mod@line) | requests as frames, frames as lines of fields |
//! | [`facts`] | zxids, session ids and times as something that two servers can have in common |
//! | [`player`] | plays steps on one server |
//! | [`duel`] | plays them on several at once, and compares |
//! | [`purpose`] | the differences on purpose |
//! | [`transcript`] | recorded answers as files |
//! | [`generate`], [`hunt`], [`shrink`] | random steps, played until there is a difference, and that made small |

pub mod answer;
pub mod duel;
pub mod encode;
pub mod facts;
pub mod generate;
pub mod hunt;
pub mod line;
pub mod parse;
pub mod player;
pub mod purpose;
pub mod schema;
pub mod shrink;
pub mod step;
pub mod text;
pub mod transcript;
