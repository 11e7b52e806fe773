//! What is to be done next, decided from nothing but what is recorded.
//!
//! So it does not matter who did what came before, or whether that was cut off: after a crash the
//! same table gives the same step.

use outlast_core::{PipelineStatus, StageStatus};

use super::board::{Board, Place};

/// What is to be done next about a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Record these outcomes, which are not there yet.
    Record(Vec<Place>),
    /// Begin: all is recorded.
    Begin,
    /// Leave these out: their hosts have dropped out.
    Skip(Vec<Place>),
    /// Start these. Others of the stage may be under way.
    Start(Vec<Place>),
    /// Wait for what is under way: nothing else can be done.
    Wait,
    /// Go on to the next stage: this one is over, and there are hosts left.
    Advance,
    /// Settle the pipeline so.
    End(PipelineStatus),
    /// Call these off: the pipeline was.
    Cancel(Vec<Place>),
    /// Nothing: the pipeline is settled, and so is every outcome.
    Over,
}

/// What is to be done next about a pipeline with this status, in this stage.
pub(super) fn next(status: PipelineStatus, current_stage: usize, board: &Board) -> Step {
    match status {
        PipelineStatus::Idle => begin(board),
        PipelineStatus::Running => go_on(current_stage, board),
        PipelineStatus::Complete
        | PipelineStatus::Partial
        | PipelineStatus::Failed
        | PipelineStatus::Cancelled
        | PipelineStatus::Orphaned => call_off(board),
    }
}

fn begin(board: &Board) -> Step {
    match board.places(None) {
        missing if missing.is_empty() => Step::Begin,
        missing => Step::Record(missing),
    }
}

fn go_on(stage: usize, board: &Board) -> Step {
    let dropped = board.behind_a_failure();
    if !dropped.is_empty() {
        return Step::Skip(dropped);
    }
    let waiting = board.in_stage(stage, StageStatus::Pending);
    if !waiting.is_empty() {
        return Step::Start(waiting);
    }
    if !board.in_stage(stage, StageStatus::Running).is_empty() {
        return Step::Wait;
    }
    let survivors = board.in_stage(stage, StageStatus::Success).len();
    match survivors {
        0 => Step::End(PipelineStatus::Failed),
        _ if stage + 1 < board.stages() => Step::Advance,
        all if all == board.hosts() => Step::End(PipelineStatus::Complete),
        _ => Step::End(PipelineStatus::Partial),
    }
}

