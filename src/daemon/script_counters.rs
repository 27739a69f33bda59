//! The counters that scripts make, from `dyn_stats()` and `percentile_stats()`.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::{Config, Diagnostics, ObjectArgs, PercentileDecl};
use crate::param::{Args, Problem};
use crate::stats::bucket_file::Due;
use crate::stats::{self, Bucket, BucketFile, Counter, Percentiles};
use crate::task::Tasks;

/// Makes the sets of counters, the one written last first, and of percentiles that scripts fill, and registers them
/// in the reference's order. State files of buckets are read.
pub(super) fn build(
    config: &Config,
    stats: &stats::Set,
    tasks: &Tasks,
    diagnostics: &mut Diagnostics,
) -> (Vec<Arc<Bucket>>, Vec<Arc<Percentiles>>) {
    let mut global = stats::Object::new("global", "dynstats").in_namespace("values");
    let now = Instant::now();
    let reported = config.modules.iter().any(|decl| decl.module.name == "impstats");
    let mut bucket = |decl| {
        let bucket = bucket(decl, &mut global, now);
        Arc::new(if reported { bucket } else { bucket.idle() })
    };
    let mut buckets: Vec<_> = config.dyn_stats.iter().map(&mut bucket).collect();
    stats.add(global);
    let mut writer = stats::Object::new("file-write-worker", "dynstats");
    let written = writer.counter("enqueued");
    // There is no queue: the control thread writes the files.
    writer.gauge("maxqsize");
    stats.add(writer);
    keep_buckets(config, &buckets, &written, tasks, diagnostics);
    let mut global = stats::Object::new("global", "percentile").in_namespace("values");
    let sets = config.percentile_stats.iter();
    let percentiles: Vec<_> = sets.map(|decl| Arc::new(percentiles(decl, &mut global))).collect();
    stats.add(global);
    for bucket in &buckets {
        stats.add_live("dynstats.bucket", Arc::<Bucket>::clone(bucket));
    }
    for set in &percentiles {
        stats.add_live("percentile.bucket", Arc::<Percentiles>::clone(set));
    }
    buckets.reverse();
    (buckets, percentiles)
}

fn bucket(decl: &ObjectArgs, global: &mut stats::Object, now: Instant) -> Bucket {
    let args = &decl.args;
    let limit = args.count("maxCardinality").unwrap_or_default();
    let life = args.int("unusedMetricLife").and_then(|n| u32::try_from(n).ok());
    let life = Duration::from_secs(life.unwrap_or(u32::MAX).into());
    let name = args.text("name").unwrap_or_default();
    let bucket = Bucket::new(&name, limit, life, args.bool("resettable"), global, now);
    if due(args).is_some() { bucket.counting_operations() } else { bucket }
}

/// When the state file of a bucket is due; `None` without one.
fn due(args: &Args) -> Option<Due> {
    let number = |name| args.int(name).and_then(|n| u64::try_from(n).ok());
    let operations = number("persistStateInterval");
    let after = number("persistStateTimeInterval").map(Duration::from_secs);
    (operations.is_some() || after.is_some()).then_some(Due { operations, after })
}

/// Reads the state files of buckets, and has them written.
fn keep_buckets(
    config: &Config,
    buckets: &[Arc<Bucket>],
    written: &Arc<Counter>,
    tasks: &Tasks,
    diagnostics: &mut Diagnostics,
) {
    let mut files = HashSet::new();
    for (decl, bucket) in config.dyn_stats.iter().zip(buckets) {
        let args = &decl.args;
        let Some(due) = due(args) else { continue };
        let directory = args.str("statefile.directory");
        let directory = directory.or_else(|| config.globals.args.str("workDirectory"));
        let directory = Path::new(OsStr::from_bytes(directory.unwrap_or(b".")));
        let mut report = |problem: Problem| diagnostics.push(decl.diagnose(&problem.at("name")));
        let file = BucketFile::load(bucket, directory, due, Arc::clone(written), &mut report);
        if !files.insert(file.path().to_owned()) {
            let text = format!(
                "dynstats: state file '{}' is already used by another bucket; bucket '{}' has none",
                file.path().display(),
                bucket.name()
            );
            report(Problem::error(text).help("give one of them another name or directory"));
            continue;
        }
        tasks.add(Box::new(file));
    }
}

fn percentiles(decl: &PercentileDecl, global: &mut stats::Object) -> Percentiles {
    let args = &decl.args.args;
    let text = |name| args.text(name).unwrap_or_default();
    let window = args.count("windowsize").unwrap_or_default();
    Percentiles::new(&text("name"), &text("delimiter"), &decl.percents, window, global)
}
