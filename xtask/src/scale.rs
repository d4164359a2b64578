//! Many keys, and many versions of one: what they do to start, reads, lists and creation. Everything is made through
//! the public API, and each size is measured on the way to the next.

mod section;
mod walk;

use crate::Failure;
use crate::client::Door;
use crate::drive::{Lanes, Turn, Until};
use crate::figures::{Figures, median};
use crate::keystead::{self, Place, VERSION};
use crate::out;
use crate::start;
use crate::target::Target;
use crate::template::Template;
use hyper::Method;
use std::path::Path;
use std::time::{Duration, Instant};
use walk::{List, walk};

/// Over which all but new versions are asked for. New versions of one key come one after the other.
const CONNECTIONS: usize = 16;
/// The last creations before a size is reached: those that are measured.
const MEASURED: u64 = 5_000;
/// Starts at each size.
const STARTS: usize = 5;

/// The sizes to measure at.
pub(crate) struct Sizes {
    pub(crate) keys: Vec<u64>,
    pub(crate) versions: Vec<u64>,
}

/// What is measured, and for how long.
pub(crate) struct Plan {
    sizes: Sizes,
    /// Of one operation at one size.
    span: Duration,
    warm: Duration,
}

/// What was found, in the order of the sizes.
pub(crate) struct Scale {
    keys: Vec<Step>,
    versions: Vec<Step>,
}

/// What was found at one size.
struct Step {
    size: u64,
    create: Figures,
    get: Figures,
    first_page: Figures,
    middle_page: Figures,
    /// Medians, from the process's start: to the discovery document, and to a key.
    start_millis: f64,
    start_key_millis: f64,
    /// Resident after a start, and after the load.
    idle_mebibytes: f64,
    loaded_mebibytes: f64,
    /// The store's file, per key or version.
    stored_bytes: f64,
}

/// What is many.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Many {
    Keys,
    Versions,
}

impl Plan {
    /// Each operation is asked for during `seconds` at each size.
    pub(crate) fn new(seconds: f64, sizes: Sizes) -> Result<Self, Failure> {
        let Sizes { mut keys, mut versions } = sizes;
        for sizes in [&mut keys, &mut versions] {
            sizes.sort_unstable();
            sizes.dedup();
            sizes.retain(|size| *size > 0);
        }
        let span = Duration::try_from_secs_f64(seconds)?;
        let warm = span.clamp(Duration::from_millis(200), Duration::from_secs(1));
        Ok(Self { sizes: Sizes { keys, versions }, span, warm })
    }
}

/// A server for the keys, and one for the versions.
pub(crate) async fn measure(binary: &Path, state: &Path, plan: &Plan) -> Result<Scale, Failure> {
    let keys = steps(Many::Keys, &plan.sizes.keys, &Place::new(binary, state.join("keys"))?, plan).await?;
    let versions =
        steps(Many::Versions, &plan.sizes.versions, &Place::new(binary, state.join("versions"))?, plan).await?;
    Ok(Scale { keys, versions })
}

async fn steps(many: Many, sizes: &[u64], place: &Place, plan: &Plan) -> Result<Vec<Step>, Failure> {
    let mut steps = Vec::new();
    if sizes.is_empty() {
        return Ok(steps);
    }
    let mut target = keystead::start(place, &[]).await?;
    let (creation, mut made) = (many.creation(), 0);
    for &size in sizes {
        out::progress(&format!("{size} {}: filling", many.word()));
        let create = fill(&mut target, &creation, many, size.saturating_sub(made)).await?;
        made = size;
        let step = step(many, size, create, place, &mut target, plan).await?;
        step.say(many);
        steps.push(step);
    }
    target.process.stop();
    Ok(steps)
}

/// Makes so many more; the last of them are what is measured.
async fn fill(target: &mut Target, creation: &Template, many: Many, more: u64) -> Result<Figures, Failure> {
    let measured = more.min(MEASURED);
    let mut lanes = Lanes::over(&target.door, creation, many.connections()).await?;
    succeeded(lanes.send(&Until::count(more.saturating_sub(measured))).await?)?;
    let turn = succeeded(lanes.turn_until(target, &Until::count(measured)).await?)?;
    Ok(Figures::of(vec![turn]))
}

