//! Who changed what, with what was there before and after.

use std::sync::Arc;
use std::time::Duration;

use outlast_core::{
    Action, Actor, Cause, Clock, Epoch, ErrorKind, IdSource, Json, Key, Kind, ManualClock, Op,
    Page, Prune, PrunePlan, RandomIds, Revision, Scope, Timestamp, Version, Versioned,
};
use outlast_store::{AuditEntry, AuditQuery, AuditState, Store, StoreOptions};

use crate::kinds::{Job, Note, Stage, job, note, set};
use crate::{kind, memory, store};

fn by(actor: &str) -> Cause {
    Cause::by(actor.parse().unwrap())
}

async fn all(store: &Store, query: AuditQuery) -> Vec<AuditEntry> {
    let page = store.audit(&query).await.unwrap();
    assert_eq!(page.next, None);
    page.items.into_iter().map(Result::unwrap).collect()
}

/// Action and content before and after, the newest first.
fn told(entries: &[AuditEntry]) -> Vec<(String, String, String)> {
    let show = |state: &AuditState| match state {
        AuditState::Shown(content) => content.to_string(),
        other => format!("{other:?}"),
    };
    let tell =
        |entry: &AuditEntry| (entry.action.to_string(), show(&entry.before), show(&entry.after));
    entries.iter().map(tell).collect()
}

fn row(action: &str, before: &str, after: &str) -> (String, String, String) {
    (action.to_owned(), before.to_owned(), after.to_owned())
}

#[tokio::test]
async fn each_change_is_told_with_what_was_before_and_after() {
    let store = store();
    let metadata = Json::parse(r#"{"ticket":7}"#).unwrap();
    let cause = Cause { metadata: Some(metadata.clone()), ..by("user:ann").because("because") };
    let jobs = store.kind::<Job>().with_cause(cause);
    jobs.create("a", &job(Stage::Waiting, 0)).await.unwrap();
    jobs.update("a", |job| {
        job.steps = 1;
        Ok(())
    })
    .await
    .unwrap();
    jobs.transition("a", Stage::Working).await.unwrap();
    jobs.delete(&jobs.get("a").await.unwrap()).await.unwrap();
    jobs.create("a", &job(Stage::Waiting, 9)).await.unwrap();
    let entries = all(&store, AuditQuery::default()).await;
    let [zero, one] = [r#"{"stage":"waiting","steps":0}"#, r#"{"stage":"waiting","steps":1}"#];
    let [two, nine] = [r#"{"stage":"working","steps":1}"#, r#"{"stage":"waiting","steps":9}"#];
    let expected = [
        row("create", "Absent", nine),
        row("delete", two, "Absent"),
        row("status_change", one, two),
        row("update", zero, one),
        row("create", "Absent", zero),
    ];
    assert_eq!(told(&entries), expected);
    for (entry, n) in entries.iter().zip([5, 4, 3, 2, 1]) {
        assert_eq!((entry.version.n, entry.revision), (n, Revision(n)));
        assert_eq!(entry.actor.to_string(), "user:ann");
        assert_eq!(entry.reason.as_deref(), Some("because"));
        assert_eq!(entry.metadata, Some(metadata.clone()));
        assert_eq!(entry.key, jobs.key("a").unwrap());
    }
    let oldest = AuditQuery { newest_first: false, ..AuditQuery::default() };
    let reversed: Vec<_> = entries.into_iter().rev().collect();
    assert_eq!(all(&store, oldest).await, reversed);
}

#[tokio::test]
async fn the_audit_is_narrowed_down_by_whom_what_and_when() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_773_450_000_000_000)));
    let options = StoreOptions { clock: clock.clone(), ..Default::default() };
    let store = Store::open(memory(), options);
    let notes = |actor: &str| store.kind::<Note>().with_cause(by(actor));
    notes("user:ann").create("a", &note("1")).await.unwrap();
    notes("user:ben").create("b", &note("2")).await.unwrap();
    clock.advance(Duration::from_mins(1));
    let later = clock.now();
    notes("user:ben").update("a", set("3")).await.unwrap();
    store.kind::<Job>().create("a", &job(Stage::Waiting, 0)).await.unwrap();
    let versions = |query: AuditQuery| async {
        let entries = all(&store, query).await.into_iter();
        entries.map(|entry| format!("{}@{}", entry.key, entry.version)).collect::<Vec<_>>()
    };
    let all = || AuditQuery::default();
    let of = |kind: &str| AuditQuery::of(Scope::All(Some(Kind::new(kind).unwrap())));
    let ben = Some(by("user:ben").actor.unwrap());
    let one = AuditQuery::of(Scope::Entity(Key::new("note", "a").unwrap()));
    assert_eq!(versions(all()).await, ["job/a@1", "note/a@2", "note/b@1", "note/a@1"]);
    assert_eq!(versions(of("note")).await, ["note/a@2", "note/b@1", "note/a@1"]);
    assert_eq!(versions(one).await, ["note/a@2", "note/a@1"]);
    let query = AuditQuery { actor: ben, ..all() };
    assert_eq!(versions(query).await, ["note/a@2", "note/b@1"]);
    let query = AuditQuery { action: Some(Action::create()), ..of("note") };
    assert_eq!(versions(query).await, ["note/b@1", "note/a@1"]);
    let query = AuditQuery { since: Some(later), ..all() };
    assert_eq!(versions(query).await, ["job/a@1", "note/a@2"]);
    let query = AuditQuery { until: Some(later), ..all() };
    assert_eq!(versions(query).await, ["note/b@1", "note/a@1"]);
}

