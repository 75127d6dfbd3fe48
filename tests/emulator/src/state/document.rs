//! Reading of request documents and writing of response documents.

use serde_json::{Map, Value};

/// A JSON object.
pub type Document = Map<String, Value>;

/// A request that has passed the model's check: what is required is there and everything has its type.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a>(pub &'a Document);

impl<'a> Input<'a> {
    /// A string member; empty when absent, which the model's check rules out for required ones.
    pub fn text(self, name: &str) -> &'a str {
        self.maybe(name).unwrap_or_default()
    }

    /// A string member that may be absent.
    pub fn maybe(self, name: &str) -> Option<&'a str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// An owned string member that may be absent.
    pub fn owned(self, name: &str) -> Option<String> {
        self.maybe(name).map(str::to_owned)
    }

    /// An integer member that is not negative.
    pub fn number(self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(Value::as_u64)
    }

    /// A port.
    pub fn port(self, name: &str) -> Option<u16> {
        self.number(name).and_then(|port| u16::try_from(port).ok())
    }

    /// A boolean member.
    pub fn flag(self, name: &str) -> Option<bool> {
        self.0.get(name).and_then(Value::as_bool)
    }

    /// A structure member.
    pub fn object(self, name: &str) -> Option<Input<'a>> {
        self.0.get(name).and_then(Value::as_object).map(Input)
    }

    /// Any member as it is; null counts as absent.
    pub fn value(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// The objects of a list member.
    pub fn objects(self, name: &str) -> Vec<Input<'a>> {
        let list = self.0.get(name).and_then(Value::as_array);
        list.map(|items| items.iter().filter_map(Value::as_object).map(Input).collect()).unwrap_or_default()
    }

    /// The strings of a list member; `None` when the list is absent.
    pub fn texts(self, name: &str) -> Option<Vec<String>> {
        let list = self.0.get(name)?.as_array()?;
        Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }
}

/// A response in the making. Absent members are left out: real answers have neither nulls nor empty strings.
#[derive(Debug, Clone, Default)]
pub struct Output(Document);

impl Output {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// With a member if there is a value.
    #[must_use]
    pub fn maybe(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The document.
    pub fn done(self) -> Document {
        self.0
    }
}
