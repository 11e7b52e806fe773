//! Artifacts, and the windows in which they are put together: joins and batches.

mod dispatch;
mod due;
mod engine;
mod handler;
mod load;
mod matching;
mod open;
mod options;
mod outcome;
mod payload;
mod publish;
mod queue;
mod registered;
mod repair;
mod restore;
mod step;
mod timers;
mod turns;
mod windows;
mod work;

pub use handler::{Delivery, Handler};
pub use load::WindowStats;
pub use options::{Acknowledge, AtShutdown, WindowOptions};
pub use publish::{Published, WindowChange};
pub use restore::Restored;
pub use windows::Windows;