#[tokio::test]
async fn every_size_of_page_tells_the_same() {
    let store = store();
    let notes = store.kind::<Note>();
    for id in ["a", "b"] {
        notes.create(id, &note("")).await.unwrap();
    }
    for n in 0..10_u32 {
        let id = if n % 3 == 0 { "b" } else { "a" };
        notes
            .update(id, |note| {
                note.text.push('x');
                Ok(())
            })
            .await
            .unwrap();
    }
    let whole = all(&store, AuditQuery::default()).await;
    assert_eq!(whole.len(), 12);
    for entry in &whole {
        let [before, after] = [&entry.before, &entry.after].map(AuditState::content);
        let length = |content: &Json| content.as_str().len();
        match before {
            None => assert_eq!(entry.action, Action::create()),
            Some(before) => assert_eq!(length(after.unwrap()), length(before) + 1),
        }
    }
    for newest_first in [true, false] {
        for limit in 1..=13 {
            let page = Page::first(limit);
            let mut query = AuditQuery { newest_first, page, ..AuditQuery::default() };
            let mut walked = Vec::new();
            loop {
                let page = store.audit(&query).await.unwrap();
                assert!(page.items.len() <= limit as usize);
                walked.extend(page.items.into_iter().map(Result::unwrap));
                let Some(next) = page.next else { break };
                query.page = query.page.after(next);
            }
            if !newest_first {
                walked.reverse();
            }
            assert_eq!(walked, whole, "{limit} at a time");
        }
    }
}

