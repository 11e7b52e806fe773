//! The program under load.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::log::Log;
use crate::Result;

/// How long an order may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// The program, and what it answers.
pub(super) struct Child {
    process: std::process::Child,
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
    reading: JoinHandle<()>,
    phase: String,
}

impl Child {
    /// Starts it and waits until it is ready.
    pub(super) fn start(program: &Path, database: &Path, state: &Path, log: &Log) -> Result<Self> {
        let mut process = Command::new(program)
            .args([database, state])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = process.stdin.take();
        let output = process.stdout.take().ok_or("the program has no output")?;
        let (sender, answers) = channel();
        let log = log.clone();
        let reading = std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { return };
                if !log.note(&line) {
                    let _ = sender.send(line);
                }
            }
        });
        let mut child = Self { process, orders, answers, reading, phase: String::new() };
        child.answer("starting")?;
        Ok(child)
    }

    /// Orders something and waits until it is done.
    pub(super) fn order(&mut self, order: &str) -> Result<()> {
        let orders = self.orders.as_mut().ok_or("the program takes no orders any more")?;
        writeln!(orders, "{order}")?;
        self.answer(order)
    }

    fn answer(&mut self, order: &str) -> Result<()> {
        let line = self.answers.recv_timeout(PATIENCE);
        let line = line.map_err(|_| format!("the program did not answer: {order}"))?;
        match line.split_once(' ') {
            Some(("done" | "ready", phase)) => {
                phase.clone_into(&mut self.phase);
                Ok(())
            }
            _ => Err(format!("{order}: {line}").into()),
        }
    }

    /// Where its counters are.
    pub(super) fn phase(&self) -> &str {
        &self.phase
    }

    /// Kills it at once, and reads what it had said until then.
    pub(super) fn kill(mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        self.reading.join().map_err(|_| "its output could not be read".into())
    }

    /// Lets it end.
    pub(super) fn end(mut self) -> Result<()> {
        drop(self.orders.take());
        let status = self.process.wait()?;
        if !status.success() {
            return Err(format!("the program ended with {status}").into());
        }
        self.reading.join().map_err(|_| "its output could not be read".into())
    }
}
