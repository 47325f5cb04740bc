//! Butane configs inside of others: a file that `ignition.config` merges or replaces with, and that
//! is itself in this language, is compiled on the way.

use std::cell::{Cell, RefCell};
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use crate::report::{Entry, Report, Source};
use crate::{Compiled, Options, Spacing, Wrapping, compile_in};

/// How deep configs may be nested. Each level is carried in a data URL inside the one above.
const DEEPEST: usize = 10;

/// How many configs may be nested in one, all levels together.
const MOST: u32 = 1000;

/// The files that are being compiled, outermost first, and how many more there may be.
#[derive(Debug)]
pub(crate) struct Nesting {
    open: Vec<PathBuf>,
    left: Cell<u32>,
    lint: RefCell<Vec<Entry>>,
}

impl Default for Nesting {
    fn default() -> Self {
        Self { open: vec![], left: Cell::new(MOST), lint: RefCell::default() }
    }
}

/// Returns whether a local file is meant to be in this language.
pub(crate) fn is_butane(local: &str) -> bool {
    let extension = FsPath::new(local).extension().unwrap_or_default();
    ["bu", "butane"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

impl Nesting {
    /// Takes what lint has found in the nested configs.
    pub(crate) fn take_lint(&self) -> Vec<Entry> {
        self.lint.take()
    }

    /// Compiles the config in `file`, which its parent calls `local`. Findings name the file.
    pub(crate) fn compile(
        &self,
        (file, local): (&FsPath, &str),
        text: &[u8],
        options: &Options,
    ) -> Result<Compiled, Report> {
        let file = file.canonicalize().unwrap_or_else(|_vanished| file.to_owned());
        if self.open.contains(&file) {
            return Err(Report::failed("it merges itself"));
        }
        let Some(left) = self.left.get().checked_sub(1) else {
            return Err(Report::failed(format!("more than {MOST} configs are merged")));
        };
        if self.open.len() >= DEEPEST {
            return Err(Report::failed(format!("configs are nested more than {DEEPEST} deep")));
        }
        let mut open = self.open.clone();
        open.push(file);
        let inner = Self { open, left: Cell::new(left), lint: RefCell::default() };
        let (wrapping, spacing) = (Wrapping::None, Spacing::Compact);
        let options = Options { wrapping, spacing, ..options.clone() };
        let compiled = compile_in(text, &options, &inner);
        self.left.set(inner.left.get());
        let text = String::from_utf8_lossy(text).into_owned();
        let source = Arc::new(Source { name: local.to_owned(), text });
        match compiled {
            Ok(mut compiled) => {
                name_source(&mut compiled.warnings.entries, &source);
                name_source(&mut compiled.lint.entries, &source);
                self.lint.borrow_mut().append(&mut compiled.lint.entries);
                Ok(compiled)
            }
            Err(mut report) => {
                name_source(&mut report.entries, &source);
                name_source(&mut report.causes, &source);
                Err(report)
            }
        }
    }
}

fn name_source(entries: &mut [Entry], source: &Arc<Source>) {
    for entry in entries.iter_mut().filter(|entry| entry.source.is_none()) {
        entry.source = Some(Arc::clone(source));
    }
}
