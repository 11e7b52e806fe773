//! The event log: what happened on one host, and who asked for it.
#![allow(clippy::print_stdout)]

use outlast::events::{EventLog, EventQuery};
use outlast::fleet::{Completion, Fleet};
use outlast::{Actor, Cause, Event, EventCategory, EventLevel, Host, Id, OpSpec, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let store = outlast::open("memory:").await?;
    let ann = Cause::by(Actor::User(Id::new("ann")?));
    let fleet = Fleet::new(&store);
    fleet.hosts().register("attic", Host::new("attic", store.clock().now())).await?;

    // Engines report in the commit that they report about: neither is there without the other.
    let pull = fleet.with_cause(ann).commands().begin("attic", OpSpec::new("pull")).await?;
    fleet.commands().validate(pull.id()).await?;
    fleet.commands().execute(pull.id(), None).await?;
    fleet.commands().finish(pull.id(), &Completion::exited(1)).await?;

    // Anybody may add to the log.
    let log = EventLog::new(&store);
    let note = Event::new(EventCategory::System, EventLevel::Info, "the roof leaks");
    log.append(&note.on("attic")).await?;

    let newest_first = log.list(&EventQuery::on_host("attic")).await?;
    for reported in newest_first.items {
        let Event { category, level, actor, message, .. } = reported?.event;
        let actor = actor.map_or_else(|| "nobody".to_owned(), |actor| actor.to_string());
        println!("{category} {level} {actor}: {message}");
    }
    let asked = EventQuery { category: Some(EventCategory::Audit), ..EventQuery::default() };
    assert_eq!(log.list(&asked).await?.items.len(), 1);
    store.close().await
}
