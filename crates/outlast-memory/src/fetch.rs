//! What a plan needs to know.

use outlast_core::{ReadSet, View};

use crate::content::Content;

impl Content {
    pub(crate) fn fetch(&self, reads: &ReadSet) -> View {
        let mut view = View { revision: self.revision, ..View::default() };
        for key in &reads.keys {
            if let Some(entity) = self.entity(key) {
                view.heads.insert(key.clone(), entity.head.clone());
            }
        }
        for name in &reads.streams {
            if let Some(stream) = self.stream(name) {
                view.streams.insert(name.clone(), stream.last);
            }
        }
        for id in &reads.commits {
            if let Some(known) = self.commits.get(id) {
                view.commits.insert(*id, (**known).clone());
            }
        }
        for (key, version) in &reads.versions {
            let kept = self.entity(key).and_then(|entity| entity.versions.get(version));
            if let Some(kept) = kept {
                view.versions.insert((key.clone(), *version), kept.checksum);
            }
        }
        view
    }
}
