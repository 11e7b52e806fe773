//! What is written where, in which order, and what is refused: a machine without I/O.
//!
//! It is told what happened and says what to do next; [`Dual`](super::Dual) obeys it, and the
//! model checker explores this very function. It deals in names, not in content. Of its events,
//! [`Event::Write`] and the answers to it come one write at a time, under the turn.

mod course;
pub(crate) mod rules;
mod terms;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use outlast_core::{CommitId, Durability, ErrorKind, Key, Kind};

use super::Phase;
pub use course::Course;
use rules::broken;
#[cfg(feature = "mutants")]
pub use rules::{mend_rules, without};

/// Whether the database can be written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// It answers.
    Up,
    /// It does not, and this is why.
    Down(ErrorKind, String),
}

/// One commit, as far as the machine has to know it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Footprint {
    /// Its name.
    pub id: CommitId,
    /// The entities and streams it writes.
    pub keys: Vec<Key>,
}

/// Commits that the database may have applied or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Doubt {
    /// Their names.
    pub commits: BTreeSet<CommitId>,
    /// What they write, in memory too: a commit is rolled forward whole. None of it is written
    /// until the doubt is settled.
    pub keys: BTreeSet<Key>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A group is to be written that was planned under a term.
    Write(u64, Vec<Footprint>),
    /// The copies that an effect named were brought up to date, or not.
    Cleaned(bool),
    /// The database answered the write.
    Far(FarAnswer),
    /// Memory took the write, or not.
    Near(bool),
    /// The database is away.
    Away(ErrorKind, String),
    /// The database answers again.
    Up,
    /// It is known what became of the commits in doubt, and memory has them if the database does.
    Settled,
    /// A kind stands somewhere else now.
    Moved(Kind, Course),
    /// Another process took kinds over.
    Fenced(BTreeSet<Kind>),
}

/// What the database answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FarAnswer {
    /// All of it is applied.
    Applied,
    /// None of it is, because the database is away.
    Away(ErrorKind, String),
    /// Nobody knows.
    Unknown(String),
    /// None of it is: another process took these kinds over.
    Fenced(BTreeSet<Kind>),
    /// None of it is, because of what it says.
    Refused,
    /// It was not sent, since the terms had changed by then.
    Late,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Bring the copies of these up to date first.
    Clean(Vec<Key>),
    /// Write to the database what [`Control::is_sent`] accepts, if [`Control::is_current`] still
    /// says so.
    WriteFar,
    /// Write to memory.
    WriteNear,
    /// Keep what was to be written: the database may have it.
    Keep,
    /// Answer.
    Answer(Verdict),
}

/// How a write ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is written, and survives what its plan said.
    Applied,
    /// Nothing was written, or nobody knows; it has to be planned again under the present terms.
    Raced,
    /// The database refused its content.
    Refused,
}

/// The whole state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Control {
    term: u64,
    /// What the near store gives by itself.
    base: Durability,
    courses: BTreeMap<Kind, Course>,
    link: Link,
    dirty: BTreeSet<Key>,
    shipping: BTreeSet<Key>,
    taken: Option<Key>,
    doubt: Option<Doubt>,
    writing: Option<Writing>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Writing {
    /// What it was planned under.
    term: u64,
    commits: Vec<Footprint>,
    /// Whether copies were already brought up to date for it.
    cleaned: bool,
    /// What of it goes to the database. That is decided once: what is behind when the database
    /// is asked may be another set than what is behind when it has answered.
    sent: BTreeSet<Key>,
    /// Whether the database has it.
    far: bool,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            term: 1,
            base: Durability::Volatile,
            courses: BTreeMap::new(),
            link: Link::Up,
            dirty: BTreeSet::new(),
            shipping: BTreeSet::new(),
            taken: None,
            doubt: None,
            writing: None,
        }
    }
}

impl Control {
    /// That of a pair whose near store gives so much by itself.
    pub fn over(base: Durability) -> Self {
        Self { base, ..Self::default() }
    }

