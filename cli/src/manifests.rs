//! Reads manifests: files, folders, standard input, kustomizations.

use crate::args::Source;
use serde_json::Value;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use trellis_hint::Kind;

/// Bytes of one file; more is refused. A thousand routes are about a megabyte.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Endings of the files of a folder that are read, as kubectl has them.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Folders within folders that `-R` goes down.
const DEPTH_MAX: usize = 32;

/// What standard input is called in messages.
const STDIN: &str = "stdin";

/// Where an object stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as the user named it.
    pub file: String,
    /// The line that the object begins in, from 1.
    pub line: u64,
}

/// One object of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The name of the cluster that it is for; none: the one that `--cluster` names.
    pub cluster: Option<String>,
    /// A kind that Trellis reads.
    pub kind: Kind,
    /// The object.
    pub object: Value,
    /// Where it stands.
    pub place: Place,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Manifests {
    /// Objects of kinds that Trellis reads, in the order of the files.
    pub objects: Vec<Manifest>,
    /// How many objects there are of other kinds, such as `apps/Deployment`.
    pub others: BTreeMap<String, usize>,
}

/// Manifests that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened or read.
    #[error("{file}: {error}")]
    File {
        /// The file.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// The file is larger than any set of manifests.
    #[error("{file} has more than {FILE_BYTES_MAX} bytes")]
    TooLarge {
        /// The file.
        file: String,
    },
    /// The file is no YAML.
    #[error("{file}:{line}: {message}")]
    Syntax {
        /// The file.
        file: String,
        /// The line.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// A document is no object of Kubernetes.
    #[error("{}:{}: {message}", place.file, place.line)]
    NoObject {
        /// Where it stands.
        place: Place,
        /// What it lacks.
        message: String,
    },
    /// A folder has no manifests.
    #[error("{folder} has no file that ends in .yaml, .yml or .json{}", if *.has_folders { "; -R reads folders in it too" } else { "" })]
    Empty {
        /// The folder.
        folder: String,
        /// Whether there are folders in it.
        has_folders: bool,
    },
    /// kubectl cannot be run, or fails.
    #[error("kubectl kustomize {folder}: {message}")]
    Kustomize {
        /// The folder.
        folder: String,
        /// Why.
        message: String,
    },
}

/// Reads all sources, in order.
///
/// # Errors
///
/// The first that cannot be read: nothing is said of a part of what somebody asked for.
pub fn read(sources: &[Source], is_recursive: bool) -> Result<Manifests, ReadError> {
    let mut manifests = Manifests::default();
    for source in sources {
        match source {
            Source::Stdin { cluster } => {
                let mut bytes = vec![];
                let read = std::io::stdin().take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
                read.map_err(|error| ReadError::File { file: STDIN.to_owned(), error })?;
                manifests.add(STDIN, &text_of(STDIN, bytes)?, cluster.as_deref())?;
            }
            Source::Path { cluster, path } => {
                for file in files(path, is_recursive)? {
                    let name = file.display().to_string();
                    let text = text_of(&name, bytes_of(&file)?)?;
                    manifests.add(&name, &text, cluster.as_deref())?;
                }
            }
            Source::Kustomization { cluster, folder } => {
                let name = folder.display().to_string();
                manifests.add(&name, &kustomize(folder)?, cluster.as_deref())?;
            }
        }
    }
    Ok(manifests)
}

impl Manifests {
    /// Adds the objects of one file.
    ///
    /// # Errors
    ///
    /// No YAML, or a document that is no object.
    pub fn add(&mut self, file: &str, text: &str, cluster: Option<&str>) -> Result<(), ReadError> {
        // A file of objects is as long as its cluster is large; its bytes are bounded above.
        let options = serde_saphyr::options! { budget: None };
        let documents: Vec<Spanned<Value>> =
            serde_saphyr::from_multiple_with_options(text, options).map_err(|error| syntax(file, &error))?;
        for document in documents {
            let line = document.referenced.line();
            self.add_object(cluster, document.value, &Place { file: file.to_owned(), line })?;
        }
        Ok(())
    }

    fn add_object(&mut self, cluster: Option<&str>, object: Value, place: &Place) -> Result<(), ReadError> {
        if object.is_null() {
            return Ok(());
        }
        let wrong = |message: &str| ReadError::NoObject { place: place.clone(), message: message.to_owned() };
        let text =
            |pointer: &str| object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        let kind = text("/kind").ok_or_else(|| wrong("an object of Kubernetes has a kind; this has none"))?;
        if let Some(Value::Array(items)) = object.get("items").filter(|_| kind.ends_with("List")) {
            return items.iter().try_for_each(|item| self.add_object(cluster, item.clone(), place));
        }
        // No name in Kubernetes has such a character, and printed as it is it would be a line of its own.
        let named = ["/kind", "/metadata/name", "/metadata/namespace"].into_iter().filter_map(text);
        if named.flat_map(str::chars).any(char::is_control) {
            return Err(wrong("its kind, name or namespace has a control character"));
        }
        let version = text("/apiVersion").ok_or_else(|| wrong("the object has no apiVersion"))?;
        let group = version.rsplit_once('/').map_or("", |(group, _)| group);
        let is_meant = |known: &&Kind| known.group() == group && known.as_str().eq_ignore_ascii_case(kind);
        if let Some(meant) = Kind::ALL.iter().find(is_meant).filter(|meant| meant.as_str() != kind) {
            return Err(wrong(&format!("kind {kind} is written {meant}")));
        }
        let Some(kind) = Kind::parse(kind).filter(|known| known.group() == group) else {
            let name = if group.is_empty() { kind.to_owned() } else { format!("{group}/{kind}") };
            *self.others.entry(name).or_default() += 1;
            return Ok(());
        };
        text("/metadata/name").ok_or_else(|| wrong("the object has no metadata.name"))?;
        let cluster = cluster.map(str::to_owned);
        self.objects.push(Manifest { cluster, kind, object, place: place.clone() });
        Ok(())
    }
}

fn syntax(file: &str, error: &serde_saphyr::Error) -> ReadError {
    let error = error.without_snippet();
    let line = error.location().map_or(1, |location| location.line());
    let message = error.to_string();
    let message = message.lines().next().unwrap_or_default().to_owned();
    ReadError::Syntax { file: file.to_owned(), line, message }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, ReadError> {
    let name = || path.display().to_string();
    let mut bytes = vec![];
    let file = fs::File::open(path);
    let read = file.and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|error| ReadError::File { file: name(), error })?;
    Ok(bytes)
}

fn text_of(file: &str, bytes: Vec<u8>) -> Result<String, ReadError> {
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(ReadError::TooLarge { file: file.to_owned() });
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.split(|byte| *byte == b'\n').count() as u64;
        ReadError::Syntax { file: file.to_owned(), line, message: "this is no UTF-8".to_owned() }
    })
}

