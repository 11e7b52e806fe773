//! What people are told about commands.

use outlast_core::{
    Actor, Cause, Command, CommandStatus, Event, EventCategory, EventLevel, Key, Status,
};

/// An event about a command. What a person asked for is `audit`, the rest is `ops`.
pub(super) fn event(
    cause: &Cause,
    key: &Key,
    command: &Command,
    level: EventLevel,
    message: impl Into<String>,
) -> Event {
    let category = match cause.actor {
        Some(Actor::User(_)) => EventCategory::Audit,
        _ => EventCategory::Ops,
    };
    let mut event = Event::new(category, level, message)
        .on(command.host_id.as_str())
        .called(format!("op:{}", command.spec.op))
        .about(key.clone());
    event.actor.clone_from(&cause.actor);
    event
}

/// The event that a command was settled. That one was given up is a matter of recovery.
pub(super) fn settled(cause: &Cause, key: &Key, command: &Command) -> Event {
    let (op, host, status) = (&command.spec.op, &command.host_id, command.status.as_str());
    let message = match &command.error {
        Some(error) if command.status != CommandStatus::Success => {
            format!("{op} on host {host}: {status}: {error}")
        }
        _ => format!("{op} on host {host}: {status}"),
    };
    let told = event(cause, key, command, level(command.status), message);
    if command.status != CommandStatus::Orphaned {
        return told;
    }
    Event { category: EventCategory::System, action: Some("recovery".into()), ..told }
}

fn level(status: CommandStatus) -> EventLevel {
    use CommandStatus::{
        Blocked, Error, Killed, Orphaned, Partial, StaleBinary, Success, Suspicious, Timeout,
    };

    match status {
        Success => EventLevel::Success,
        Error | Timeout | Killed => EventLevel::Error,
        Blocked | Partial | StaleBinary | Suspicious | Orphaned => EventLevel::Warn,
        _ => EventLevel::Info,
    }
}
