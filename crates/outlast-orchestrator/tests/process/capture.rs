//! Output arrives byte for byte, in order, promptly, and never piles up.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use std::io::Write;

use outlast_core::{Clock, ManualClock, Timestamp};
use outlast_orchestrator::process::{Capture, FlushPolicy, Gated, LogStream, Pipes};
use tokio::process::{ChildStderr, ChildStdout};

use crate::support::{
    DRAIN, Text, capture, direct, eventually, kill, run, shell, start_with, within,
};

const NEVER: Duration = Duration::from_secs(1000);

#[tokio::test]
async fn any_bytes_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend_from_slice(b"\xff\xfe\0\0\n\r\n\xc3\x28 \xed\xa0\x80 no newline at the end");
    std::fs::write(folder.path().join("bytes"), &bytes).unwrap();
    let mut spec = shell("cat bytes; cat bytes bytes >&2");
    spec.cwd = Some(folder.path().into());
    let (exit, text) = run(&spec).await;
    assert!(exit.is_success());
    assert_eq!(text.stdout, bytes);
    assert_eq!(text.stderr, [&bytes[..], &bytes[..]].concat());
    assert_eq!(text.system, b"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_consumer_blocks_the_task_instead_of_filling_memory() {
    const TOTAL: usize = 20 << 20;
    let seed = fastrand::u64(..);
    println!("seed {seed}: replay with fastrand::Rng::with_seed({seed})");
    let mut expected = vec![0; TOTAL];
    fastrand::Rng::with_seed(seed).fill(&mut expected);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bytes"), &expected).unwrap();

    let policy = FlushPolicy { max_bytes: 32 * 1024, ..FlushPolicy::default() };
    // Small writes, because the system counts each when it is done.
    let mut spec = direct(&["dd", "if=bytes", "bs=4096", "status=none"]);
    spec.cwd = Some(folder.path().into());
    let mut started = start_with(&spec, policy);
    let pid = started.running.identity().pid;
    // The pipe itself, five flushes on this side of it, what is in the consumer's hands, and the
    // write that is not counted yet.
    let bound = 64 * 1024 + 6 * policy.max_bytes + 4096;

    let activity = started.capture.activity();
    eventually("the consumer is waited for", || activity.is_held()).await;
    let mut received = Vec::with_capacity(TOTAL);
    let mut highest = 0;
    while let Some(fragments) = within(started.output.fragments.next()).await {
        for fragment in fragments {
            assert_eq!(fragment.stream, LogStream::Stdout);
            assert_eq!(fragment.byte_offset, received.len() as u64);
            assert!(fragment.data.len() <= policy.max_bytes);
            if let Some(written) = written(pid) {
                let outstanding = (written + 4096).saturating_sub(received.len());
                assert!(outstanding <= bound, "{outstanding} bytes are held, {bound} allowed");
                highest = highest.max(outstanding);
            }
            received.extend(fragment.data);
        }
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
    assert!(highest > policy.max_bytes, "nothing was ever outstanding: the measure is broken");
    assert!(received == expected, "the bytes differ");
    assert!(within(started.running.wait()).await.unwrap().is_success());
}

/// What a process has written so far, as the system counts it.
fn written(pid: u32) -> Option<usize> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("wchar: "))?.parse().ok()
}

#[tokio::test]
async fn a_few_bytes_arrive_while_the_task_is_silent() {
    let policy = FlushPolicy { interval: Duration::from_millis(20), ..FlushPolicy::default() };
    let mut started = start_with(&shell("echo abc; exec sleep 1000"), policy);
    started.output.lines(1).await;
    assert_eq!(started.running.members().unwrap(), [started.running.identity().pid]);
}