/// The files of a path in order of their names.
fn files(path: &Path, is_recursive: bool) -> Result<Vec<PathBuf>, ReadError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let (mut found, mut has_folders) = (vec![], false);
    walk(path, if is_recursive { DEPTH_MAX } else { 0 }, &mut found, &mut has_folders)?;
    if found.is_empty() {
        return Err(ReadError::Empty { folder: path.display().to_string(), has_folders });
    }
    Ok(found)
}

fn walk(
    folder: &Path,
    depth: usize,
    found: &mut Vec<PathBuf>,
    has_folders: &mut bool,
) -> Result<(), ReadError> {
    let failed = |error| ReadError::File { file: folder.display().to_string(), error };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(failed)?;
    paths.sort();
    for path in paths {
        let is_manifest =
            path.extension().and_then(|one| one.to_str()).is_some_and(|one| ENDINGS.contains(&one));
        if path.is_dir() {
            *has_folders = true;
            if depth > 0 {
                walk(&path, depth - 1, found, has_folders)?;
            }
        } else if is_manifest && (path.is_file() || !path.exists()) {
            // A pipe would never end; a link that leads nowhere is told.
            found.push(path);
        }
    }
    Ok(())
}

/// What kubectl makes of a kustomization.
fn kustomize(folder: &Path) -> Result<String, ReadError> {
    let failed = |message: String| ReadError::Kustomize { folder: folder.display().to_string(), message };
    let output = Command::new("kubectl").arg("kustomize").arg(folder).output();
    let output = output.map_err(|error| failed(format!("kubectl cannot be run: {error}")))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    text_of(&folder.display().to_string(), output.stdout)
}
