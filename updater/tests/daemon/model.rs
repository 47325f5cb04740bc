//! A machine with the service, the health check and GRUB, played through random histories: images
//! are pushed that are good, that fail their check, or that panic before it; the power goes between
//! any two effects; an administrator rolls back.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use anyhow::{Result, anyhow};
use jiff::Timestamp;
use nestos_formats::image_ref::OstreeImageRef;
use nestos_updater::daemon::config::Settings;
use nestos_updater::daemon::event::{Action, Event, Happened};
use nestos_updater::daemon::paths::Paths;
use nestos_updater::daemon::policy::Policy;
use nestos_updater::daemon::state::State;
use nestos_updater::daemon::state_file::StateFile;
use nestos_updater::daemon::step::step;
use nestos_updater::health::grubenv;
use nestos_updater::health::{self, Findings, Outcome};
use nestos_updater::sysroot::{Deployer, Deployment, Deployments, Offer};
use proptest::prelude::{Strategy as Generator, any, prop, prop_assert, prop_assert_eq, proptest};

use crate::deployments::{deployment, digest};

/// Most boots that one bad image may get without a power cut: the tries, and one to fall back.
const MOST_BOOTS: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quality {
    Good,
    FailsCheck,
    Panics,
}

/// What happens to the machine from outside.
#[derive(Debug, Clone, Copy)]
enum Happening {
    /// The tag moves to a new image.
    Push(Quality),
    /// Time passes.
    Rest,
    /// The power goes after so many further effects.
    PowerCut(u8),
    /// An administrator rolls back, with `nestos-updater` or with another tool, and reboots.
    RollBack { by_us: bool },
}

/// The disk, and what the power cut takes away.
#[derive(Debug)]
struct World {
    /// Finalized, in the order of the menu.
    menu: Vec<Deployment>,
    /// In /run.
    staged: Option<Deployment>,
    booted: String,
    tag: char,
    quality: BTreeMap<String, Quality>,
    /// Effects until the power goes.
    fuse: Option<u8>,
    boots: BTreeMap<String, u32>,
}

impl World {
    /// One effect: before it happens, the power may go.
    fn effect(&mut self) -> Result<()> {
        match &mut self.fuse {
            None => Ok(()),
            Some(0) => Err(anyhow!("power cut")),
            Some(n) => {
                *n -= 1;
                Ok(())
            }
        }
    }

    fn deployments(&self) -> Deployments {
        let finalized = self.menu.iter().cloned();
        let all = self.staged.iter().cloned().chain(finalized);
        Deployments(
            all.map(|d| Deployment { booted: !d.staged && d.checksum == self.booted, ..d })
                .collect(),
        )
    }
}

/// The deployer of the model; clones see the same world.
#[derive(Debug, Clone)]
struct Disk(Rc<RefCell<World>>);

impl Deployer for Disk {
    fn deployments(&self) -> Result<Deployments> {
        Ok(self.0.borrow().deployments())
    }

    fn check(&self, _: &OstreeImageRef) -> Result<Offer> {
        Ok(Offer { digest: digest(self.0.borrow().tag), version: None })
    }

    fn stage(&self, _: &OstreeImageRef, wanted: &str) -> Result<Deployment> {
        let mut world = self.0.borrow_mut();
        world.effect()?;
        let tag = world.tag;
        anyhow::ensure!(digest(tag) == wanted, "the image is gone");
        let staged = Deployment { staged: true, ..deployment(tag) };
        world.staged = Some(staged.clone());
        Ok(staged)
    }

    fn unstage(&self) -> Result<()> {
        let mut world = self.0.borrow_mut();
        world.effect()?;
        world.staged = None;
        Ok(())
    }

    fn rollback(&self) -> Result<Deployment> {
        let mut world = self.0.borrow_mut();
        world.effect()?;
        let deployments = world.deployments();
        let target = deployments.rollback_target().ok_or_else(|| anyhow!("nothing else"))?;
        let at = world.menu.iter().position(|d| d.checksum == target.checksum);
        let first = world.menu.remove(at.ok_or_else(|| anyhow!("not in the menu"))?);
        world.menu.insert(0, first.clone());
        world.staged = None;
        // The power may also go between this and what the caller does next.
        world.effect()?;
        Ok(first)
    }
}

