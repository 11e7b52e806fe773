//! What came of each stage on each host, as a table.

use outlast_core::StageStatus;

/// One stage on one host, by their places in the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) stage: usize,
    pub(super) host: usize,
}

/// What came of each stage on each host; nothing where no outcome is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Board {
    hosts: usize,
    cells: Vec<Option<StageStatus>>,
}

impl Board {
    /// A table with nothing in it.
    pub(super) fn new(stages: usize, hosts: usize) -> Self {
        Self { hosts, cells: vec![None; stages * hosts] }
    }

    /// Writes down what is recorded there.
    pub(super) fn set(&mut self, place: Place, status: StageStatus) {
        let index = self.index(place);
        if let Some(cell) = self.cells.get_mut(index) {
            *cell = Some(status);
        }
    }

    /// Every place, stage by stage, with what is recorded there.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, Option<StageStatus>)> {
        let hosts = self.hosts.max(1);
        let place = move |index| Place { stage: index / hosts, host: index % hosts };
        self.cells.iter().enumerate().map(move |(index, status)| (place(index), *status))
    }

    /// The places where this is recorded.
    pub(super) fn places(&self, status: Option<StageStatus>) -> Vec<Place> {
        self.iter().filter(|(_, cell)| *cell == status).map(|(place, _)| place).collect()
    }

    fn index(&self, place: Place) -> usize {
        place.stage * self.hosts + place.host
    }
}

/// What driving asks.
#[cfg(feature = "process")]
impl Board {
    /// How many stages there are.
    pub(super) fn stages(&self) -> usize {
        self.cells.len().checked_div(self.hosts).unwrap_or(0)
    }

    /// How many hosts.
    pub(super) fn hosts(&self) -> usize {
        self.hosts
    }

    /// What is recorded there.
    pub(super) fn at(&self, place: Place) -> Option<StageStatus> {
        self.cells.get(self.index(place)).copied().flatten()
    }

    /// The hosts of a stage where this is recorded.
    pub(super) fn in_stage(&self, stage: usize, status: StageStatus) -> Vec<Place> {
        let of_stage = (0..self.hosts).map(|host| Place { stage, host });
        of_stage.filter(|place| self.at(*place) == Some(status)).collect()
    }

    /// What waits although its host has dropped out before.
    pub(super) fn behind_a_failure(&self) -> Vec<Place> {
        let mut has_dropped = vec![false; self.hosts];
        let mut waiting = Vec::new();
        for (place, status) in self.iter() {
            let Some(has_dropped) = has_dropped.get_mut(place.host) else { continue };
            match status {
                Some(StageStatus::Pending) if *has_dropped => waiting.push(place),
                Some(StageStatus::Failed | StageStatus::Skipped | StageStatus::Cancelled) => {
                    *has_dropped = true;
                }
                Some(StageStatus::Pending | StageStatus::Running | StageStatus::Success) | None => {
                }
            }
        }
        waiting
    }
}