    /// Takes what happened and says what to do.
    pub fn step(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Write(term, commits) => {
                if term != self.term || self.writing.is_some() {
                    return vec![Effect::Answer(Verdict::Raced)];
                }
                let sent = BTreeSet::new();
                self.writing = Some(Writing { term, commits, cleaned: false, sent, far: false });
                return self.proceed();
            }
            Event::Cleaned(true) if self.is_current() || broken("cleaned_unchecked") => {
                return self.proceed();
            }
            Event::Cleaned(_) => return self.end(Verdict::Raced),
            Event::Far(answer) => return self.answered(answer),
            Event::Near(applied) => return self.published(applied),
            Event::Away(kind, why) => self.away(kind, why),
            Event::Up => {
                if self.doubt.is_none() && self.link != Link::Up {
                    self.link = Link::Up;
                    self.term += u64::from(!broken("stale_terms"));
                }
            }
            Event::Settled => self.settled(),
            Event::Moved(kind, course) => self.moved(kind, course),
            Event::Fenced(kinds) => self.fence(&kinds),
        }
        Vec::new()
    }

    fn proceed(&mut self) -> Vec<Effect> {
        let Some(writing) = &self.writing else { return Vec::new() };
        let durable: Vec<&Footprint> =
            writing.commits.iter().filter(|commit| self.is_durable(commit)).collect();
        if durable.is_empty() {
            return vec![Effect::WriteNear];
        }
        let keys = durable.iter().flat_map(|commit| &commit.keys);
        let behind: BTreeSet<&Key> =
            keys.filter(|key| self.is_mirrored(key) && self.is_behind(key)).collect();
        if behind.is_empty() {
            return self.send();
        }
        if writing.cleaned {
            return self.end(Verdict::Raced);
        }
        let behind = behind.into_iter().cloned().collect();
        if let Some(writing) = &mut self.writing {
            writing.cleaned = true;
        }
        vec![Effect::Clean(behind)]
    }

    fn send(&mut self) -> Vec<Effect> {
        let keys = self.writing.iter().flat_map(|writing| &writing.commits);
        let keys = keys.flat_map(|commit| &commit.keys);
        let sent = keys.filter(|key| self.goes_far(key)).cloned().collect();
        if let Some(writing) = &mut self.writing {
            writing.sent = sent;
        }
        vec![Effect::WriteFar]
    }

    /// Whether a commit is acknowledged only once the database has it.
    fn is_durable(&self, commit: &Footprint) -> bool {
        self.link == Link::Up && commit.keys.iter().any(|key| self.phase(&key.kind).is_durable())
    }

    fn answered(&mut self, answer: FarAnswer) -> Vec<Effect> {
        match answer {
            FarAnswer::Applied => {
                if let Some(writing) = &mut self.writing {
                    writing.far = true;
                }
                return vec![Effect::WriteNear];
            }
            FarAnswer::Away(kind, why) => self.away(kind, why),
            FarAnswer::Unknown(why) => return self.doubted(why),
            FarAnswer::Fenced(kinds) => self.fence(&kinds),
            FarAnswer::Refused => return self.end(Verdict::Refused),
            FarAnswer::Late => {}
        }
        self.end(Verdict::Raced)
    }

    /// The database may have what is being written.
    fn doubted(&mut self, why: String) -> Vec<Effect> {
        if let Some(writing) = self.writing.take() {
            let is_sent =
                |commit: &&Footprint| commit.keys.iter().any(|k| writing.sent.contains(k));
            let commits: Vec<&Footprint> = writing.commits.iter().filter(is_sent).collect();
            let held = |key: &&Key| !broken("holds_sent_only") || writing.sent.contains(*key);
            let keys = commits.iter().flat_map(|commit| &commit.keys).filter(held);
            if broken("nosettle") {
                self.dirty.extend(keys.cloned());
            } else {
                let commits = commits.iter().map(|commit| commit.id).collect();
                self.doubt = Some(Doubt { commits, keys: keys.cloned().collect() });
            }
        }
        self.away(ErrorKind::Unavailable, why);
        vec![Effect::Keep, Effect::Answer(Verdict::Raced)]
    }

    fn published(&mut self, applied: bool) -> Vec<Effect> {
        if !applied {
            let far = self.writing.as_ref().is_some_and(|writing| writing.far);
            if far {
                return self.doubted("memory did not take what the database has".to_owned());
            }
            // A near store that is more than memory may have it, and not have said so.
            let keys = self.writing.iter().flat_map(|writing| &writing.commits);
            let keys: Vec<Key> = keys.flat_map(|commit| commit.keys.clone()).collect();
            self.mark(keys);
            return self.end(Verdict::Raced);
        }
        if let Some(writing) = self.writing.take() {
            let stays = |key: &Key| {
                if broken("marks_by_behind") {
                    !writing.far || self.is_behind(key)
                } else {
                    !writing.sent.contains(key)
                }
            };
            let keys = writing.commits.iter().flat_map(|commit| &commit.keys);
            let keys: Vec<Key> = keys.filter(|key| stays(key)).cloned().collect();
            if !broken("nodirty") {
                self.mark(keys);
            }
        }
        vec![Effect::Answer(Verdict::Applied)]
    }

    fn end(&mut self, verdict: Verdict) -> Vec<Effect> {
        self.writing = None;
        vec![Effect::Answer(verdict)]
    }

    /// What was in doubt is written again from here on, and may lack in the database even so:
    /// what of a commit was behind when it was sent.
    fn settled(&mut self) {
        self.term += 1;
        if let Some(doubt) = self.doubt.take()
            && !broken("settles_unmarked")
        {
            self.mark(doubt.keys);
        }
    }

    fn away(&mut self, kind: ErrorKind, why: String) {
        if self.link == Link::Up && !broken("stale_terms") {
            self.term += 1;
        }
        self.link = Link::Down(kind, why);
        for course in self.courses.values_mut().filter(|course| course.phase == Phase::Joint) {
            course.phase = Phase::Shadow;
            course.owed = !broken("forgets_owed");
        }
    }

    fn fence(&mut self, kinds: &BTreeSet<Kind>) {
        self.term += 1;
        for kind in kinds {
            if let Some(course) = self.courses.get_mut(kind) {
                course.fenced = true;
            }
        }
        self.dirty.retain(|key| !kinds.contains(&key.kind));
    }

    fn moved(&mut self, kind: Kind, mut course: Course) {
        self.term += 1;
        if !course.is_mirrored() {
            self.dirty.retain(|key| key.kind != kind);
            self.shipping.retain(|key| key.kind != kind);
        }
        // Who found out meanwhile that it is not ours any more stays right.
        let fenced = self.courses.get(&kind).is_some_and(|before| before.fenced);
        course.fenced |= fenced;
        self.courses.insert(kind, course);
    }

    /// Notes that the copies of these are behind.
    pub fn mark(&mut self, keys: impl IntoIterator<Item = Key>) {
        for key in keys {
            if self.is_mirrored(&key) {
                self.dirty.insert(key);
            }
        }
    }

    /// Takes up to `most` of what is behind, to be shipped; each in its turn.
    pub fn take(&mut self, most: usize) -> Vec<Key> {
        if self.link != Link::Up {
            return Vec::new();
        }
        let from = self.taken.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let later = self.dirty.range((from, Bound::Unbounded));
        let round: Vec<&Key> = later.chain(&self.dirty).take(most.min(self.dirty.len())).collect();
        let keys: Vec<Key> = round.into_iter().cloned().collect();
        self.taken = keys.last().cloned();
        self.take_these(&keys);
        keys
    }

    /// Takes these, to be shipped, if they are behind.
    pub fn take_these(&mut self, keys: &[Key]) {
        for key in keys {
            if self.dirty.remove(key) && !broken("clears_early") {
                self.shipping.insert(key.clone());
            }
        }
    }

    /// Says whether what was taken arrived. What changed meanwhile is behind again in any case.
    pub fn shipped(&mut self, keys: &[Key], arrived: bool) {
        for key in keys {
            let taken = self.shipping.remove(key);
            if taken && !arrived {
                self.mark([key.clone()]);
            }
        }
    }

    /// Forgets a kind of which nothing is left.
    pub fn forget(&mut self, kind: &Kind) {
        self.term += 1;
        self.courses.remove(kind);
    }

    /// Notes that all that memory had of a kind was shipped to a lineage, unless it has left that
    /// since: what it went to then has not been filled.
    pub fn backfilled(&mut self, kind: &Kind, lineage: u16) {
        let here = |course: &&mut Course| course.lineage == lineage || broken("fills_any_lineage");
        if let Some(course) = self.courses.get_mut(kind).filter(here) {
            course.backfilled = true;
        }
    }

    /// Whether a write of this goes to the database, the link being up.
    pub fn goes_far(&self, key: &Key) -> bool {
        self.is_mirrored(key) && !self.is_behind(key)
    }

    /// Whether what is being written sends this to the database.
    pub fn is_sent(&self, key: &Key) -> bool {
        let by_behind = broken("sends_by_behind");
        let is_sent = |writing: &Writing| {
            if by_behind { self.goes_far(key) } else { writing.sent.contains(key) }
        };
        self.writing.as_ref().is_some_and(is_sent)
    }

    /// Whether what is being written was planned under the present terms.
    pub fn is_current(&self) -> bool {
        self.writing.as_ref().is_some_and(|writing| writing.term == self.term)
    }

    /// Whether the copy of this is behind.
    pub fn is_behind(&self, key: &Key) -> bool {
        let ships = self.shipping.contains(key) && !broken("ignores_shipping");
        self.dirty.contains(key) || ships
    }

    fn is_mirrored(&self, key: &Key) -> bool {
        self.courses.get(&key.kind).is_some_and(|course| course.is_mirrored() && !course.fenced)
    }

    /// How far a kind has moved.
    pub fn phase(&self, kind: &Kind) -> Phase {
        self.courses.get(kind).map_or(Phase::Memory, |course| course.phase)
    }

    /// Where a kind stands, if it is known.
    pub fn course(&self, kind: &Kind) -> Option<&Course> {
        self.courses.get(kind)
    }

    /// Where every kind stands.
    pub fn courses(&self) -> &BTreeMap<Kind, Course> {
        &self.courses
    }

    /// What the near store gives by itself.
    pub fn base(&self) -> Durability {
        self.base
    }

    /// The number of the present terms.
    pub fn term(&self) -> u64 {
        self.term
    }

    /// The same at another term, for telling apart what differs in more than how often the terms
    /// changed. Plans from before are to be given a term that is neither.
    pub fn at_term(mut self, term: u64) -> Self {
        if let Some(writing) = &mut self.writing {
            writing.term = if writing.term == self.term { term } else { 0 };
        }
        self.term = term;
        self
    }

    /// Whether the database can be written.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// What may have been written.
    pub fn doubt(&self) -> Option<&Doubt> {
        self.doubt.as_ref()
    }

    /// What is behind of a kind.
    pub fn behind_of(&self, kind: &Kind) -> Vec<Key> {
        let all = self.dirty.iter().chain(&self.shipping);
        all.filter(|key| key.kind == *kind).cloned().collect()
    }

    /// How much is behind, of one kind or of all.
    pub fn behind(&self, kind: Option<&Kind>) -> usize {
        let Some(kind) = kind else { return self.dirty.len() + self.shipping.len() };
        let all = self.dirty.iter().chain(&self.shipping);
        all.filter(|key| key.kind == *kind).count()
    }
}
