//! Makes the program of one run, out of the recipe of its service.
//!
//! Each run gets a new one, which is let go of when it has started: to make one takes a few
//! microseconds, a hundredth of a start, and to keep it would take as much memory as everything else
//! that is known of a service.

use super::{Prepared, Recipe, Spawning, errno, fifo_for_reading, rights, sandbox};
use crate::config::Output;
use crate::core::fact::{Errno, Stage};
use crate::edge::spawn::{BadProgram, Handed, Program, Scheduling, Stream};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// A variable of an environment.
pub(super) type Variable<'a> = (Cow<'a, OsStr>, Cow<'a, OsStr>);

impl Spawning {
    /// The program of the next run, with what it gets beyond its standard descriptors: what the run
    /// before has left, or where to write a newline, of which our end is given back.
    pub(super) fn make(&self, at: usize) -> Result<(Program, Option<OwnedFd>), (Stage, Errno)> {
        self.try_make(at).map_err(|e| (Stage::Prepare, errno(&e)))
    }

    fn try_make(&self, at: usize) -> io::Result<(Program, Option<OwnedFd>)> {
        let (recipe, prepared) = (self.recipes.get(at), self.prepared.get(at));
        let (Some(recipe), Some(Some(prepared))) = (recipe, prepared) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        sandbox::make(recipe, &self.places)?;
        let mut program = self.program(recipe, prepared).map_err(io::Error::other)?;
        if let Some(Some(leaf)) = self.leaves.get(at) {
            program.cgroup = Some(leaf.directory.clone());
        }
        let newline = self.hand_over(recipe, &mut program)?;
        Ok((program, newline))
    }

    /// The program of a probe of a service, without any standard output.
    pub(super) fn make_for_probe(&self, at: usize, argv: &[String]) -> io::Result<Program> {
        let (recipe, prepared) = (self.recipes.get(at), self.prepared.get(at));
        let (Some(recipe), Some(Some(prepared))) = (recipe, prepared) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let environment = self.surroundings(recipe, prepared);
        let program = self.bare_program((recipe, prepared), argv, environment);
        program.map_err(io::Error::other)
    }

    fn bare_program(
        &self,
        (recipe, prepared): (&Recipe, &Prepared),
        argv: &[String],
        environment: Vec<Variable<'_>>,
    ) -> Result<Program, BadProgram> {
        let account = prepared.account.as_deref();
        let mut argv = argv.iter();
        let path = argv.next().map(Path::new).unwrap_or(Path::new(""));
        let mut program = Program::new(path, argv, environment)?;
        program.set_directory(&recipe.command.directory)?;
        program.scheduling = Scheduling::Ordinary;
        rights::apply(&mut program, &recipe.command, self.descriptors, account);
        sandbox::apply(
            &mut program,
            recipe.command.sandbox.as_deref(),
            &self.places,
        )?;
        Ok(program)
    }

    fn program(&self, recipe: &Recipe, prepared: &Prepared) -> Result<Program, BadProgram> {
        let environment = self.environment(recipe, prepared);
        let of = (recipe, prepared);
        let mut program = self.bare_program(of, &recipe.command.argv, environment)?;
        match recipe.command.output {
            Output::Inherit => {}
            Output::Null => (program.output, program.errors) = (Stream::Null, Stream::Null),
            Output::Log => {
                program.output = Stream::fifo(&self.output(recipe, prepared))?;
                program.errors = Stream::Output;
            }
        }
        Ok(program)
    }

    /// The FIFO of a service.
    pub(super) fn output(&self, recipe: &Recipe, prepared: &Prepared) -> PathBuf {
        match prepared.old_output {
            true => self.places.old_output(&recipe.name),
            false => self.places.output(&recipe.name),
        }
    }

    /// The environment of whatever runs for a service.
    fn surroundings<'a>(&'a self, recipe: &'a Recipe, prepared: &'a Prepared) -> Vec<Variable<'a>> {
        let own = &recipe.command.environment;
        let other = recipe.command.rights.user.is_some();
        let inherited = self.inherited.iter().filter(|(name, _)| {
            let name = name.to_str();
            let unfit = |name: &str| own.contains_key(name) || (other && rights::is_of_user(name));
            !name.is_some_and(unfit)
        });
        let own = own.iter().map(|(name, value)| variable(name, value));
        let inherited = inherited.map(|(name, value)| variable(name, value));
        let mut all: Vec<Variable<'a>> = inherited.chain(own).collect();
        if let Some(account) = &prepared.account {
            rights::of_user(account, &mut all);
        }
        if recipe.has_secrets() {
            let name = OsStr::new("CREDENTIALS_DIRECTORY");
            all.push((name.into(), Cow::Owned(self.places.secrets().into())));
        }
        all
    }

    fn environment<'a>(&'a self, recipe: &'a Recipe, prepared: &'a Prepared) -> Vec<Variable<'a>> {
        let mut all = self.surroundings(recipe, prepared);
        let mut tell = |name, value: std::ffi::OsString| {
            all.push((Cow::Borrowed(OsStr::new(name)), Cow::Owned(value)));
        };
        if recipe.notify {
            tell("NOTIFY_SOCKET", self.places.notify(&recipe.name).into());
        }
        if let Some(window) = recipe.heartbeat {
            tell("WATCHDOG_USEC", window.as_micros().to_string().into());
        }
        if recipe.command.fd_store > 0 {
            tell("FDSTORE", recipe.command.fd_store.to_string().into());
        }
        all
    }

    fn hand_over(&self, recipe: &Recipe, program: &mut Program) -> io::Result<Option<OwnedFd>> {
        if recipe.newline.is_none() && recipe.command.fd_store == 0 {
            return Ok(None);
        }
        let stored = recipe.store.all();
        let names: Vec<&str> = stored.iter().map(|s| &*s.name).collect();
        let numbers = 3..;
        let kept = numbers.zip(&stored).map(|(number, stored)| Handed {
            number,
            stream: Stream::To(stored.descriptor.shared()),
        });
        let mut handed: Vec<Handed> = kept.collect();
        let mut ours = None;
        if let Some(number) = recipe.newline {
            let path = self.places.newline(&recipe.name);
            let made = || fifo_for_reading(&path);
            ours = Some(self.places.within(&recipe.name, made)?);
            handed.push(Handed {
                number: number.into(),
                stream: Stream::fifo(&path).map_err(io::Error::other)?,
            });
        }
        program.hand_over(handed)?;
        let names = (!names.is_empty()).then(|| names.join(":"));
        program
            .name_handed(names.as_deref())
            .map_err(io::Error::other)?;
        Ok(ours)
    }
}

fn variable<'a>(
    name: &'a (impl AsRef<OsStr> + ?Sized),
    value: &'a (impl AsRef<OsStr> + ?Sized),
) -> Variable<'a> {
    (Cow::Borrowed(name.as_ref()), Cow::Borrowed(value.as_ref()))
}
