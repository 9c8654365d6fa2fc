//! Products, the messages that change their stock, and the resulting movements. Pure.

mod message;
mod parked;
mod plan;
mod product;
mod values;

pub use message::{Channel, Delivery, Kind, MOST_KEPT, Message, ParseError, Source};
pub use parked::{DeadLetter, DeadLetterId, DeadLetterStatus, Reason};
pub use plan::{Outcome, Plan, Refusal, Step, decide, plan};
pub use product::{Closing, Movement, Product};
pub use values::{LowMark, MessageId, Note, ProductName, Reference, Sku, Units};
