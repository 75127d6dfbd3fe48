//! Pages of lists. A page's token names the last item given out, so items that are added or removed while a
//! client pages neither hide nor repeat the others.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::document::{Input, Output};
use super::{Document, Refusal, State};

/// Items that may be on one page, by the API model.
const MAX_PAGE: usize = 100;

/// One item of a list before it is shown: where it stands and what it is called.
pub(super) struct Found {
    /// Position, compared as text.
    pub(super) cursor: String,
    /// Id for the view.
    pub(super) id: String,
}

impl Found {
    /// An item in the order of creation.
    pub(super) fn by_seq(seq: u64, id: &str) -> Self {
        Self { cursor: format!("{seq:016x}"), id: id.to_owned() }
    }
}

impl State {
    /// One page of `found`, each item shown by `view`.
    pub(super) fn page(
        &self,
        list: &str,
        input: Input<'_>,
        mut found: Vec<Found>,
        view: impl Fn(&Self, &str) -> Option<Document>,
    ) -> Result<Document, Refusal> {
        found.sort_by(|a, b| a.cursor.cmp(&b.cursor));
        let scope = scope(list, input);
        let start = match input.maybe("nextToken") {
            None => 0,
            Some(token) => {
                let cursor = read(token, &scope)
                    .ok_or_else(|| Refusal::field("nextToken", "is not a token of this list"))?;
                found.partition_point(|item| item.cursor <= cursor)
            }
        };
        let asked = input.number("maxResults").and_then(|n| usize::try_from(n).ok());
        let size = asked.unwrap_or(self.settings.switches.page).clamp(1, MAX_PAGE);
        let rest = found.get(start..).unwrap_or_default();
        let shown = rest.get(..size.min(rest.len())).unwrap_or_default();
        let items: Vec<serde_json::Value> =
            shown.iter().filter_map(|item| view(self, &item.id)).map(serde_json::Value::Object).collect();
        let more = rest.len() > shown.len();
        let next = shown.last().filter(|_| more).map(|last| write(&last.cursor, &scope));
        Ok(Output::new().with("items", items).maybe("nextToken", next).done())
    }
}

/// A token is good for the list and the filters that it was made for.
fn scope(list: &str, input: Input<'_>) -> String {
    let mut hasher = DefaultHasher::new();
    list.hash(&mut hasher);
    let mut filters: Vec<(&String, String)> = input
        .0
        .iter()
        .filter(|(name, _)| *name != "nextToken" && *name != "maxResults")
        .map(|(name, value)| (name, value.to_string()))
        .collect();
    filters.sort();
    filters.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn write(cursor: &str, scope: &str) -> String {
    use std::fmt::Write;
    cursor.bytes().fold(format!("{scope}."), |mut token, byte| {
        let _ = write!(token, "{byte:02x}");
        token
    })
}

fn read(token: &str, scope: &str) -> Option<String> {
    let hex = token.strip_prefix(scope)?.strip_prefix('.')?;
    if !hex.is_ascii() || hex.len() % 2 != 0 {
        return None;
    }
    let bytes: Option<Vec<u8>> = (0..hex.len())
        .step_by(2)
        .map(|at| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    String::from_utf8(bytes?).ok()
}
