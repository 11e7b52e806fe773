//! Ids and lists in bulk, within one moment of the clock.

use std::collections::BTreeSet;

use outlast_core::Page;

use crate::support::{BACKENDS, Scene, ids, op};

#[tokio::test]
async fn commands_of_one_moment_have_ids_of_their_own_in_the_order_they_were_asked_for() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        scene.hosts().disconnect("h1").await.unwrap();
        let mut asked = Vec::new();
        for _ in 0..200 {
            let command = scene.commands().begin_or_queue("h1", op("pull")).await.unwrap();
            asked.push(command.id().to_owned());
        }
        let unique: BTreeSet<_> = asked.iter().collect();
        assert_eq!(unique.len(), asked.len(), "{name}");
        assert!(asked.is_sorted(), "{name}");
        let queued = scene.commands().queued_on("h1", Page::first(1000)).await.unwrap();
        assert_eq!(ids(queued), asked, "{name}");
        asked.reverse();
        let newest = scene.commands().of_host("h1", Page::first(1000)).await.unwrap();
        assert_eq!(ids(newest), asked, "{name}");
        let page = scene.commands().of_host("h1", Page::first(50)).await.unwrap();
        let next = Page::first(50).after(page.next.clone().unwrap());
        assert_eq!(ids(page), asked[..50], "{name}");
        let page = scene.commands().of_host("h1", next).await.unwrap();
        assert_eq!(ids(page), asked[50..100], "{name}");
    }
}

#[tokio::test]
async fn commands_of_a_pipeline_are_found_by_it() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        let now = scene.now();
        for (n, pipeline) in ["p1", "p2", "p1"].iter().enumerate() {
            let command = outlast_core::Command {
                pipeline_id: Some((*pipeline).to_owned()),
                stage: Some(0),
                ..outlast_core::Command::new("h1", op("pull"), now)
            };
            scene.store.kind().create(&format!("c{n}"), &command).await.unwrap();
        }
        let found = scene.commands().of_pipeline("p1", Page::default()).await.unwrap();
        assert_eq!(ids(found), ["c2", "c0"], "{name}");
    }
}
