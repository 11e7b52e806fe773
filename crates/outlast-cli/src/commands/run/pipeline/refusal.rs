//! What a pipeline does not begin or go on with, judged before anything is changed.

use outlast::fleet::pipeline::{Definition, PipelineState};
use outlast::{Error, ErrorKind, Host, Result, Store, Stored};

use crate::jobs::PipelineFile;

/// The newest pipeline, if it is the one to go on with; `None` if the file is to be started.
///
/// `Exists` if one is not finished and it was not asked to go on with it; `Conflict` if the file
/// says something else than the unfinished pipeline began with; `NotFound` if there is neither.
pub(super) async fn newest(
    store: &Store,
    file: Option<&PipelineFile>,
    resume: bool,
) -> Result<Option<PipelineState>> {
    let Some(newest) = PipelineState::newest(store).await? else {
        return if file.is_some() { Ok(None) } else { Err(nothing()) };
    };
    let Some(file) = file else { return Ok(Some(newest)) };
    match (newest.is_over(), resume) {
        (false, false) => Err(unfinished(&newest)),
        (false, true) => {
            check_unchanged(store, &newest, file).await?;
            Ok(Some(newest))
        }
        (true, true) if difference(&newest, &file.definition).is_none() => Ok(Some(newest)),
        (true, _) => Ok(None),
    }
}

pub(super) fn nothing() -> Error {
    let message = "there is no pipeline to resume: start one by naming its file";
    Error::new(ErrorKind::NotFound, message)
}

/// A host that is known, but is no folder of this machine.
pub(super) fn foreign(host: &Stored<Host>) -> Error {
    let message = format!(
        "{} is registered and is no folder of this machine: call the host of the file otherwise",
        host.key
    );
    Error::new(ErrorKind::Conflict, message)
}

fn unfinished(newest: &PipelineState) -> Error {
    let pipeline = &newest.pipeline;
    Error::new(
        ErrorKind::Exists,
        format!(
            "pipeline {} ({}) is not finished, it is in stage {} of {}: take it up again with \
             --resume",
            pipeline.id(),
            pipeline.name,
            pipeline.current_stage + 1,
            pipeline.stages.len()
        ),
    )
}

async fn check_unchanged(store: &Store, newest: &PipelineState, file: &PipelineFile) -> Result<()> {
    let mut difference = difference(newest, &file.definition);
    for host in &file.hosts {
        let known = store.kind::<Host>().find(&host.name).await?;
        if difference.is_none() && known.is_some_and(|known| known.cwd != Some(host.cwd.clone())) {
            difference = Some(format!("the cwd of host {:?}", host.name));
        }
    }
    let Some(difference) = difference else { return Ok(()) };
    Err(Error::new(
        ErrorKind::Conflict,
        format!(
            "{difference} in {} is not what pipeline {} ({}) began with: put it back, or resume \
             without the file and start it anew afterwards",
            file.place,
            newest.pipeline.id(),
            newest.pipeline.name
        ),
    ))
}

/// What the definition says otherwise than the pipeline.
fn difference(newest: &PipelineState, definition: &Definition) -> Option<String> {
    let pipeline = &newest.pipeline;
    if pipeline.name != definition.name() {
        return Some(format!("the name {:?}", definition.name()));
    }
    if pipeline.hosts != definition.hosts() {
        return Some("the list of hosts".to_owned());
    }
    let stages = pipeline.stages.iter().zip(definition.stages());
    let changed = stages.filter(|(then, now)| then != now).map(|(_, now)| now).next();
    match changed {
        Some(now) => Some(format!("stage {:?}", now.op)),
        None if pipeline.stages.len() != definition.stages().len() => {
            Some("the list of stages".to_owned())
        }
        None => None,
    }
}
