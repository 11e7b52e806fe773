//! What a pipeline is asked to do.

use std::collections::HashSet;

use outlast_core::{
    CommandLine, Error, Id, OpSpec, Pipeline, PipelineRecovery, PipelineStatus, Result, Timestamp,
};

/// No name of a pipeline, a host or an operation is longer, in bytes: the id of an outcome holds
/// that of the pipeline and that of the host.
const NAME_BYTES: usize = 256;

/// The most outcomes a pipeline has: its stages times its hosts.
pub const MAX_OUTCOMES: usize = 10_000;

/// What a pipeline does, checked: it has stages and hosts, and no host twice.
///
/// ```
/// use outlast_core::{OpSpec, PipelineRecovery};
/// use outlast_orchestrator::fleet::pipeline::Definition;
///
/// let stages = ["pull", "switch", "test"].map(OpSpec::new);
/// let deploy = Definition::new("deploy", ["h1", "h2"], stages)?.recovery(PipelineRecovery::Resume);
/// assert_eq!(deploy.stages().len(), 3);
///
/// let refused = Definition::new("deploy", ["h1", "h1"], [OpSpec::new("pull")]).unwrap_err();
/// assert_eq!(refused.to_string(), "pipeline \"deploy\" names host \"h1\" twice");
/// # Ok::<(), outlast_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    name: String,
    hosts: Vec<String>,
    stages: Vec<OpSpec>,
    recovery: PipelineRecovery,
}

impl Definition {
    /// Checks a pipeline over the hosts with these ids, which recovery orphans.
    ///
    /// `Invalid`, naming the culprit, for no hosts, no stages, a host named twice, an empty or
    /// overlong name, an empty command or a timeout of zero; `TooLarge` over [`MAX_OUTCOMES`].
    /// Whether the hosts exist is asked when it is started.
    pub fn new<H: Into<String>>(
        name: impl Into<String>,
        hosts: impl IntoIterator<Item = H>,
        stages: impl IntoIterator<Item = OpSpec>,
    ) -> Result<Self> {
        let definition = Self {
            name: name.into(),
            hosts: hosts.into_iter().map(Into::into).collect(),
            stages: stages.into_iter().collect(),
            recovery: PipelineRecovery::default(),
        };
        definition.check()?;
        Ok(definition)
    }

    /// The same, with what recovery does about it.
    pub fn recovery(mut self, recovery: PipelineRecovery) -> Self {
        self.recovery = recovery;
        self
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The ids of its hosts, in their order.
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// What each stage does, in their order.
    pub fn stages(&self) -> &[OpSpec] {
        &self.stages
    }

    /// An execution of it that has not begun.
    pub(super) fn pipeline(&self, now: Timestamp) -> Pipeline {
        Pipeline {
            status: PipelineStatus::Idle,
            name: self.name.clone(),
            hosts: self.hosts.clone(),
            stages: self.stages.clone(),
            current_stage: 0,
            recovery: self.recovery,
            created_at: now,
            finished_at: None,
            error: None,
        }
    }

    fn check(&self) -> Result<()> {
        check_name("the name of the pipeline", &self.name)?;
        let what = format!("pipeline {:?}", self.name);
        if self.hosts.is_empty() {
            return Err(Error::invalid(format!("{what} has no hosts")));
        }
        if self.stages.is_empty() {
            return Err(Error::invalid(format!("{what} has no stages")));
        }
        let outcomes = self.hosts.len().saturating_mul(self.stages.len());
        if outcomes > MAX_OUTCOMES {
            return Err(Error::too_large(format!(
                "{what} has {} stages on {} hosts: that is over {MAX_OUTCOMES} outcomes",
                self.stages.len(),
                self.hosts.len()
            )));
        }
        let mut known = HashSet::new();
        for host in &self.hosts {
            check_name(&format!("a host of {what}"), host)?;
            if !known.insert(host) {
                return Err(Error::invalid(format!("{what} names host {host:?} twice")));
            }
        }
        for (stage, op) in self.stages.iter().enumerate() {
            check_stage(op).map_err(|error| {
                error.context(format!("stage {} ({:?}) of {what}", stage + 1, op.op))
            })?;
        }
        Ok(())
    }
}

fn check_name(what: &str, name: &str) -> Result<()> {
    if name.len() > NAME_BYTES {
        return Err(Error::invalid(format!("{what} is longer than {NAME_BYTES} bytes")));
    }
    if name.trim().is_empty() {
        return Err(Error::invalid(format!("{what} is empty")));
    }
    Id::new(name).map(drop).map_err(|error| error.context(what))
}

fn check_stage(op: &OpSpec) -> Result<()> {
    check_name("the operation", &op.op)?;
    let is_empty = match &op.run {
        None => false,
        Some(CommandLine::Shell(line)) => line.trim().is_empty(),
        Some(CommandLine::Direct(words)) => words.first().is_none_or(String::is_empty),
    };
    if is_empty {
        return Err(Error::invalid("the command is empty"));
    }
    if op.timeout_ms == 0 {
        return Err(Error::invalid("timeout_ms must be 1 or more"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(name: &str) -> OpSpec {
        OpSpec::new(name)
    }

    #[test]
    fn what_is_no_pipeline_is_refused_by_name() {
        let none: [&str; 0] = [];
        let empty = OpSpec { run: Some(CommandLine::Shell(" ".into())), ..op("pull") };
        let hasty = OpSpec { timeout_ms: 0, ..op("pull") };
        let long = "h".repeat(NAME_BYTES + 1);
        let table = [
            (Definition::new("", ["h"], [op("a")]), "the name of the pipeline is empty"),
            (Definition::new("p", none, [op("a")]), "has no hosts"),
            (Definition::new("p", ["h"], []), "has no stages"),
            (Definition::new("p", ["h", "i", "h"], [op("a")]), "names host \"h\" twice"),
            (Definition::new("p", [""], [op("a")]), "a host of pipeline \"p\" is empty"),
            (Definition::new("p", [long.as_str()], [op("a")]), "longer than 256 bytes"),
            (Definition::new("p", ["a\nb"], [op("a")]), "control characters"),
            (Definition::new("p", ["h"], [op("a"), op("")]), "stage 2 (\"\")"),
            (Definition::new("p", ["h"], [empty]), "the command is empty"),
            (Definition::new("p", ["h"], [hasty]), "timeout_ms"),
        ];
        for (result, what) in table {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), outlast_core::ErrorKind::Invalid);
            assert!(error.to_string().contains(what), "{what}: {error}");
        }
    }

    #[test]
    fn the_number_of_outcomes_is_bounded() {
        let hosts = |count: usize| (0..count).map(|host| host.to_string()).collect::<Vec<_>>();
        let stages = || ["a", "b"].map(OpSpec::new);
        assert!(Definition::new("p", hosts(MAX_OUTCOMES / 2), stages()).is_ok());
        let error = Definition::new("p", hosts(MAX_OUTCOMES / 2 + 1), stages()).unwrap_err();
        assert_eq!(error.kind(), outlast_core::ErrorKind::TooLarge);
    }
}
