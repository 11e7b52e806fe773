//! A little bank: transfers between accounts whose sum never changes, each with an entry in a
//! journal and a counter, all in one commit. Whatever a crash leaves behind can be checked against
//! that, and against what was acknowledged.

use std::collections::BTreeMap;

use outlast_core::{
    Batch, Cause, Entity, Error, ErrorKind, Expect, Json, Key, NewEntry, NoStatus, Op, Outcome,
    Put, Result, Seq, Slot, StreamQuery,
};
use outlast_store::{Store, Stored};
use serde::{Deserialize, Serialize};

/// How many accounts there are, and what is in them together.
pub const ACCOUNTS: u64 = 8;
/// The sum over all accounts.
pub const TOTAL: i64 = 8000;
/// How many clerks transfer at once.
pub const CLERKS: u64 = 4;

/// An account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    cents: i64,
}

impl Entity for Account {
    type Status = NoStatus;
    const KIND: &'static str = "account";
}

/// How many transfers a clerk has made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Clerk {
    transfers: u64,
}

impl Entity for Clerk {
    type Status = NoStatus;
    const KIND: &'static str = "clerk";
}

/// The stream that every transfer adds one entry to.
pub fn journal() -> Result<Key> {
    Key::new("journal", "all")
}

/// Opens the accounts, once.
pub async fn found(store: &Store) -> Result<()> {
    let mut batch = Batch::new(store.ids().commit_id(), Cause::default());
    for n in 0..ACCOUNTS {
        let share = TOTAL / i64::try_from(ACCOUNTS).unwrap_or(1);
        batch.ops.push(opening("account", n, &Account { cents: share })?);
    }
    for n in 0..CLERKS {
        batch.ops.push(opening("clerk", n, &Clerk { transfers: 0 })?);
    }
    store.commit(batch).await.map(drop)
}

fn opening<T: Entity>(kind: &str, n: u64, value: &T) -> Result<Op> {
    Ok(Op::Put(Put {
        key: Key::new(kind, n.to_string())?,
        expect: Expect::Absent,
        schema: T::SCHEMA,
        attrs: value.attributes()?,
        state: Json::encode(value)?,
    }))
}

/// Makes one transfer; says how many this clerk has made then, once it is acknowledged.
pub async fn transfer(store: &Store, clerk: u64) -> Result<u64> {
    loop {
        match try_transfer(store, clerk).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            other => return other,
        }
    }
}

async fn try_transfer(store: &Store, clerk: u64) -> Result<u64> {
    let (batch, transfers) = prepare(store, clerk).await?;
    match store.commit(batch).await? {
        Outcome::Applied(_) | Outcome::Replayed(_) => Ok(transfers),
        Outcome::Conflict { key, .. } => {
            Err(Error::new(ErrorKind::Conflict, format!("another changed {key}; try again")))
        }
    }
}

/// A transfer that can be handed in again under its id, and how many the clerk has made then.
pub async fn prepare(store: &Store, clerk: u64) -> Result<(Batch, u64)> {
    let accounts = store.kind::<Account>();
    let from = fastrand::u64(0..ACCOUNTS);
    let to = (from + fastrand::u64(1..ACCOUNTS)) % ACCOUNTS;
    let (from, to) = (accounts.get(&from.to_string()).await?, accounts.get(&to.to_string()).await?);
    let clerk = store.kind::<Clerk>().get(&clerk.to_string()).await?;
    let cents = fastrand::i64(1..100);
    let transfers = clerk.transfers + 1;
    let entry = format!("{} {} {} {cents}", clerk.id(), from.id(), to.id());
    let entry = NewEntry { at: None, attrs: outlast_core::Attributes::new(), data: entry.into() };
    let mut batch = Batch::new(store.ids().commit_id(), Cause::default());
    batch.ops.push(replacing(&from, &changed(&from, -cents))?);
    batch.ops.push(replacing(&to, &changed(&to, cents))?);
    batch.ops.push(replacing(&clerk, &Clerk { transfers })?);
    batch.ops.push(Op::Append { stream: journal()?, entries: vec![entry] });
    Ok((batch, transfers))
}

fn replacing<T: Entity>(old: &Stored<T>, new: &T) -> Result<Op> {
    Ok(Op::Put(Put {
        key: Key::new(T::KIND, old.id())?,
        expect: Expect::At(old.version),
        schema: T::SCHEMA,
        attrs: new.attributes()?,
        state: Json::encode(new)?,
    }))
}

/// How many transfers this clerk has made.
pub async fn made(store: &Store, clerk: u64) -> Result<u64> {
    Ok(store.kind::<Clerk>().get(&clerk.to_string()).await?.transfers)
}

fn changed(account: &Stored<Account>, by: i64) -> Account {
    Account { cents: account.cents + by }
}

/// The sum over all accounts, read in one snapshot. Other than [`TOTAL`], part of a commit was
/// seen.
pub async fn sum(store: &Store) -> Result<i64> {
    let ids = 0..ACCOUNTS;
    let keys: Result<Vec<Key>> = ids.map(|n| Key::new("account", n.to_string())).collect();
    let mut sum = 0;
    for slot in store.get(&keys?).await? {
        sum += slot
            .live()?
            .map_or(Ok(0), |record| Stored::<Account>::decode(record).map(|a| a.cents))?;
    }
    Ok(sum)
}

/// Everything that must hold of a store at rest, given what each clerk was told. Says what does
/// not.
pub async fn audit(store: &Store, told: &BTreeMap<u64, u64>) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let sum = sum(store).await?;
    if sum != TOTAL {
        wrong.push(format!("the accounts hold {sum}, not {TOTAL}"));
    }
    let mut transfers = 0;
    for n in 0..CLERKS {
        let slot = store.get(&[Key::new("clerk", n.to_string())?]).await?.pop();
        let record = slot.unwrap_or(Slot::Vacant).live()?;
        let Some(record) = record else {
            wrong.push(format!("clerk {n} is gone"));
            continue;
        };
        let version = record.version;
        let made = Stored::<Clerk>::decode(record)?.transfers;
        transfers += made;
        if version.n != made + 1 {
            wrong.push(format!("clerk {n} made {made} transfers but is at version {version}"));
        }
        let acknowledged = told.get(&n).copied().unwrap_or(0);
        if made < acknowledged {
            wrong.push(format!("clerk {n} was told of {acknowledged} transfers, {made} are there"));
        }
    }
    let newest = StreamQuery { newest_first: true, ..StreamQuery::of(journal()?) };
    let last = store.read(&newest).await?.items.into_iter().next().transpose()?;
    let entries = last.map_or(Seq(0), |entry| entry.seq).0;
    if entries != transfers {
        wrong.push(format!("{transfers} transfers left {entries} entries in the journal"));
    }
    Ok(wrong)
}
