//! What the store tells of who changed what, whichever backend keeps its history.

use outlast_core::{Action, Actor, Cause, ErrorKind, Page, Prune, PrunePlan, Scope, Verified};
use outlast_store::{AuditEntry, AuditQuery, AuditState, Store, StoreOptions};

use super::damage::damage;
use crate::ops::{delete, item, number, put};
use crate::{Case, Target, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(audit_tells_what_was_before_and_after),
        Case::of(audit_tells_the_same_on_pages_of_any_size),
        Case::of(audit_is_narrowed_down_as_the_history_is),
        Case::of(audit_says_what_was_pruned),
        Case::of(audit_names_damage_in_its_place),
        Case::of(changes_by_nobody_are_history_and_no_audit),
        Case::of(pages_of_the_audit_are_bounded),
    ]
}

/// Three versions of one entity, deleted and made again, and another beside it.
async fn fill(t: &Trial) {
    let by = |actor: &str| Cause::by(actor.parse().unwrap()).because("because");
    for (actor, op) in [
        ("user:ann", put(&item("a"), 1)),
        ("user:ben", put(&item("b"), 7)),
        ("user:ben", put(&item("a"), 2)),
        ("user:ann", delete(&item("a"))),
        ("user:ann", put(&item("a"), 3)),
    ] {
        let mut batch = t.batch([op]);
        batch.cause = by(actor);
        t.apply_batch(&batch).await;
    }
}

async fn walk(store: &Store, mut query: AuditQuery) -> Vec<Verified<AuditEntry>> {
    let mut all = Vec::new();
    loop {
        let page = store.audit(&query).await.unwrap();
        assert!(page.items.len() <= query.page.limit as usize);
        all.extend(page.items);
        let Some(next) = page.next else { return all };
        query.page = query.page.after(next);
    }
}

fn shown(value: i64) -> AuditState {
    AuditState::Shown(number(value))
}