async fn step(
    many: Many,
    size: u64,
    create: Figures,
    place: &Place,
    target: &mut Target,
    plan: &Plan,
) -> Result<Step, Failure> {
    out::progress(&format!("{size} {}: walking through the list", many.word()));
    let list = walk(&target.door, many.first_page()).await?;
    if list.kids.len() as u64 != size {
        return Err(format!("{} of {size} {} are listed", list.kids.len(), many.word()).into());
    }
    let List { kids, middle } = list;
    let any = Template::read_one_of(many.names(size, &kids));
    let page = |path: &str| Template::new(Method::GET, path, "");
    let mut asked = Vec::new();
    for (what, template) in [("get", &any), ("first page", &page(many.first_page())), ("page half-way", &page(&middle))]
    {
        out::progress(&format!("{size} {}: {what}", many.word()));
        asked.push(ask(target, template, plan).await?);
    }
    let [get, first_page, middle_page] = <[Figures; 3]>::try_from(asked).map_err(|_| "three were asked for")?;
    let loaded_mebibytes = resident(target)?;
    out::progress(&format!("{size} {}: starting", many.word()));
    let (start_millis, start_key_millis) = restart(place, target, &any).await?;
    let stored = std::fs::metadata(place.data.join("store").join("keystead.db"))?.len();
    Ok(Step {
        size,
        create,
        get,
        first_page,
        middle_page,
        start_millis,
        start_key_millis,
        idle_mebibytes: resident(target)?,
        loaded_mebibytes,
        stored_bytes: stored as f64 / size as f64,
    })
}

async fn ask(target: &mut Target, template: &Template, plan: &Plan) -> Result<Figures, Failure> {
    let mut lanes = Lanes::over(&target.door, template, CONNECTIONS).await?;
    succeeded(lanes.send(&Until::after(plan.warm)).await?)?;
    Ok(Figures::of(vec![succeeded(lanes.turn(target, plan.span).await?)?]))
}

/// Stops the server and starts it, several times; leaves it started.
async fn restart(place: &Place, target: &mut Target, any: &Template) -> Result<(f64, f64), Failure> {
    let (mut answers, mut keys) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        target.process.stop();
        let began = Instant::now();
        let (mut process, millis) = start::one(place).await?;
        key(&target.door, any).await?;
        answers.push(millis);
        keys.push(began.elapsed().as_secs_f64() * 1e3);
        place.ready(&mut process).await?;
        target.process = process;
    }
    Ok((median(&answers), median(&keys)))
}

/// The first request for a key: the token is older than the process.
async fn key(door: &Door, any: &Template) -> Result<(), Failure> {
    door.json(Method::GET, &any.path(), &serde_json::Value::Null).await.map(drop)
}

fn resident(target: &Target) -> Result<f64, Failure> {
    target.process.mebibytes("VmRSS:").ok_or_else(|| "/proc/PID/status has another form".into())
}

fn succeeded(turn: Turn) -> Result<Turn, Failure> {
    match &turn.first_failure {
        None => Ok(turn),
        Some(first) => Err(format!("{} requests were refused; the first: {first}", turn.failed).into()),
    }
}

impl Many {
    const fn word(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Versions => "versions",
        }
    }

    /// One more of them.
    fn creation(self) -> Template {
        let path = match self {
            Self::Keys => format!("/keys/many-{{n}}/create?{VERSION}"),
            Self::Versions => format!("/keys/many/create?{VERSION}"),
        };
        Template::new(Method::POST, path, r#"{"kty":"EC","crv":"P-256"}"#)
    }

    /// Over which they are made: two new versions of one key at the same time are a conflict.
    const fn connections(self) -> usize {
        match self {
            Self::Keys => CONNECTIONS,
            Self::Versions => 1,
        }
    }

    const fn first_page(self) -> &'static str {
        match self {
            Self::Keys => "/keys?api-version=7.6",
            Self::Versions => "/keys/many/versions?api-version=7.6",
        }
    }

    /// What is read: each key by its name, each version by its id.
    fn names(self, size: u64, kids: &[String]) -> Vec<String> {
        match self {
            Self::Keys => (0..size).map(|n| format!("/keys/many-{n}?{VERSION}")).collect(),
            Self::Versions => kids.iter().map(|kid| format!("{kid}?{VERSION}")).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_measured_from_the_smallest_on_and_once() {
        let plan = Plan::new(1.0, Sizes { keys: vec![50, 10, 50, 0], versions: Vec::new() }).unwrap();
        assert_eq!(plan.sizes.keys, [10, 50]);
        assert!(plan.sizes.versions.is_empty());
        assert!(Plan::new(-1.0, Sizes { keys: Vec::new(), versions: Vec::new() }).is_err());
    }

    #[test]
    fn every_key_is_read_by_the_name_it_was_made_under() {
        let creation = Many::Keys.creation();
        let made: Vec<String> = (0..3).map(|_| creation.path().replace("/create", "")).collect();
        assert_eq!(Many::Keys.names(3, &[]), made);
        let kid = "/keys/many/0123".to_owned();
        assert_eq!(Many::Versions.names(9, &[kid]), [format!("/keys/many/0123?{VERSION}")]);
    }
}