#[tokio::test]
async fn pages_of_the_audit_are_bounded() {
    let store = store();
    let of = |limit| AuditQuery { page: Page::first(limit), ..AuditQuery::default() };
    assert_eq!(kind(store.audit(&of(0)).await), ErrorKind::Invalid);
    assert_eq!(kind(store.audit(&of(AuditQuery::MOST + 1)).await), ErrorKind::TooLarge);
    assert!(store.audit(&of(AuditQuery::MOST)).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn what_was_pruned_is_said_to_be_so() {
    let store = store();
    let notes = store.kind::<Note>();
    notes.create("a", &note("1")).await.unwrap();
    for text in ["2", "3"] {
        notes.update("a", set(text)).await.unwrap();
    }
    let plan = PrunePlan { items: vec![Prune::History { key: notes.key("a").unwrap(), below: 2 }] };
    assert!(store.prune(&plan, 10).await.unwrap().done);
    let entries = all(&store, AuditQuery::default()).await;
    let expected = [
        row("update", r#"{"text":"2"}"#, r#"{"text":"3"}"#),
        row("update", "Pruned", r#"{"text":"2"}"#),
    ];
    assert_eq!(told(&entries), expected);
}

#[tokio::test]
async fn what_came_before_is_of_the_same_line_of_numbers() {
    let store = store();
    let key = Key::new("note", "a").unwrap();
    let version = |epoch: u64, n: u64| Versioned {
        key: key.clone(),
        version: Version::new(Epoch(epoch), n),
        revision: Revision::ZERO,
        commit: RandomIds.commit_id(),
        at: Timestamp::from_micros(0),
        action: Action::update(),
        actor: Some(Actor::System),
        reason: None,
        metadata: None,
        schema: 1,
        attrs: outlast_core::Attributes::new(),
        state: Some(Json::parse(&format!("\"{epoch}.{n}\"")).unwrap()),
    };
    // Epoch 7 took over after version 3 of epoch 5, which had gone on to 4 by itself.
    let history = [(5, 1), (5, 2), (5, 3), (5, 4), (7, 4)].map(|(e, n)| version(e, n)).to_vec();
    let mut draft = store.draft();
    draft.op(Op::MergeRecord { record: Box::new(version(7, 5)), history });
    draft.commit().await.unwrap();
    for limit in [1, 100] {
        let page = Page::first(limit);
        let mut query = AuditQuery { page, ..AuditQuery::of(Scope::Entity(key.clone())) };
        let mut pairs = Vec::new();
        loop {
            let page = store.audit(&query).await.unwrap();
            for entry in page.items {
                let AuditEntry { before, after, .. } = entry.unwrap();
                let after = after.content().unwrap().to_string();
                pairs.push((after, before.content().map(ToString::to_string)));
            }
            let Some(next) = page.next else { break };
            query.page = query.page.after(next);
        }
        pairs.sort();
        let pair =
            |after: &str, before: &str| (format!("\"{after}\""), Some(format!("\"{before}\"")));
        let mut expected = vec![
            ("\"5.1\"".to_owned(), None),
            pair("5.2", "5.1"),
            pair("5.3", "5.2"),
            pair("5.4", "5.3"),
            pair("7.4", "5.3"),
            pair("7.5", "7.4"),
        ];
        expected.sort();
        assert_eq!(pairs, expected, "{limit} at a time");
    }
}

#[tokio::test]
async fn with_the_audit_off_nobody_is_named_and_the_history_goes_on() {
    let memory = memory();
    let options = StoreOptions { audit: false, ..StoreOptions::default() };
    let store = Store::open(memory.clone(), options);
    let metadata = Some(Json::parse("1").unwrap());
    let cause = Cause { metadata, ..by("user:ann").because("why").called(Action::recovery()) };
    let notes = store.kind::<Note>().with_cause(cause.clone());
    notes.create("a", &note("one")).await.unwrap();
    let stored = notes.update("a", set("two")).await.unwrap();
    notes.replace_later(&stored, note("three")).await.unwrap();
    store.sync().await.unwrap();
    let back = notes.rollback_to("a", 1).await.unwrap();
    assert_eq!((back.version.n, back.text.as_str()), (4, "one"));
    assert_eq!(store.audit(&AuditQuery::default()).await.unwrap().items, []);
    let past = notes.history("a", Page::default()).await.unwrap().items;
    let past: Vec<_> = past.into_iter().map(|past| past.unwrap().version).collect();
    assert_eq!(past.len(), 4);
    for version in &past {
        assert_eq!((&version.actor, &version.reason, &version.metadata), (&None, &None, &None));
    }
    let actions: Vec<_> = past.iter().map(|version| version.action.as_str()).collect();
    assert_eq!(actions, ["rollback", "recovery", "recovery", "recovery"]);
    // Switched on, what comes is audited, and says what was there before; what was is not.
    let audited = Store::open(memory, StoreOptions::default()).kind::<Note>().with_cause(cause);
    audited.update("a", set("four")).await.unwrap();
    let entries = all(&store, AuditQuery::default()).await;
    assert_eq!(told(&entries), [row("recovery", r#"{"text":"one"}"#, r#"{"text":"four"}"#)]);
}

#[tokio::test]
async fn who_names_nobody_is_who_the_store_says() {
    for (theirs, expected) in [(by("agent:a1"), "agent:a1"), (Cause::default(), "system")] {
        let options = StoreOptions { cause: theirs, ..StoreOptions::default() };
        let store = Store::open(memory(), options);
        let notes = store.kind::<Note>();
        notes.create("a", &note("1")).await.unwrap();
        let anonymous = notes.with_cause(Cause::default().because("no matter who"));
        anonymous.update("a", set("2")).await.unwrap();
        let actors =
            all(&store, AuditQuery::default()).await.into_iter().map(|e| e.actor.to_string());
        assert_eq!(actors.collect::<Vec<_>>(), [expected; 2]);
    }
}
