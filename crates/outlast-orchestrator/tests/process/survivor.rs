//! What is found and stopped after the owner of a task was killed, and what is never touched.
//!
//! The processes here are spawned by hand, so that nothing but the survivor looks after them.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use outlast_core::{ErrorKind, ProcessIdentity};
use outlast_orchestrator::process::{Stopped, Survivor, identify_self};

use crate::support::{STUCK, eventually, identity, is_alive, kill, task_id, within};

const SHORT: Duration = Duration::from_millis(50);

/// A leader as the gate would have made it, and the identities of the processes it printed.
struct Orphans {
    task: String,
    leader: ProcessIdentity,
    child: Child,
    others: Vec<ProcessIdentity>,
}

impl Orphans {
    /// Runs `line`, which prints the pids of its children, then `ready`.
    fn new(line: &str) -> Self {
        let task = task_id();
        let mut child = Command::new("/bin/sh")
            .args(["-c", line])
            .env("OUTLAST_TASK_ID", &task)
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let leader = identity(child.id());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let others = lines
            .take_while(|line| line != "ready")
            .map(|line| identity(line.trim().parse().unwrap()))
            .collect();
        Self { task, leader, child, others }
    }

    async fn find(&self) -> Option<Survivor> {
        within(Survivor::find(&self.leader, &self.task)).await.unwrap()
    }

    async fn stop(&self, grace: Duration) -> Stopped {
        let survivor = self.find().await.expect("something survives");
        within(survivor.stop(grace)).await.unwrap()
    }

    /// Ends the leader alone and gives its pid back.
    fn behead(&mut self) {
        kill(self.leader.pid);
        self.child.wait().unwrap();
    }
}