struct Machine {
    disk: Disk,
    paths: Paths,
    now: i64,
    policy: Policy,
    root: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        // In memory: thousands of files are synced.
        let root = tempfile::tempdir_in("/dev/shm").or_else(|_e| tempfile::tempdir()).unwrap();
        std::fs::create_dir_all(root.path().join("boot/grub2")).unwrap();
        let first = deployment('A');
        let world = World {
            booted: first.checksum.clone(),
            quality: BTreeMap::from([(first.checksum.clone(), Quality::Good)]),
            menu: vec![first],
            staged: None,
            tag: 'A',
            fuse: None,
            boots: BTreeMap::new(),
        };
        Self {
            disk: Disk(Rc::new(RefCell::new(world))),
            paths: Paths::under(root.path()),
            now: 1_800_000_000,
            policy: Settings::default().updates,
            root,
        }
    }

    fn world(&self) -> std::cell::RefMut<'_, World> {
        self.disk.0.borrow_mut()
    }

    fn state(&self) -> State {
        StateFile::peek(&self.paths.state).unwrap()
    }

    fn booted(&self) -> char {
        self.world().booted.chars().last().unwrap()
    }

    /// What grub.cfg does; returns the entry it boots.
    fn grub(&self) -> usize {
        let mut env = grubenv::read(&self.paths.grubenv).unwrap();
        if env.get("boot_success").as_deref() == Some("1") {
            return 0;
        }
        let left = match env.get("boot_counter").as_deref() {
            None => return 0,
            Some("-1") => return 1,
            Some("0") => "-1",
            Some("1") => "0",
            Some("2") => "1",
            Some(_) => "2",
        };
        env.set("boot_counter", left);
        grubenv::write(&env, &self.paths.grubenv).unwrap();
        usize::from(left == "-1")
    }

    /// Boots until a system comes up and keeps running.
    fn boot(&mut self) {
        for _ in 0..40 {
            let entry = self.grub();
            let quality = {
                let mut world = self.world();
                world.staged = None;
                world.fuse = world.fuse.filter(|n| *n > 0);
                let chosen = world.menu.get(entry).or(world.menu.first()).cloned().unwrap();
                world.booted.clone_from(&chosen.checksum);
                *world.boots.entry(chosen.checksum.clone()).or_default() += 1;
                world.quality[&chosen.checksum]
            };
            match quality {
                Quality::Panics => {}
                other => match self.judge(other == Quality::Good) {
                    Ok(Outcome::Complete) => return,
                    Ok(Outcome::Incomplete) | Ok(Outcome::Reboot) => {}
                    // The power went.
                    Err(_) => self.world().fuse = None,
                },
            }
        }
        panic!("boots for ever: {:?}", self.world().menu);
    }

    /// The health check, with the power going before or after its rollback. What it has written by
    /// then is on the disk.
    fn judge(&self, healthy: bool) -> Result<Outcome> {
        let failures = if healthy { vec![] } else { vec!["x.sh: exit status: 1".to_owned()] };
        let findings = Findings { failures, failed_units: BTreeSet::new() };
        let file = StateFile::open(&self.paths.state)?;
        health::conclude(&self.disk, &self.paths, &file, &findings)
    }

    /// Goes down in order: what is staged is put on trial and finalized.
    fn shut_down(&self) -> Result<()> {
        let staged = self.world().staged.clone();
        if let Some(staged) = staged {
            std::fs::create_dir_all(self.root.path().join("run/ostree"))?;
            std::fs::write(&self.paths.staged, "")?;
            health::arm(&self.disk, &self.paths)?;
            std::fs::remove_file(&self.paths.staged)?;
            let mut world = self.world();
            world.effect()?;
            let booted = world.booted.clone();
            world.menu.retain(|d| d.checksum == booted);
            world.menu.insert(0, Deployment { staged: false, ..staged });
            world.staged = None;
        }
        Ok(())
    }

    /// Runs the service until it sleeps; reboots when it says so.
    fn serve(&mut self) {
        let mut what = Happened::Started;
        for _ in 0..30 {
            let deployments = self.world().deployments();
            let event = Event { deployments, what };
            let now = Timestamp::from_second(self.now).unwrap();
            let file = StateFile::open(&self.paths.state).unwrap();
            let action = file.update(|s| {
                let (after, action) = step(s.clone(), &event, now, &self.policy);
                *s = after;
                action
            });
            let powered = self.world().effect();
            let done = powered.and_then(|()| self.act(action.unwrap()));
            what = match done {
                Ok(Some(what)) => what,
                Ok(None) => return,
                Err(_) => {
                    self.world().fuse = None;
                    self.boot();
                    Happened::Started
                }
            };
        }
        panic!("the service does not come to rest");
    }

    fn act(&mut self, action: Action) -> Result<Option<Happened>> {
        let cut = |e: anyhow::Error| {
            if e.to_string() == "power cut" { Err(e) } else { Ok(e.to_string()) }
        };
        Ok(Some(match action {
            Action::Check(image) => {
                Happened::Checked(self.disk.check(&image).map_err(|e| e.to_string()))
            }
            Action::Stage { image, digest } => match self.disk.stage(&image, &digest) {
                Ok(_) => Happened::Staged(Ok(digest)),
                Err(e) => Happened::Staged(Err(cut(e)?)),
            },
            Action::Unstage => {
                self.disk.unstage()?;
                Happened::Unstaged(Ok(()))
            }
            Action::Reboot { .. } => {
                self.shut_down()?;
                self.boot();
                Happened::Started
            }
            Action::Sleep(..) => return Ok(None),
        }))
    }

    fn rest(&mut self) {
        self.now += 7 * 3600;
        self.serve();
    }

    fn happen(&mut self, happening: Happening, next: &mut char) {
        match happening {
            Happening::Push(quality) => {
                let mut world = self.world();
                world.quality.insert(deployment(*next).checksum, quality);
                world.tag = *next;
                *next = char::from(u8::try_from(*next).unwrap() + 1);
            }
            Happening::Rest => self.rest(),
            Happening::PowerCut(effects) => self.world().fuse = Some(effects),
            Happening::RollBack { by_us } => {
                self.world().fuse = None;
                let deployments = self.world().deployments();
                let from = deployments.booted().and_then(|d| d.digest.clone());
                let by_default = deployments.default_entry().is_some_and(|d| d.booted);
                let target = deployments.rollback_target().map(|d| d.checksum.clone());
                // Who goes back to a bad image by hand gets it: that is no case for these rules.
                let good = target.is_some_and(|c| self.world().quality[&c] == Quality::Good);
                if self.world().menu.len() < 2 || !by_default || !good {
                    return;
                }
                if by_us {
                    let file = StateFile::open(&self.paths.state).unwrap();
                    let now = Timestamp::from_second(self.now).unwrap();
                    file.update(|s| s.roll_back_by_admin(from.as_deref(), now)).unwrap();
                }
                self.disk.rollback().unwrap();
                self.boot();
                self.serve();
                let denied = from.is_some_and(|d| self.state().denies(&d));
                assert!(denied, "a rollback by hand must stick");
            }
        }
    }
}

