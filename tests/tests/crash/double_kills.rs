//! A run that is killed at a random request, and whose rerun is killed at another, is completed by
//! the third.
//!
//! `LOB_DOUBLE_KILLS=200` makes that many for each tool; `LOB_KILL_SEED` repeats the requests of an
//! earlier test.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _};
use lob_tests::kills::{seed, setting};
use lob_tests::servers::Servers;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::cut::{At, Cut, Fate, PROCESSES, Place, killed};
use crate::export::{self, load_splits, undisturbed, watch_records};
use crate::import::{Exported, IMPORT, assert_imported, swapped};
use crate::{doubles, has, upload};

/// Checks what holds at every moment.
type Watch = Box<dyn Fn(&Servers) -> Result<(), String> + Send + Sync>;

/// What is killed, and what it promises.
struct Work<'a> {
    tool: &'static str,
    arguments: Vec<&'a str>,
    /// Puts on new servers what the work begins with.
    prepare: &'a dyn Fn(&Servers),
    /// Makes what is checked at every request of a case.
    watch: fn() -> Watch,
    /// Asserts what the servers hold after a kill.
    killed: &'a dyn Fn(&Servers),
    /// Asserts what the servers hold at the end.
    whole: &'a dyn Fn(&Servers),
}

impl Work<'_> {
    /// Kills the work twice in as many cases as the environment asks for.
    async fn is_killed_twice(&self) {
        let requests = self.requests().await;
        let wanted = setting("LOB_DOUBLE_KILLS").unwrap_or(8) as usize;
        let first = seed();
        // A rerun has less to do than the first run, and may finish before its kill.
        let seeds = (0..4 * wanted as u64).map(|number| first.wrapping_add(number));
        let mut cases = futures::stream::iter(seeds)
            .map(async |seed| {
                let case = AssertUnwindSafe(self.case(seed, requests)).catch_unwind();
                case.await.unwrap_or_else(|panic| {
                    println!("LOB_KILL_SEED={seed} LOB_DOUBLE_KILLS=1 repeats it");
                    resume_unwind(panic)
                })
            })
            .buffer_unordered(PROCESSES);
        let (mut cases_made, mut killed_twice) = (0, 0);
        while killed_twice < wanted
            && let Some(was_killed_twice) = cases.next().await
        {
            cases_made += 1;
            killed_twice += usize::from(was_killed_twice);
        }
        let tool = self.tool;
        println!("{tool}: killed twice in {killed_twice} of {cases_made} cases");
        assert_eq!(killed_twice, wanted);
    }

    /// How many requests the work takes if nothing disturbs it.
    async fn requests(&self) -> usize {
        let (position, at) = (usize::MAX, At::Arrived);
        let (cut, _) = Cut::new(Place { position, at }, Fate::Hold);
        let servers = Servers::doubles(cut.gates()).await;
        (self.prepare)(&servers);
        let ended = servers.run(self.tool, &self.arguments).await;
        ended.with_status(0);
        (self.whole)(&servers);
        cut.requests()
    }

    /// Returns whether both kills met a running process.
    async fn case(&self, seed: u64, requests: usize) -> bool {
        let mut random = StdRng::seed_from_u64(seed);
        let places = [(); 2].map(|()| Place {
            position: random.random_range(0..requests),
            at: [At::Arrived, At::Executed][random.random_range(0..2)],
        });
        let (cut, mut reaches) = Cut::new(places[0], Fate::Hold);
        let servers = Arc::new(Servers::doubles(cut.gates()).await);
        (self.prepare)(&servers);
        let (watched, watch) = (Arc::downgrade(&servers), (self.watch)());
        cut.watch(move || {
            let servers = watched.upgrade();
            servers.map_or(Ok(()), |servers| watch(&servers))
        });
        let mut kills = Vec::new();
        for place in places {
            cut.aim(place);
            let child = servers.spawn(self.tool, &self.arguments);
            kills.push(killed(child, &cut, &mut reaches).await);
            (self.killed)(&servers);
        }
        let ended = servers.run(self.tool, &self.arguments).await;
        let (status, stderr) = (ended.status, ended.stderr);
        assert_eq!(status, Some(0), "{places:?}: {kills:?}\n{stderr}");
        cut.assert_promises_kept();
        (self.whole)(&servers);
        kills.iter().all(Option::is_some)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_killed_twice_is_completed_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let files = upload::write_files(folder.path());
    let manifest = "lob-data/r1/manifest.json";
    let work = Work {
        tool: "lob-upload",
        arguments: upload::arguments(folder.path().to_str().unwrap(), "r1"),
        prepare: &|_| (),
        watch: || Box::new(|_| Ok(())),
        killed: &|servers| {
            if has(servers, manifest) {
                upload::assert_whole(servers, "r1", &files);
            }
        },
        whole: &|servers| {
            upload::assert_whole(servers, "r1", &files);
            assert_eq!(doubles(servers).s3.open_uploads(&servers.bucket), []);
        },
    };
    work.is_killed_twice().await;
    lob_testkit::fault_fired("C1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_killed_twice_is_completed_by_the_next() {
    let files = undisturbed().await;
    let manifest = "processed-splits/r1/manifest.json";
    let work = Work {
        tool: "lob-export",
        arguments: export::arguments("r1"),
        prepare: &load_splits,
        watch: || Box::new(watch_records("r1")),
        killed: &|servers| {
            if has(servers, manifest) {
                export::assert_whole(servers, "r1", &files);
            }
        },
        whole: &|servers| {
            export::assert_whole(servers, "r1", &files);
            assert_eq!(doubles(servers).s3.open_uploads(&servers.bucket), []);
        },
    };
    work.is_killed_twice().await;
    lob_testkit::fault_fired("C1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_twice_is_completed_by_the_next() {
    let exported = Exported::new().await;
    let work = Work {
        tool: "lob-import",
        arguments: IMPORT.to_vec(),
        prepare: &|servers| exported.put(servers),
        watch: || Box::new(|servers| swapped(servers).map(drop)),
        killed: &|servers| drop(swapped(servers).unwrap()),
        whole: &assert_imported,
    };
    work.is_killed_twice().await;
    lob_testkit::fault_fired("C1");
}
