//! Every medium on which something could lie that must not, searched for all canaries. Its one invariant: a search counts only when it
//! finds what has to be there as well (the id of the call, of a request, a route); else it was blind, and says so.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use server::{
    app::App,
    postgres,
    vault::blobs::{Raw, is_opaque},
    verify::{
        needles::Needle,
        search::{Search, Searched},
    },
};
use ureq::http::Method;
use uuid::Uuid;

use super::{
    Args, Asked, Medium, VerifyError,
    canaries::{CONTROL, Canaries},
    client::{Ask, Client},
    cluster, exposition,
    process::{self, Seen, Watch},
    report::{Report, Rule},
    service::Service,
};
use crate::settings::Place;

/// Where programs leave temporary files.
const TEMPORARY: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// A route that was asked for, which metrics and spans tell of.
const ROUTE: &str = "/api/calls/analyze";

/// Why a search of the store says nothing.
pub(super) const ANOTHER_STORE: &str =
    "no part of the canary recording was seen in it: another store than the service's?";

/// Where a run searches.
pub(super) struct Media<'a> {
    pub(super) args: &'a Args,
    place: &'a Place,
    pub(super) canaries: &'a Canaries,
    pub(super) search: Arc<Search>,
    pub(super) since: SystemTime,
    /// PostgreSQL's data directory, or why it is not searched.
    pub(super) cluster: Result<PathBuf, String>,
}

impl<'a> Media<'a> {
    /// What was not changed since then is not searched.
    pub(super) fn new(
        args: &'a Args,
        place: &'a Place,
        canaries: &'a Canaries,
        since: SystemTime,
    ) -> Result<Self, VerifyError> {
        for directory in &args.temp {
            let opened = fs::read_dir(directory);
            opened.map_err(|error| VerifyError::Search(format!("--temp {}: {error}", directory.display())))?;
        }
        let own = place.config.database.url.is_none().then(|| postgres::files(&place.data_dir.join("postgres")));
        let cluster = match args.cluster.clone().or(own) {
            Some(directory) => cluster::readable(&directory),
            None => Err("name its data directory with --cluster".to_owned()),
        };
        let search = Arc::new(search(&canaries.needles(None))?);
        Ok(Self { args, place, canaries, search, since, cluster })
    }

    pub(super) fn without(&self, medium: Medium) -> bool {
        self.args.without.contains(&medium)
    }

    fn objects(&self) -> Option<PathBuf> {
        self.place.config.objects.is_none().then(|| self.place.data_dir.join("objects"))
    }

    /// Begins to look at what the processes of the service have open.
    pub(super) fn watch(&self, service: &Service) -> Option<Watch> {
        if self.without(Medium::Processes) || service.processes.is_empty() {
            return None;
        }
        let elsewhere = [self.cluster.clone().ok(), self.objects().and_then(|path| path.canonicalize().ok())];
        let but = elsewhere.into_iter().flatten().chain(service.logs.iter().cloned()).collect();
        Some(Watch::start(service.processes.clone(), Arc::clone(&self.search), self.since, but))
    }

    /// Reports what processes had open, and whether they could leave a core dump.
    pub(super) fn processes(&self, report: &mut Report, service: &Service, watch: Option<Watch>) {
        let dumps = "core dumps of the processes of the service";
        let Some(seen) = watch.map(Watch::finish) else {
            for looked in ["files that processes of the service have open", dumps] {
                match self.without(Medium::Processes) {
                    true => report.left_out(Rule::H1, looked),
                    false => report.unproven(
                        Rule::H1,
                        looked,
                        "no process of it was found on this machine; name one with --pid",
                    ),
                }
            }
            return;
        };
        let Seen { searched, looks, processes, locked_in, .. } = seen;
        let place = format!(
            "files open in {} processes, {looks} looks ({} more may write no file)",
            processes.len(),
            locked_in.difference(&processes).count()
        );
        let is_empty = processes.is_empty() && locked_in.is_empty();
        let none = "no process of it was met on this machine; name one that runs with --pid";
        report.controlled(&[Rule::H1, Rule::H3], &place, &searched, is_empty.then_some(none));
        let (mut wrong, mut asked) = (Vec::new(), 0);
        for id in process::family(&service.processes) {
            match process::core_dumps(id) {
                Ok(fault) => {
                    wrong.extend(fault);
                    asked += 1;
                }
                // It has ended meanwhile.
                Err(_) if !Path::new(&format!("/proc/{id}")).exists() => {}
                Err(why) => report.unproven(Rule::H1, dumps, why),
            }
        }
        match asked {
            0 => report.unproven(Rule::H1, dumps, none),
            asked => report.none_of(Rule::H1, format!("core dumps of {asked} processes"), &wrong),
        }
    }

