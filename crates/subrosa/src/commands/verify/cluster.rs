//! PostgreSQL's files and the memory of its processes, searched for all canaries. Its one invariant: as in [`super::media`], a search that
//! does not find what has to be there (the id of the call, a word that a session was just given) says nothing.

use std::{
    fs,
    path::{Path, PathBuf},
};

use server::{
    db::{Locked, Owner},
    postgres,
    verify::{
        database,
        memory::Memory,
        needles::{Needle, word},
        search::Searched,
    },
};
use uuid::Uuid;

use super::{
    Medium, VerifyError,
    canaries::CONTROL,
    media::{Media, search},
    report::{Report, Rule},
};

/// Why a search of the cluster says nothing.
const ANOTHER_CLUSTER: &str =
    "the id of the canary call is not in it: another cluster, or pages that were not written (run CHECKPOINT)";

/// Why a search of what PostgreSQL's processes share says nothing.
const ANOTHER_MEMORY: &str = "the id of the canary call is not in it: another cluster";

/// Why a search of what each of them has for itself says nothing.
const NO_SESSION: &str =
    "a word that was just given to a session of the database is not in it: another server, or one behind the pooler";

/// Who may look into PostgreSQL's memory (ptrace(2)).
const MAY_TRACE: &str =
    "its processes may not be looked into, or run elsewhere; where they run, run it as root, with CAP_SYS_PTRACE";

/// A directory that can be looked into, or why not.
pub(super) fn readable(directory: &Path) -> Result<PathBuf, String> {
    let found = directory.canonicalize().and_then(|found| fs::read_dir(&found).map(|_| found));
    found.map_err(|error| format!("{} cannot be searched: {error}", directory.display()))
}

impl Media<'_> {
    /// Tables, indexes and the write-ahead log, as they lie in files.
    pub(super) async fn cluster_files(
        &self,
        report: &mut Report,
        owner: &mut Option<Owner>,
        call: Uuid,
    ) -> Result<(), VerifyError> {
        let rules = [Rule::H1, Rule::H3];
        let looked = "files of PostgreSQL";
        if self.without(Medium::Cluster) {
            rules.iter().for_each(|rule| report.left_out(*rule, looked));
            return Ok(());
        }
        let cluster = match &self.cluster {
            Ok(cluster) => cluster,
            Err(why) => {
                rules.iter().for_each(|rule| report.unproven(*rule, looked, why));
                return Ok(());
            }
        };
        // Without it, tables may not be in their files yet; the control shows.
        if let Some(owner) = owner {
            let _ = owner.checkpoint().await;
        }
        let search = search(&self.canaries.needles(Some(call)))?;
        let log = cluster.join("pg_wal");
        let spaces = fs::read_dir(cluster.join("pg_tblspc")).into_iter().flatten().flatten().map(|entry| entry.path());
        let tables = [cluster.clone()].into_iter().chain(spaces.filter_map(|link| link.canonicalize().ok()));
        let (mut searched, mut logged) = (Searched::default(), Searched::default());
        let written = [log.clone()];
        tables.for_each(|directory| search.below(&directory, Some(self.since), &written, &mut searched));
        search.below(&log.canonicalize().unwrap_or(log), Some(self.since), &[], &mut logged);
        for (place, searched) in [("tables and indexes", searched), ("write-ahead log", logged)] {
            let blind = (!searched.found(CONTROL)).then_some(ANOTHER_CLUSTER);
            report.controlled(&rules, place, &searched, blind);
        }
        Ok(())
    }

    /// What the processes of PostgreSQL have in memory while a session of this run is open.
    pub(super) async fn cluster_memory(
        &self,
        report: &mut Report,
        uncontexted: &Locked,
        call: Uuid,
    ) -> Result<(), VerifyError> {
        let rules = [Rule::H1, Rule::H3];
        let looked = "memory of the processes of PostgreSQL";
        if self.without(Medium::Memory) {
            rules.iter().for_each(|rule| report.left_out(*rule, looked));
            return Ok(());
        }
        let cluster = match &self.cluster {
            Ok(cluster) => cluster,
            Err(why) => {
                rules.iter().for_each(|rule| report.unproven(*rule, looked, why));
                return Ok(());
            }
        };
        let held = word();
        let session = database::holding(uncontexted, &held).await?;
        // Not before: the session may be one that was opened for this.
        let processes = postgres::processes(cluster);
        if processes.is_empty() {
            rules.iter().for_each(|rule| report.unproven(*rule, looked, MAY_TRACE));
            return Ok(());
        }
        let mut needles = self.canaries.needles(None);
        needles.push(Needle::exactly(CONTROL, held.as_bytes()));
        let searches = (search(&self.canaries.needles(Some(call)))?, search(&needles)?);
        // Some hundred megabytes, during which others go on.
        let looking = tokio::task::spawn_blocking(move || Memory::search(&processes, &searches.0, &searches.1));
        let Memory { processes, shared, own } =
            looking.await.map_err(|error| VerifyError::Search(error.to_string()))?;
        drop(session);
        let why = |searched: &Searched, why| match () {
            () if searched.found(CONTROL) => None,
            () if processes == 0 => Some(MAY_TRACE),
            () => Some(why),
        };
        let looked = format!("memory that {processes} processes of PostgreSQL share");
        report.controlled(&rules, &looked, &shared, why(&shared, ANOTHER_MEMORY));
        let looked = format!("memory that {processes} processes of PostgreSQL have for themselves");
        report.controlled(&rules, &looked, &own, why(&own, NO_SESSION));
        Ok(())
    }
}
