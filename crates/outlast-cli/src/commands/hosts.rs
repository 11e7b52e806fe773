//! `outlast hosts`: what commands run on.

use clap::Args;
use outlast::fleet::last_seen;
use outlast::{
    AttrName, Error, ErrorKind, Filter, Host, HostStatus, Page, Result, Status as _, Store, Stored,
    Timestamp,
};
use serde::Serialize;

use crate::commands::show;
use crate::context::Context;
use crate::failure::Outcome;
use crate::listing::{self, EntityView, Paging, Row, cell};
use crate::output::moment;

/// List hosts by their names, or show one
///
/// With an ID the same as show --kind host ID. With --json: {"hosts": [{"id", "version",
/// "updated_at", "last_seen": when it was last heard, or null, "status", "hostname",
/// "theme_color", "created_at", and where there is one "host_type", "location", "device_type",
/// "comment", "cwd", "facts"}], "more": whether there are more after the last}.
#[derive(Debug, Args)]
pub(crate) struct HostsArgs {
    /// Show this one: its id, the beginning of it, or its name
    #[arg(conflicts_with_all = ["status", "limit", "after"])]
    id: Option<String>,

    /// List only those in this state: online, offline, running, error or unknown
    #[arg(long, value_parser = HostStatus::parse)]
    status: Option<HostStatus>,

    #[command(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
struct View<'a> {
    last_seen: Option<Timestamp>,
    #[serde(flatten)]
    host: EntityView<'a, Host>,
}

pub(crate) async fn run(args: &HostsArgs, store: &Store, context: &mut Context) -> Outcome {
    if let Some(text) = &args.id {
        let host = named(store, text).await?;
        return show::one::<Host>(host.as_deref().unwrap_or(text), store, context).await;
    }
    let query = listing::with_status(store.kind::<Host>().query()?, args.status);
    let found = listing::collect::<Host>(store, query, &args.paging).await?;
    let views = found
        .items
        .iter()
        .map(|host| View { last_seen: last_seen(host), host: EntityView::of(host) });
    listing::show(&found, &views.collect::<Vec<_>>(), cells, context)
}

/// The id of the host that has this id or this name.
async fn named(store: &Store, text: &str) -> Result<Option<String>> {
    let hosts = store.kind::<Host>();
    let query = hosts.query()?.filter(Filter::is(AttrName::new("hostname")?, text));
    if matches!(hosts.find(text).await, Ok(None)) {
        let page = store.list(&outlast::Query { page: Page::first(1), ..query }).await?;
        let record = page.items.into_iter().next().map(outlast::Slot::live).transpose()?;
        return Ok(record.flatten().map(|record| record.key.id().to_owned()));
    }
    Ok(Some(text.to_owned()))
}

/// The id of the host that has this id or this name; `NotFound` if there is none.
pub(crate) async fn id_of(store: &Store, text: &str) -> Result<String> {
    named(store, text).await?.ok_or_else(|| {
        let message = format!("no host has the id or the name {text:?}; hosts lists them");
        Error::new(ErrorKind::NotFound, message)
    })
}

impl Row for Host {
    const MANY: &'static str = "hosts";
    const HEADINGS: &'static [&'static str] = &["NAME", "TYPE", "LOCATION", "LAST SEEN"];
    const ORDER: Option<&'static str> = Some("hostname");
    const NEWEST_FIRST: bool = false;
}

fn cells(host: &Stored<Host>) -> Vec<String> {
    vec![
        host.hostname.clone(),
        cell(host.host_type.as_ref()),
        cell(host.location.as_ref()),
        cell(last_seen(host).map(moment)),
    ]
}