/// Leaves nothing behind when a test fails.
impl Drop for Orphans {
    fn drop(&mut self) {
        for other in self.others.iter().filter(|other| is_alive(other)) {
            kill(other.pid);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sorted(mut pids: Vec<u32>) -> Vec<u32> {
    pids.sort_unstable();
    pids
}

#[tokio::test]
async fn a_surviving_group_is_stopped_with_its_grandchildren() {
    let line = "sleep 1000 & echo $!; \
                sh -c 'echo $$; sleep 1001 & echo $!; echo ready; wait' & wait";
    let orphans = Orphans::new(line);
    assert_eq!(orphans.others.len(), 3);
    let mut all: Vec<u32> = orphans.others.iter().map(|other| other.pid).collect();
    all.push(orphans.leader.pid);
    assert_eq!(orphans.find().await.unwrap().pids(), sorted(all.clone()));

    let stopped = orphans.stop(STUCK).await;
    assert_eq!(stopped, Stopped { asked: sorted(all), killed: vec![] });
    assert!(!orphans.others.iter().any(is_alive) && !is_alive(&orphans.leader));
    assert!(orphans.find().await.is_none());
}

#[tokio::test]
async fn what_ignores_the_request_is_killed_after_the_grace() {
    // The child has no marker, and its leader, which ties it to the task, goes first.
    let line = "env -i /bin/sh -c 'trap \"\" TERM; echo $$; echo ready; while :; do sleep 0.01; done' & wait";
    let orphans = Orphans::new(line);
    let stubborn = orphans.others[0].clone();
    let stopped = orphans.stop(SHORT).await;
    assert!(stopped.killed.contains(&stubborn.pid));
    assert!(!is_alive(&stubborn) && !is_alive(&orphans.leader));
}

#[tokio::test]
async fn members_with_the_marker_are_stopped_when_the_leader_is_gone() {
    let line = "sleep 1000 & echo $!; env -i sleep 1001 & echo $!; \
                OUTLAST_TASK_ID=${OUTLAST_TASK_ID}0 sleep 1002 & echo $!; echo ready; wait";
    let mut orphans = Orphans::new(line);
    let [marked, unmarked, longer] = &orphans.others.clone()[..] else { panic!() };
    // The markers are those of the programs, not of the shell that is about to become them.
    for other in [marked, unmarked, longer] {
        let comm = format!("/proc/{}/comm", other.pid);
        eventually("exec", || std::fs::read_to_string(&comm).unwrap() == "sleep\n").await;
    }
    orphans.behead();
    let stopped = orphans.stop(STUCK).await;
    assert_eq!(stopped, Stopped { asked: vec![marked.pid], killed: vec![] });
    assert!(!is_alive(marked));
    assert!(is_alive(unmarked), "nothing ties it to the task any more");
    assert!(is_alive(longer), "its marker only begins like the task's");
    assert!(orphans.find().await.is_none());
}

#[tokio::test]
async fn processes_that_left_the_group_are_found_by_the_marker() {
    let mut orphans = Orphans::new("setsid sleep 1000 & echo $!; echo ready; wait");
    let daemon = orphans.others[0].clone();
    let session = || std::fs::read_to_string(format!("/proc/{}/stat", daemon.pid)).unwrap();
    eventually("it left", || session().split(' ').nth(4) == Some(&daemon.pid.to_string())).await;
    orphans.behead();
    assert_eq!(orphans.stop(STUCK).await.asked, [daemon.pid]);
    assert!(!is_alive(&daemon));
}

#[tokio::test]
async fn a_process_that_left_group_and_environment_is_found_by_its_parent() {
    let orphans = Orphans::new("env -i setsid sh -c 'echo $$; echo ready; sleep 1000; :' & wait");
    let stray = orphans.others[0].clone();
    let stopped = orphans.stop(STUCK).await;
    assert!(stopped.asked.contains(&stray.pid), "{stopped:?}");
    assert!(stopped.asked.len() >= 2, "its own child may still be to come: {stopped:?}");
    assert!(!is_alive(&stray) && !is_alive(&orphans.leader));
}

#[tokio::test]
async fn processes_spawned_while_stopping_are_stopped_too() {
    let line = "trap 'sleep 1000 & exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let orphans = Orphans::new(line);
    // A shell that is just being forked may lose the request, and is then killed. Until then its
    // parent has plenty of time to fork it.
    let stopped = orphans.stop(Duration::from_secs(5)).await;
    assert!(stopped.asked.len() >= 2, "{stopped:?}");
    for pid in std::fs::read_dir("/proc").unwrap() {
        let environ = std::fs::read(pid.unwrap().path().join("environ")).unwrap_or_default();
        let marker = format!("OUTLAST_TASK_ID={}", orphans.task);
        assert!(!environ.split(|byte| *byte == 0).any(|entry| entry == marker.as_bytes()));
    }
}

#[tokio::test]
async fn a_recycled_pid_is_never_signalled() {
    // A live stranger that leads a group of its own, under the pid that was recorded.
    let mut stranger = Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
    let actual = identity(stranger.id());
    let check = async |change: fn(&mut ProcessIdentity)| {
        let mut recorded = actual.clone();
        change(&mut recorded);
        let found = within(Survivor::find(&recorded, &task_id())).await.unwrap();
        assert!(found.is_none(), "{recorded:?} is taken for {actual:?}");
    };
    check(|recorded| recorded.start_ticks -= 1).await;
    check(|recorded| recorded.start_ticks += 1).await;
    check(|recorded| recorded.boot_id = "another boot".into()).await;
    check(|recorded| recorded.pid_namespace = "pid:[1]".into()).await;
    check(|recorded| recorded.pid = u32::MAX).await;
    check(|recorded| recorded.pid = 0).await;
    assert!(is_alive(&actual));
    // And the identity as it is does find it, or the checks above would prove nothing.
    let found = within(Survivor::find(&actual, &task_id())).await.unwrap().unwrap();
    assert_eq!(found.pids(), [actual.pid]);
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_process_that_ends_between_finding_and_stopping_is_no_error() {
    let mut orphans = Orphans::new("echo ready; exec sleep 1000");
    let survivor = orphans.find().await.unwrap();
    orphans.behead();
    let stopped = within(survivor.stop(STUCK)).await.unwrap();
    assert_eq!(stopped.killed, Vec::<u32>::new());
}

#[tokio::test]
async fn nothing_survives_a_restart_of_the_machine() {
    let orphans = Orphans::new("echo ready; exec sleep 1000");
    let recorded = ProcessIdentity { boot_id: "another boot".into(), ..orphans.leader.clone() };
    // Not even by its marker: task ids of another boot mean nothing to processes of this one.
    assert!(Survivor::find(&recorded, &orphans.task).await.unwrap().is_none());
    assert!(is_alive(&orphans.leader));
}

#[tokio::test]
async fn in_another_namespace_the_group_does_not_count() {
    let orphans = Orphans::new("(env -i sleep 1000 & echo $!); echo ready; exec sleep 1001");
    let bare = &orphans.others[0];
    let comm = format!("/proc/{}/comm", bare.pid);
    eventually("exec", || std::fs::read_to_string(&comm).unwrap() == "sleep\n").await;
    let recorded = ProcessIdentity { pid_namespace: "pid:[1]".into(), ..orphans.leader.clone() };
    let found = Survivor::find(&recorded, &orphans.task).await.unwrap().unwrap();
    assert_eq!(found.pids(), [orphans.leader.pid]);
}

#[tokio::test]
async fn a_task_without_an_id_is_refused() {
    let leader = identify_self().unwrap();
    for task in ["", "a\0b"] {
        assert_eq!(Survivor::find(&leader, task).await.unwrap_err().kind(), ErrorKind::Invalid);
    }
}