#[tokio::test]
async fn bytes_wait_for_company_until_a_bound_is_met() {
    let policy = FlushPolicy { max_bytes: 1000, max_fragments: 64, interval: NEVER };
    let mut started = start_with(&shell("head -c 2500 /dev/zero; exec sleep 1000"), policy);
    for _ in 0..2 {
        let fragments = within(started.output.fragments.next()).await.unwrap();
        assert_eq!(fragments.iter().map(|fragment| fragment.data.len()).sum::<usize>(), 1000);
    }
    let rest =
        tokio::time::timeout(Duration::from_millis(50), started.output.fragments.next()).await;
    assert!(rest.is_err(), "{rest:?} was flushed although no bound was met");
    kill(started.running.identity().pid);
    let rest = within(started.output.fragments.next()).await.unwrap();
    assert_eq!(rest[0].data.len(), 500);
    assert!(within(started.output.fragments.next()).await.is_none());
}

#[tokio::test]
async fn the_order_between_the_streams_is_kept() {
    // Each line waits until the one before it has been read.
    let (mut stdout, mut stderr, pipes) = sockets();
    let policy = FlushPolicy { max_bytes: 1000, max_fragments: 6, interval: NEVER };
    let clock = Arc::new(ManualClock::at(Timestamp::default()));
    let (capture, mut output) = Capture::start(pipes, policy, clock.clone());
    let activity = capture.activity();
    for n in 0..6u8 {
        clock.advance(Duration::from_secs(1));
        let now = clock.monotonic();
        let stream = if n % 2 == 0 { &mut stdout } else { &mut stderr };
        stream.write_all(&[b'a' + n, b'\n']).unwrap();
        eventually("it is read", || activity.last() == now).await;
    }
    let fragments = within(output.next()).await.unwrap();
    let order: Vec<_> = fragments
        .iter()
        .map(|fragment| (fragment.stream.as_str(), fragment.byte_offset, &fragment.data[..]))
        .collect();
    let expected: [(&str, u64, &[u8]); 6] = [
        ("stdout", 0, b"a\n"),
        ("stderr", 0, b"b\n"),
        ("stdout", 2, b"c\n"),
        ("stderr", 2, b"d\n"),
        ("stdout", 4, b"e\n"),
        ("stderr", 4, b"f\n"),
    ];
    assert_eq!(order, expected);
}

/// Both ends of two sockets in place of pipes: unlike pipes, they can be made to fail.
fn sockets() -> (UnixStream, UnixStream, Pipes) {
    let (stdout, ours) = UnixStream::pair().unwrap();
    let (stderr, theirs) = UnixStream::pair().unwrap();
    let ours: std::process::ChildStdout = OwnedFd::from(ours).into();
    let theirs: std::process::ChildStderr = OwnedFd::from(theirs).into();
    let pipes = Pipes {
        stdout: ChildStdout::from_std(ours).unwrap(),
        stderr: ChildStderr::from_std(theirs).unwrap(),
    };
    (stdout, stderr, pipes)
}

#[tokio::test]
async fn a_failing_stream_is_told_in_the_output_and_the_other_goes_on() {
    let (mut stdout, mut stderr, pipes) = sockets();
    // Closing a socket that has unread data resets the connection: the other end reads an error.
    let unread = pipes.stdout.into_owned_fd().unwrap();
    rustix::io::write(&unread, b"never read").unwrap();
    let unread: std::process::ChildStdout = unread.into();
    let pipes = Pipes { stdout: ChildStdout::from_std(unread).unwrap(), stderr: pipes.stderr };
    stdout.write_all(b"before\n").unwrap();
    let (_capture, mut output) = capture(pipes, FlushPolicy::default());
    output.lines(1).await;
    drop(stdout);
    stderr.write_all(b"after").unwrap();
    drop(stderr);
    let text = output.rest().await;
    assert_eq!(text.stdout, b"before\n");
    assert_eq!(text.stderr, b"after");
    let note = text.note();
    assert!(note.starts_with("reading stdout failed: ") && note.ends_with('\n'), "{note}");
}

#[tokio::test]
async fn a_task_whose_output_nobody_wants_is_told() {
    let started = start_with(&direct(&["yes"]), FlushPolicy::default());
    drop(started.output);
    within(started.capture.ended()).await;
    assert_eq!(within(started.running.wait()).await.unwrap().signal, Some(13));
}