    /// Half of a recording has come: it lies in the object store, and nowhere in the clear. Gives whether it was seen there, which shows
    /// that this is the store of the service.
    pub(super) async fn half(
        &self,
        report: &mut Report,
        app: &App,
        service: &Service,
        (tenant, upload): (Uuid, Option<Uuid>),
    ) -> Result<bool, VerifyError> {
        let parts = match upload {
            Some(upload) => app.blobs.parts_of_record(tenant, upload).await?,
            None => 0,
        };
        let looked = "half of a recording in the object store";
        if parts == 0 {
            report.unproven(Rule::H1, looked, ANOTHER_STORE);
        } else {
            report.held(Rule::H1, looked, format!("{parts} parts, searched with the rest of the store"));
        }
        self.store(report, app, "the object store with half of a recording", parts > 0).await?;
        self.temporary(report, service, "while half of a recording is there");
        Ok(parts > 0)
    }

    /// Everything that lies somewhere once the call has its content.
    pub(super) async fn stored(
        &self,
        report: &mut Report,
        Asked { app, uncontexted, owner }: Asked<'_>,
        service: &Service,
        (call, sees_store): (Uuid, bool),
    ) -> Result<(), VerifyError> {
        self.store(report, app, "the object store", sees_store).await?;
        self.temporary(report, service, "at the end");
        self.data_directory(report, service);
        self.cluster_files(report, owner, call).await?;
        self.cluster_memory(report, uncontexted, call).await
    }

    fn data_directory(&self, report: &mut Report, service: &Service) {
        let place = "the data directory besides cluster, objects and models";
        if self.without(Medium::Files) {
            return [Rule::H1, Rule::H3].iter().for_each(|rule| report.left_out(*rule, place));
        }
        let mut searched = Searched::default();
        let directory = self.place.data_dir.canonicalize().unwrap_or_else(|_| self.place.data_dir.clone());
        let elsewhere = ["objects", "models"].map(|name| directory.join(name));
        let but: Vec<_> = elsewhere.into_iter().chain(self.cluster.clone().ok()).collect();
        self.search.below(&directory, Some(self.since), &but, &mut searched);
        report.controlled(&[Rule::H1, Rule::H3], place, &searched, elsewhere_runs(service));
    }

