//! The API model as a table: routes, success codes, error lists and shapes of the 73 operations.
//!
//! The table is the file `model/vpc-lattice.table`, derived from the model that botocore carries. It is data;
//! everything that reads it is here and in [`check`].

pub mod check;
mod pattern;
mod table;

use std::collections::BTreeMap;
use std::collections::HashMap;

pub use pattern::Pattern;

/// The derived table, one line an operation or a shape.
const TABLE: &str = include_str!("../../model/vpc-lattice.table");

/// Why the table cannot be read. Only a damaged build can show it.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A line that is none of the known kinds, or lacks a field.
    #[error("line {line} of the shape table cannot be read: {text}")]
    Line {
        /// One-based number of the line.
        line: usize,
        /// The line itself.
        text: String,
    },
    /// A member names a shape that the table lacks.
    #[error("shape {0} is used and not described")]
    Unknown(String),
    /// A pattern the regular-expression engine refuses.
    #[error("pattern of {shape} is not usable")]
    Pattern {
        /// The shape that carries the pattern.
        shape: String,
        /// What the engine said.
        #[source]
        source: Box<regex::Error>,
    },
}

/// Where a member of a request travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A member of the JSON body.
    Body,
    /// A segment of the path.
    Path,
    /// A parameter of the query string.
    Query,
    /// A response header.
    Header,
}

/// One member of a structure.
#[derive(Debug, Clone)]
pub struct Member {
    /// Name in the model and in the JSON body.
    pub name: String,
    /// Name on the wire where it differs, else the same as `name`.
    pub wire: String,
    /// Name of the member's shape.
    pub shape: String,
    /// Whether the model requires it.
    pub required: bool,
    /// Where it travels.
    pub place: Place,
    /// Whether it is the idempotency token.
    pub token: bool,
}

/// Bounds of a length (strings, lists, maps) or of a value (integers); absent = unbounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Smallest allowed.
    pub min: Option<i64>,
    /// Largest allowed.
    pub max: Option<i64>,
}

impl Bounds {
    /// Whether `value` lies inside.
    pub fn hold(self, value: i64) -> bool {
        self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }
}

/// A shape of the model.
#[derive(Debug, Clone)]
pub enum Shape {
    /// A structure, or a union of which exactly one member is set.
    Struct {
        /// Whether exactly one member must be set.
        union: bool,
        /// The members, by name.
        members: Vec<Member>,
    },
    /// A list of one shape.
    List(Bounds, String),
    /// A map from a string shape to another shape.
    Map(Bounds, String, String),
    /// A string with bounds and perhaps a pattern.
    Text(Bounds, Option<Pattern>),
    /// A string that is one of these.
    Enum(Vec<String>),
    /// An integer with bounds.
    Integer(Bounds),
    /// `true` or `false`.
    Boolean,
    /// An ISO-8601 string in UTC.
    Timestamp,
}

/// A piece of a request path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Text that must be equal.
    Literal(String),
    /// A member of the request.
    Member(String),
}

/// One operation of the API.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Its name, such as `CreateService`.
    pub name: String,
    /// Its HTTP method.
    pub method: String,
    /// Its path, segment by segment.
    pub path: Vec<Segment>,
    /// The HTTP status of success.
    pub success: u16,
    /// Letters of the errors that it may raise: V, A, N, C, Q, T, I.
    pub errors: String,
}

impl Operation {
    /// Whether the operation only reads.
    pub fn reads(&self) -> bool {
        self.name.starts_with("Get") || self.name.starts_with("List")
    }

    /// Name of the request's shape.
    pub fn input(&self) -> String {
        format!("{}Request", self.name)
    }

    /// Name of the response's shape.
    pub fn output(&self) -> String {
        format!("{}Response", self.name)
    }
}

/// The whole table.
#[derive(Debug)]
pub struct Model {
    /// The model's origin and API version, for reports.
    pub version: String,
    operations: BTreeMap<String, Operation>,
    shapes: HashMap<String, Shape>,
}

impl Model {
    /// Reads the table that is built in.
    ///
    /// # Errors
    /// When the table is damaged: an unreadable line, an unknown shape, an unusable pattern.
    pub fn built_in() -> Result<Self, TableError> {
        table::parse(TABLE)
    }

    /// All operations by name.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.values()
    }

    /// One operation.
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.get(name)
    }

    /// One shape.
    pub fn shape(&self, name: &str) -> Option<&Shape> {
        self.shapes.get(name)
    }

    /// The members of a structure; none for another kind of shape.
    pub fn members(&self, name: &str) -> &[Member] {
        match self.shapes.get(name) {
            Some(Shape::Struct { members, .. }) => members,
            _ => &[],
        }
    }
}