#[tokio::test]
async fn a_silent_task_whose_output_nobody_wants_is_not_read_any_more() {
    let started = start_with(&direct(&["sleep", "1000"]), FlushPolicy::default());
    drop(started.output);
    within(started.capture.ended()).await;
    assert_eq!(started.running.members().unwrap(), [started.running.identity().pid]);
}

#[tokio::test]
async fn activity_is_when_bytes_last_arrived() {
    let (mut stdout, stderr, pipes) = sockets();
    let clock = Arc::new(ManualClock::at(Timestamp::default()));
    clock.advance(Duration::from_secs(5));
    let policy = FlushPolicy { max_bytes: 1, ..FlushPolicy::default() };
    let (capture, mut output) = Capture::start(pipes, policy, clock.clone());
    let activity = capture.activity();
    assert_eq!(activity.last(), Duration::from_secs(5));

    clock.advance(Duration::from_secs(1));
    stdout.write_all(b"x").unwrap();
    assert_eq!(within(output.next()).await.unwrap()[0].data, b"x");
    assert_eq!(activity.last(), Duration::from_secs(6));
    clock.advance(Duration::from_secs(1));
    assert_eq!(activity.last(), Duration::from_secs(6), "silence is not activity");

    // Behind a consumer that does not consume, silence is nobody's fault.
    stdout.write_all(&[b'y'; 100]).unwrap();
    eventually("the consumer is waited for", || activity.is_held()).await;
    clock.advance(Duration::from_secs(100));
    assert_eq!(activity.last(), clock.monotonic());
    drop(stdout);
    drop(stderr);
    let mut rest = 0;
    while let Some(fragments) = within(output.next()).await {
        rest += fragments.iter().map(|fragment| fragment.data.len()).sum::<usize>();
    }
    assert_eq!(rest, 100);
}

#[tokio::test]
async fn a_cut_loses_nothing_that_was_written_before_it() {
    // More than is read at once, and more than fits the flushes that may wait.
    let (running, pipes) =
        Gated::spawn(&shell("head -c 65536 /dev/zero; setsid sleep 1000 & echo $! >&2"))
            .unwrap()
            .release()
            .unwrap();
    within(running.wait()).await.unwrap();
    let policy = FlushPolicy { max_bytes: 1000, ..FlushPolicy::default() };
    let (capture, output) = capture(pipes, policy);
    capture.cut();
    let text = output.rest().await;
    assert_eq!(text.stdout.len(), 65536);
    let note = text.note();
    assert!(note.contains("stdout was still held open"), "{note}");
    kill(String::from_utf8(text.stderr).unwrap().trim().parse().unwrap());
    within(capture.ended()).await;
}

#[tokio::test]
async fn a_full_pipe_that_has_ended_is_not_called_held_open() {
    // Several times, because the reading may begin before the cut is noticed.
    for _ in 0..10 {
        let gated = Gated::spawn(&shell("head -c 65536 /dev/zero")).unwrap();
        let (running, pipes) = gated.release().unwrap();
        within(running.wait()).await.unwrap();
        let (capture, output) = capture(pipes, FlushPolicy::default());
        capture.cut();
        let text = output.rest().await;
        assert_eq!((text.stdout.len(), text.note()), (65536, ""));
    }
}

#[tokio::test]
async fn policies_of_nothing_still_deliver_everything() {
    let policy = FlushPolicy { max_bytes: 0, max_fragments: 0, interval: Duration::ZERO };
    let started = start_with(&shell("echo abc; echo def >&2"), policy);
    let (exit, text) = started.finish(DRAIN).await;
    assert!(exit.is_success());
    assert_eq!(text, Text { stdout: b"abc\n".into(), stderr: b"def\n".into(), system: vec![] });
}

#[tokio::test]
async fn a_capture_nobody_watches_still_ends() {
    let started = start_with(&shell("echo abc"), FlushPolicy::default());
    drop(started.capture);
    assert_eq!(started.output.rest().await, Text::of("abc\n"));
}