fn call_off(board: &Board) -> Step {
    let waiting = board.places(Some(StageStatus::Pending));
    if !waiting.is_empty() {
        return Step::Cancel(waiting);
    }
    match board.places(Some(StageStatus::Running)) {
        running if running.is_empty() => Step::Over,
        _ => Step::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use outlast_core::Status as _;

    use PipelineStatus::{Cancelled, Complete, Failed, Idle, Orphaned, Partial, Running};

    fn status_of(letter: char) -> Option<StageStatus> {
        match letter {
            'p' => Some(StageStatus::Pending),
            'r' => Some(StageStatus::Running),
            's' => Some(StageStatus::Success),
            'f' => Some(StageStatus::Failed),
            'k' => Some(StageStatus::Skipped),
            'c' => Some(StageStatus::Cancelled),
            '.' => None,
            other => panic!("{other}"),
        }
    }

    /// One word per stage, one letter per host.
    fn board(text: &str) -> Board {
        let stages: Vec<&str> = text.split_whitespace().collect();
        let mut board = Board::new(stages.len(), stages[0].len());
        for (stage, word) in stages.iter().enumerate() {
            for (host, letter) in word.chars().enumerate() {
                if let Some(status) = status_of(letter) {
                    board.set(Place { stage, host }, status);
                }
            }
        }
        board
    }

    fn at(places: &[(usize, usize)]) -> Vec<Place> {
        places.iter().map(|(stage, host)| Place { stage: *stage, host: *host }).collect()
    }

    #[test]
    fn each_table_has_its_step() {
        let table = [
            (Idle, 0, ".. ..", Step::Record(at(&[(0, 0), (0, 1), (1, 0), (1, 1)]))),
            (Idle, 0, "pp p.", Step::Record(at(&[(1, 1)]))),
            (Idle, 0, "pp pp", Step::Begin),
            (Running, 0, "pp pp", Step::Start(at(&[(0, 0), (0, 1)]))),
            (Running, 0, "rp pp", Step::Start(at(&[(0, 1)]))),
            (Running, 0, "rr pp", Step::Wait),
            (Running, 0, "sr pp", Step::Wait),
            (Running, 0, "fr pp", Step::Skip(at(&[(1, 0)]))),
            (Running, 0, "fr kp", Step::Wait),
            (Running, 0, "cr pp", Step::Skip(at(&[(1, 0)]))),
            (Running, 0, "ss pp", Step::Advance),
            (Running, 0, "fs kp", Step::Advance),
            (Running, 1, "ss pp", Step::Start(at(&[(1, 0), (1, 1)]))),
            (Running, 1, "fs kp", Step::Start(at(&[(1, 1)]))),
            (Running, 0, "ff pp", Step::Skip(at(&[(1, 0), (1, 1)]))),
            (Running, 0, "ff kk", Step::End(Failed)),
            (Running, 1, "fs kf", Step::End(Failed)),
            (Running, 1, "fs ks", Step::End(Partial)),
            (Running, 1, "ss sf", Step::End(Partial)),
            (Running, 1, "ss ss", Step::End(Complete)),
            (Cancelled, 0, "rp pp", Step::Cancel(at(&[(0, 1), (1, 0), (1, 1)]))),
            (Cancelled, 0, "rc cc", Step::Wait),
            (Cancelled, 0, "sc cc", Step::Over),
            (Cancelled, 0, ".. ..", Step::Over),
            (Orphaned, 1, "ss pr", Step::Cancel(at(&[(1, 0)]))),
            (Orphaned, 1, "ss cc", Step::Over),
            (Complete, 1, "ss ss", Step::Over),
        ];
        for (status, stage, text, step) in table {
            let found = next(status, stage, &board(text));
            assert_eq!(found, step, "{} in stage {stage}: {text}", status.as_str());
        }
    }

    /// Plays a pipeline to its end. `outcome` decides what comes of each place.
    fn play(stages: usize, hosts: usize, outcome: impl Fn(Place) -> StageStatus) -> Board {
        let (mut board, mut status, mut stage) = (Board::new(stages, hosts), Idle, 0);
        let mut steps = 0;
        while status == Idle || status == Running {
            steps += 1;
            assert!(steps < 10 * (stages + 1) * (hosts + 1), "it does not end: {board:?}");
            match next(status, stage, &board) {
                Step::Record(places) => {
                    for place in &places {
                        board.set(*place, StageStatus::Pending);
                    }
                }
                Step::Begin => status = Running,
                Step::Skip(places) => {
                    for place in &places {
                        board.set(*place, StageStatus::Skipped);
                    }
                }
                Step::Start(places) => {
                    for place in places {
                        assert_eq!(place.stage, stage);
                        check_barrier(&board, place);
                        board.set(place, StageStatus::Running);
                    }
                }
                // The last that began ends first, one at a time.
                Step::Wait => {
                    let running = board.places(Some(StageStatus::Running));
                    let last = *running.last().unwrap();
                    board.set(last, outcome(last));
                }
                Step::Advance => stage += 1,
                Step::End(end) => {
                    check_end(&board, end);
                    status = end;
                }
                step @ (Step::Cancel(_) | Step::Over) => panic!("{step:?}"),
            }
        }
        assert_eq!(next(status, stage, &board), Step::Over);
        board
    }

    fn check_barrier(board: &Board, place: Place) {
        for (other, status) in board.iter().filter(|(other, _)| other.stage < place.stage) {
            assert!(status.unwrap().is_settled(), "{place:?} began before {other:?} was over");
            if other.host == place.host {
                assert_eq!(status, Some(StageStatus::Success), "{place:?} after {other:?}");
            }
        }
    }

    fn check_end(board: &Board, end: PipelineStatus) {
        let through = board.in_stage(board.stages() - 1, StageStatus::Success).len();
        let expected = match through {
            0 => Failed,
            all if all == board.hosts() => Complete,
            _ => Partial,
        };
        assert_eq!(end, expected, "{board:?}");
    }

    #[test]
    fn every_course_of_a_small_pipeline_keeps_the_barrier_and_ends_as_it_should() {
        for (stages, hosts) in [(1, 1), (1, 3), (3, 1), (2, 3), (3, 3)] {
            for course in 0..1_u32 << (stages * hosts) {
                let fails = |place: Place| course >> (place.stage * hosts + place.host) & 1 == 1;
                let board = play(stages, hosts, |place| {
                    if fails(place) { StageStatus::Failed } else { StageStatus::Success }
                });
                for (place, status) in board.iter() {
                    let first = (0..stages).find(|stage| fails(Place { stage: *stage, ..place }));
                    let expected = match first {
                        Some(first) if first < place.stage => StageStatus::Skipped,
                        Some(first) if first == place.stage => StageStatus::Failed,
                        _ => StageStatus::Success,
                    };
                    assert_eq!(status, Some(expected), "{place:?} of course {course:b}");
                }
            }
        }
    }
}
