//! Which artifacts a subscription is about.

use outlast_core::{Artifact, Subscription, Timestamp, Visibility};

use super::payload::{at, passes};

/// Whether the artifact is for this subscription: the agent may see it now, and all the filters
/// let it through. What does not pass never touches a window.
pub(super) fn accepts(subscription: &Subscription, artifact: &Artifact, now: Timestamp) -> bool {
    is_visible(&artifact.visibility, subscription, now)
        && subscription.types.contains(&artifact.type_name)
        && (subscription.from_agents.is_empty()
            || subscription.from_agents.contains(&artifact.produced_by))
        && (subscription.tags.is_empty() || !subscription.tags.is_disjoint(&artifact.tags))
        && subscription
            .predicates
            .iter()
            .all(|predicate| passes(at(&artifact.payload, &predicate.path), &predicate.test))
}

fn is_visible(visibility: &Visibility, subscription: &Subscription, now: Timestamp) -> bool {
    match visibility {
        Visibility::Public => true,
        Visibility::Private { agents, labels } => {
            agents.contains(&subscription.agent_name) || !labels.is_disjoint(&subscription.labels)
        }
        Visibility::Labelled { required_labels } => required_labels.is_subset(&subscription.labels),
        Visibility::Tenant { tenant_id } => subscription.tenant_id.as_ref() == Some(tenant_id),
        Visibility::After { at } => now >= *at,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use outlast_core::PredicateTest;
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_000;

    fn artifact() -> Artifact {
        let now = Timestamp::from_micros(NOW);
        let tags = BTreeSet::from(["red".to_owned(), "big".to_owned()]);
        Artifact { tags, ..Artifact::new("order", json!({ "total": 7 }), now) }
    }

    fn passes(subscription: &Subscription, artifact: &Artifact) -> bool {
        accepts(subscription, artifact, Timestamp::from_micros(NOW))
    }

    #[test]
    fn every_filter_has_to_let_it_through() {
        let plain = Subscription::new("ann", "orders", ["order"]);
        assert!(passes(&plain, &artifact()));
        assert!(!passes(&Subscription::new("ann", "orders", ["bill"]), &artifact()));
        let from = |agent: &str| Subscription {
            from_agents: BTreeSet::from([agent.to_owned()]),
            ..plain.clone()
        };
        assert!(passes(&from(Artifact::EXTERNAL), &artifact()));
        assert!(!passes(&from("bob"), &artifact()));
        let tagged = |tags: [&str; 2]| Subscription {
            tags: tags.map(str::to_owned).into(),
            ..plain.clone()
        };
        assert!(passes(&tagged(["red", "small"]), &artifact()), "any of them is enough");
        assert!(!passes(&tagged(["blue", "small"]), &artifact()));
        let least = |n: u64| plain.clone().only_if("total", PredicateTest::AtLeast(n.into()));
        assert!(passes(&least(7), &artifact()));
        assert!(!passes(&least(8), &artifact()));
    }

    #[test]
    fn an_agent_sees_only_what_it_may() {
        let ann = Subscription {
            labels: BTreeSet::from(["eu".to_owned(), "pii".to_owned()]),
            tenant_id: Some("acme".to_owned()),
            ..Subscription::new("ann", "orders", ["order"])
        };
        let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let private = |agents: &[&str], labels: &[&str]| Visibility::Private {
            agents: set(agents),
            labels: set(labels),
        };
        let tenant = |id: &str| Visibility::Tenant { tenant_id: id.to_owned() };
        let labelled = |labels: &[&str]| Visibility::Labelled { required_labels: set(labels) };
        let after = |at| Visibility::After { at: Timestamp::from_micros(at) };
        let cases = [
            (private(&["ann"], &[]), true),
            (private(&["bob"], &["eu"]), true),
            (private(&["bob"], &["us"]), false),
            (private(&[], &[]), false),
            (labelled(&["eu", "pii"]), true),
            (labelled(&["eu", "us"]), false),
            (tenant("acme"), true),
            (tenant("other"), false),
            (after(NOW), true),
            (after(NOW + 1), false),
        ];
        for (visibility, seen) in cases {
            let artifact = Artifact { visibility: visibility.clone(), ..artifact() };
            assert_eq!(passes(&ann, &artifact), seen, "{visibility:?}");
        }
        let stranger = Subscription::new("bob", "orders", ["order"]);
        assert!(!passes(&stranger, &Artifact { visibility: tenant("acme"), ..artifact() }));
    }
}
