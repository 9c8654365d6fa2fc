//! Products, the messages that change their stock, and the resulting movements. Pure.

mod dead_letters;
mod message;
mod plan;
mod product;
mod values;

pub use crate::shared::dead_letters::{DeadLetterId, DeadLetterStatus, Note, Reason};
pub use dead_letters::{DeadLetter, ReasonName};
pub use message::{Channel, Delivery, Kind, MOST_KEPT, Message, ParseError, Source};
pub use plan::{Outcome, Plan, Refusal, Step, plan};
pub use product::{Closing, Movement, Product};
pub use values::{LowMark, MessageId, ProductName, Reference, Sku, Units};
