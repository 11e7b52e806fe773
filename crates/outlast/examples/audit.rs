//! Who changed what, when and why, with what was there before and after. Secrets are taken out.
#![allow(clippy::print_stdout)]

use outlast::{AuditQuery, AuditState, Cause, Entity, NoStatus, Result, Scope};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Login {
    name: String,
    password: String,
}

impl Entity for Login {
    type Status = NoStatus;
    const KIND: &'static str = "login";
    const REDACT: Option<fn(&mut Value)> = Some(|content| {
        if let Some(password) = content.get_mut("password") {
            *password = "***".into();
        }
    });
}

#[tokio::main]
async fn main() -> Result<()> {
    let store = outlast::open("memory:").await?;
    let logins = store.kind::<Login>();

    let ann = Cause::by("user:ann".parse()?).because("new on the team");
    let login = Login { name: "ben".into(), password: "hunter2".into() };
    logins.with_cause(ann).create("ben", &login).await?;

    let ben = Cause::by("user:ben".parse()?);
    let rename = |login: &mut Login| {
        login.name = "benjamin".into();
        Ok(())
    };
    logins.with_cause(ben).update("ben", rename).await?;

    let query = AuditQuery::of(Scope::Entity(logins.key("ben")?));
    for entry in store.audit(&query).await?.items {
        let entry = entry?;
        let reason = entry.reason.as_deref().unwrap_or("no reason given");
        println!("{} by {}: {reason}", entry.action, entry.actor);
        println!("  before: {}", text(&entry.before));
        println!("  after:  {}", text(&entry.after));
    }
    store.close().await
}

fn text(state: &AuditState) -> String {
    state.content().map_or_else(|| "nothing".to_owned(), ToString::to_string)
}