fn happenings() -> impl Generator<Value = Happening> {
    let quality = prop::sample::select(vec![
        Quality::Good,
        Quality::Good,
        Quality::FailsCheck,
        Quality::Panics,
    ]);
    proptest::prop_oneof![
        3 => quality.prop_map(Happening::Push),
        4 => proptest::prelude::Just(Happening::Rest),
        2 => (0_u8..12).prop_map(Happening::PowerCut),
        1 => any::<bool>().prop_map(|by_us| Happening::RollBack { by_us }),
    ]
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(250))]

    #[test]
    fn whatever_happens_it_ends_in_a_good_image_and_takes_the_next(
        history in prop::collection::vec(happenings(), 1..16),
    ) {
        let mut machine = Machine::new();
        let mut next = 'B';
        machine.serve();
        for happening in &history {
            machine.happen(*happening, &mut next);
        }
        machine.world().fuse = None;
        machine.rest();
        let booted = machine.world().booted.clone();
        prop_assert_eq!(machine.world().quality[&booted], Quality::Good);
        prop_assert_eq!(machine.state().trial, None);

        let good = next;
        machine.happen(Happening::Push(Quality::Good), &mut next);
        // A pause after a failure is six hours at most.
        machine.rest();
        machine.rest();
        prop_assert_eq!(machine.booted(), good);
        prop_assert!(!machine.state().denies(&digest(good)));
    }

    #[test]
    fn a_bad_image_is_booted_a_few_times_and_never_again(
        bad in prop::sample::select(vec![Quality::FailsCheck, Quality::Panics]),
        rests in 1_usize..12,
    ) {
        let mut machine = Machine::new();
        let mut next = 'B';
        machine.serve();
        machine.happen(Happening::Push(bad), &mut next);
        for _ in 0..rests {
            machine.rest();
        }
        let boots = machine.world().boots.get(&deployment('B').checksum).copied();
        let expected = if bad == Quality::Panics { 3 } else { 1 };
        prop_assert_eq!(boots, Some(expected));
        prop_assert!(machine.world().boots.values().sum::<u32>() <= MOST_BOOTS);
        prop_assert!(machine.state().denies(&digest('B')));
        prop_assert_eq!(machine.booted(), 'A');
        let env = grubenv::read(&machine.paths.grubenv).unwrap();
        prop_assert_eq!(env.get("boot_counter"), None);
        prop_assert!(Path::new(&machine.paths.judged).exists());
    }
}
