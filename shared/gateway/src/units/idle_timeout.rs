//! The idle time-out that a route asks for by annotation.

use crate::api::Meta;
use crate::code::Code;
use crate::problem::{Problem, quoted};
use std::ops::RangeInclusive;
use trellis_lattice::TAG_PREFIX;

/// The annotation, without the common prefix.
pub(crate) const ANNOTATION: &str = "idle-timeout-seconds";

/// What VPC Lattice takes (API model, IdleTimeoutSeconds).
const SECONDS: RangeInclusive<u16> = 60..=600;

/// The seconds that a route asks for. An answer that is none is a problem, and the default stays.
pub(crate) fn idle_timeout(meta: &Meta) -> Result<Option<u16>, Problem> {
    let Some(text) = meta.annotation(ANNOTATION) else { return Ok(None) };
    match text.trim().parse::<u16>() {
        Ok(seconds) if SECONDS.contains(&seconds) => Ok(Some(seconds)),
        _ => {
            let (least, most) = SECONDS.into_inner();
            let text = format!(
                "{} is no idle time-out, and VPC Lattice's default holds; use a number of seconds from {least} to {most}",
                quoted(text)
            );
            Err(Problem::new(Code::AnnotationValue, path(), text))
        }
    }
}

fn path() -> String {
    format!("metadata.annotations[{TAG_PREFIX}{ANNOTATION}]")
}