/// The name, number, action, and what was before and after.
type Told = (String, u64, &'static str, AuditState, AuditState);

fn told() -> [Told; 5] {
    let row = |id: &str, n, action, before, after| (format!("item/{id}"), n, action, before, after);
    [
        row("a", 4, "create", AuditState::Absent, shown(3)),
        row("a", 3, "delete", shown(2), AuditState::Absent),
        row("a", 2, "update", shown(1), shown(2)),
        row("b", 1, "create", AuditState::Absent, shown(7)),
        row("a", 1, "create", AuditState::Absent, shown(1)),
    ]
}

async fn audit_tells_what_was_before_and_after(t: Trial) {
    fill(&t).await;
    let entries = walk(&t.store, AuditQuery::default()).await;
    assert_eq!(entries.len(), 5);
    for (entry, (name, n, action, before, after)) in entries.into_iter().zip(told()) {
        let entry = entry.unwrap();
        assert_eq!((entry.key.to_string(), entry.version.n), (name, n));
        assert_eq!((entry.action.as_str(), entry.before, entry.after), (action, before, after));
        assert_eq!(entry.reason.as_deref(), Some("because"));
        assert!(entry.revision.0 > 0 && entry.at <= t.now());
    }
}

async fn audit_tells_the_same_on_pages_of_any_size(t: Trial) {
    fill(&t).await;
    for newest_first in [true, false] {
        let whole = walk(&t.store, AuditQuery { newest_first, ..AuditQuery::default() }).await;
        for limit in 1..6 {
            let page = Page::first(limit);
            let query = AuditQuery { newest_first, page, ..AuditQuery::default() };
            assert_eq!(walk(&t.store, query).await, whole, "{limit} at a time");
        }
    }
}

async fn audit_is_narrowed_down_as_the_history_is(t: Trial) {
    fill(&t).await;
    let versions = |query: AuditQuery| async {
        let found = walk(&t.store, query).await.into_iter().map(Result::unwrap);
        found.map(|entry| (entry.key.id().to_owned(), entry.version.n)).collect::<Vec<_>>()
    };
    let named = |rows: &[(&str, u64)]| -> Vec<(String, u64)> {
        rows.iter().map(|(id, n)| ((*id).to_owned(), *n)).collect()
    };
    let one = AuditQuery::of(Scope::Entity(item("b")));
    assert_eq!(versions(one).await, named(&[("b", 1)]));
    let actor: Actor = "user:ben".parse().unwrap();
    let ben = AuditQuery { actor: Some(actor), ..AuditQuery::default() };
    assert_eq!(versions(ben).await, named(&[("a", 2), ("b", 1)]));
    let created = AuditQuery { action: Some(Action::create()), ..AuditQuery::default() };
    assert_eq!(versions(created).await, named(&[("a", 4), ("b", 1), ("a", 1)]));
    let last = AuditQuery { since: Some(t.now()), ..AuditQuery::default() };
    assert_eq!(versions(last).await, named(&[("a", 4)]));
}

async fn audit_says_what_was_pruned(t: Trial) {
    fill(&t).await;
    let plan = PrunePlan { items: vec![Prune::History { key: item("a"), below: 3 }] };
    assert!(t.store.prune(&plan, 100).await.unwrap().done);
    let entries = walk(&t.store, AuditQuery::of(Scope::Entity(item("a")))).await;
    let states: Vec<_> =
        entries.into_iter().map(|e| e.unwrap()).map(|e| (e.before, e.after)).collect();
    let pruned = (AuditState::Pruned, AuditState::Absent);
    assert_eq!(states, [(AuditState::Absent, shown(3)), pruned]);
}

async fn audit_names_damage_in_its_place(mut t: Trial) {
    fill(&t).await;
    if !damage(&mut t, Target::Version(item("a"), 2)).await {
        return;
    }
    for limit in [1, 100] {
        let query = AuditQuery { page: Page::first(limit), ..AuditQuery::default() };
        let entries = walk(&t.store, query).await;
        let [fourth, third, second, other, first] = entries.as_slice() else {
            panic!("{entries:?}")
        };
        assert!(second.as_ref().unwrap_err().what.contains("item/a"), "{second:?}");
        assert_eq!(third.as_ref().unwrap().before, AuditState::Damaged);
        for whole in [fourth, third, other, first] {
            assert!(whole.is_ok(), "{whole:?}");
        }
    }
}

async fn changes_by_nobody_are_history_and_no_audit(t: Trial) {
    let options = StoreOptions {
        audit: false,
        clock: t.clock.clone(),
        ids: t.ids.clone(),
        ..StoreOptions::default()
    };
    let store = Store::open(t.store.backend().clone(), options);
    let mut batch = t.batch([put(&item("a"), 1)]);
    batch.cause = Cause::by(Actor::System).because("why").called(Action::recovery());
    store.commit(batch).await.unwrap();
    assert_eq!(walk(&t.store, AuditQuery::default()).await, []);
    let versions = t.versions(&item("a")).await;
    assert_eq!(versions.len(), 1);
    assert_eq!((&versions[0].actor, &versions[0].reason), (&None, &None));
    assert_eq!(versions[0].action, Action::recovery());
    let mut batch = t.batch([put(&item("a"), 2)]);
    batch.cause = Cause::by(Actor::System);
    t.apply_batch(&batch).await;
    let entries = walk(&t.store, AuditQuery::default()).await;
    let [Ok(entry)] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((&entry.before, &entry.after), (&shown(1), &shown(2)));
}

async fn pages_of_the_audit_are_bounded(t: Trial) {
    for (limit, kind) in [(0, ErrorKind::Invalid), (AuditQuery::MOST + 1, ErrorKind::TooLarge)] {
        let query = AuditQuery { page: Page::first(limit), ..AuditQuery::default() };
        assert_eq!(t.store.audit(&query).await.unwrap_err().kind(), kind);
    }
}