    async fn store(&self, report: &mut Report, app: &App, place: &str, is_services: bool) -> Result<(), VerifyError> {
        let (mut searched, mut telling, mut keys) = (Searched::default(), BTreeSet::new(), 0_u64);
        let directory = self.objects();
        let since = if directory.is_some() { SystemTime::now() } else { self.since };
        let look = |key: &str, bytes: Raw<'_>| {
            keys += 1;
            if !is_opaque(key) {
                telling.insert(
                    "a key that is not made of ids: what it names is in the list of files that were searched"
                        .to_owned(),
                );
            }
            let bytes = match bytes {
                Raw::Bytes(bytes) => bytes,
                Raw::Older => return searched.older += u64::from(directory.is_none()),
                Raw::TooLarge => return searched.unreadable += 1,
            };
            // Reading from memory does not fail.
            let _ = self.search.stream(key, &[key.as_bytes(), b"\n", bytes].concat()[..], &mut searched);
        };
        app.blobs.each_stored(since, look).await?;
        if let Some(directory) = &directory {
            // Files that the store does not list, too.
            self.search.below(directory, Some(self.since), &[], &mut searched);
        }
        report.controlled(&[Rule::H1, Rule::H3], place, &searched, (!is_services).then_some(ANOTHER_STORE));
        let looked = format!("{keys} keys of {place}");
        match is_services || !telling.is_empty() {
            true => report.none_of(Rule::H11, looked, &Vec::from_iter(telling)),
            false => report.unproven(Rule::H11, looked, ANOTHER_STORE),
        }
        Ok(())
    }

    fn temporary(&self, report: &mut Report, service: &Service, when: &str) {
        let place = format!("temporary directories {when}");
        if self.without(Medium::Files) {
            return [Rule::H1, Rule::H3].iter().for_each(|rule| report.left_out(*rule, &place));
        }
        let usual = TEMPORARY.iter().map(PathBuf::from).chain([std::env::temp_dir()]).chain(self.args.temp.clone());
        let all: BTreeSet<_> = usual.filter_map(|directory| directory.canonicalize().ok()).collect();
        let known = [self.place.data_dir.canonicalize().ok(), self.cluster.clone().ok()];
        let but: Vec<_> = known.into_iter().flatten().collect();
        let mut searched = Searched::default();
        all.iter().for_each(|directory| self.search.below(directory, Some(self.since), &but, &mut searched));
        report.controlled(&[Rule::H1, Rule::H3], &place, &searched, elsewhere_runs(service));
    }

    /// H9: what Prometheus reads.
    pub(super) async fn metrics(&self, report: &mut Report, service: &Service, paths: &BTreeSet<String>) {
        let Some(url) = service.metrics.as_ref().filter(|_| !self.without(Medium::Metrics)) else {
            match self.without(Medium::Metrics) {
                true => report.left_out(Rule::H9, "metrics"),
                false => report.unproven(Rule::H9, "metrics", "name where they are with --metrics-url"),
            }
            return;
        };
        let answer = match Client::new(url).send(Ask::new(Method::GET, "")).await {
            Ok(answer) => answer,
            Err(error) => return report.unproven(Rule::H9, "metrics", error.to_string()),
        };
        let text = String::from_utf8_lossy(&answer.body);
        let mut searched = Searched::default();
        // Reading from memory does not fail.
        let _ = self.search.stream("metrics", &answer.body[..], &mut searched);
        let blind = (!text.contains(ROUTE)).then_some("nothing of this run is in them: another service's?");
        report.controlled(&[Rule::H9], "metrics", &searched, blind);
        let (faults, labels) = exposition::faults(&text, paths);
        if blind.is_none() || !faults.is_empty() {
            report.none_of(Rule::H9, format!("{labels} labels of metrics, each against its list"), &faults);
        }
    }

    /// H8, and H1: the log, which has to have the request of that id.
    pub(super) fn logs(&self, report: &mut Report, service: &Service, request: &str) -> Result<(), VerifyError> {
        if self.without(Medium::Log) {
            [Rule::H8, Rule::H1].iter().for_each(|rule| report.left_out(*rule, "the log"));
            return Ok(());
        }
        if service.logs.is_empty() {
            [Rule::H8, Rule::H1]
                .iter()
                .for_each(|rule| report.unproven(*rule, "the log", "name its file with --log-file"));
            return Ok(());
        }
        let mut needles = self.canaries.needles(None);
        // A run that was stopped has none, and a search for nothing is none.
        needles.extend((!request.is_empty()).then(|| Needle::exactly(CONTROL, request.as_bytes())));
        let (search, mut searched) = (search(&needles)?, Searched::default());
        service.logs.iter().for_each(|log| search.file(log, None, &mut searched));
        let level =
            if service.started.is_some() { "the log, at level trace" } else { "the log, at the level that it has" };
        let is_blind = request.is_empty() || !searched.found(CONTROL);
        let why = "no request of this run is in it: another log, or one of errors only";
        report.controlled(&[Rule::H8, Rule::H1], level, &searched, is_blind.then_some(why));
        if let Some(log) = self.cluster.as_ref().ok().map(|cluster| cluster.join("log")).filter(|log| log.is_dir()) {
            let mut searched = Searched::default();
            self.search.below(&log, Some(self.since), &[], &mut searched);
            report.searched(&[Rule::H8], "the log of PostgreSQL", &searched);
        }
        Ok(())
    }

    /// H10: what was reported of faults. There is no control, since nothing need go wrong; a service that runs may report it elsewhere.
    pub(super) fn error_reports(&self, report: &mut Report, service: &Service) {
        let looked = "reports of errors";
        if self.without(Medium::Reports) {
            return report.left_out(Rule::H10, looked);
        }
        let Some(reports) = &service.reports else {
            // Where it sends them is what its own configuration says, which may be another one.
            let why = "they are not searched; without --url they come here, and with --collect-reports";
            return report.unproven(Rule::H10, looked, why);
        };
        let (received, mut searched) = (reports.received(), Searched::default());
        searched.unreadable = u64::from(reports.has_missed());
        if received.is_empty() && searched.unreadable == 0 {
            let silent = "none came: does errors.dsn of the service name this address?";
            return match service.started {
                Some(_) => report.held(Rule::H10, looked, "no fault happened, so none was reported"),
                None => report.unproven(Rule::H10, looked, silent),
            };
        }
        // Reading from memory does not fail.
        let _ = self.search.stream("error reports", &received[..], &mut searched);
        report.searched(&[Rule::H10], "reports of errors, as many as there were", &searched);
    }

    /// H9: what was sent to the collector.
    pub(super) fn traces(&self, report: &mut Report, service: &Service) {
        let looked = "spans";
        if self.without(Medium::Traces) {
            return report.left_out(Rule::H9, looked);
        }
        let Some(spans) = &service.spans else {
            let why = "they are not searched; without --url they come here, and with --collect-traces";
            return report.unproven(Rule::H9, looked, why);
        };
        let (received, mut searched) = (spans.received(), Searched::default());
        searched.unreadable = u64::from(spans.has_missed());
        // Reading from memory does not fail.
        let _ = self.search.stream("spans", &received[..], &mut searched);
        let is_seen = received.windows(ROUTE.len()).any(|window| window == ROUTE.as_bytes());
        let place = if service.started.is_some() { "spans of every request" } else { "spans, as many as came" };
        report.controlled(&[Rule::H9], place, &searched, (!is_seen).then_some("none of this run came"));
    }
}

/// Why the files of this machine say nothing about a service.
fn elsewhere_runs(service: &Service) -> Option<&'static str> {
    let is_here = service.processes.iter().any(|id| Path::new(&format!("/proc/{id}")).exists());
    (!is_here).then_some("no process of the service was found on this machine; name one with --pid")
}

pub(super) fn search(needles: &[Needle]) -> Result<Search, VerifyError> {
    Search::new(needles).map_err(|error| VerifyError::Search(error.to_string()))
}
