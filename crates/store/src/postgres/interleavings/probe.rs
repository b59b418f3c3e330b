//! Temporary.
use super::*;
use crate::conformance::rows::{ended, slot};
use std::time::Instant;

fn cpu(eye: &[i64]) -> f64 {
    eye.iter()
        .map(|pid| {
            let s = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let f: Vec<&str> = s.rsplit(')').next().unwrap_or("").split_whitespace().collect();
            if f.len() < 14 {
                return 0.0;
            }
            (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
        })
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::all)]
async fn probe() {
    let two = Two::new().await;
    let lease = two.take(&two.one, two.seats[0]).await;
    let total: i64 = 20_000;
    let clients: i64 = std::env::var("CLIENTS").ok().and_then(|c| c.parse().ok()).unwrap_or(64);
    let base = 1_800_000_000_000_000_i64 * 1024;
    let me = std::process::id() as i64;
    let run = |what: &'static str,
               f: Arc<dyn Fn(i64) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>| {
        let two = &two;
        async move {
            let xact = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
            let before = two.eye.count(xact).await;
            let started = Instant::now();
            let (c0, m0) = (pgcpu(two).await, cpu(&[me]));
            let tasks: Vec<_> = (0..clients)
                .map(|c| {
                    let f = f.clone();
                    tokio::spawn(async move {
                        let mut n = c;
                        while n < total {
                            f(n).await;
                            n += clients;
                        }
                    })
                })
                .collect();
            for t in tasks {
                t.await.unwrap();
            }
            let el = started.elapsed().as_secs_f64();
            let (c1, m1) = (pgcpu(two).await, cpu(&[me]));
            tokio::time::sleep(Duration::from_millis(1500)).await;
            let commits = two.eye.count(xact).await - before;
            println!(
                "{what}: {:.0}/s, {commits} commits, {:.1} a commit; server cpu {:.0} us, client cpu {:.0} us each",
                total as f64 / el,
                total as f64 / commits as f64,
                (c1 - c0) * 1e6 / total as f64,
                (m1 - m0) * 1e6 / total as f64
            );
        }
    };
    let one = Arc::clone(&two.one);
    run(
        "accept",
        Arc::new(move |n| {
            let one = Arc::clone(&one);
            Box::pin(async move {
                let id = base + n * 1024;
                let mut row = message(id, (n % 250) as u8, id);
                row.slot = slot((n % 250) as u8);
                row.envelope = vec![1; 200];
                row.head = vec![2; 600];
                row.slot_is_new = n < 250;
                let mut rows = AcceptRows { quota_max: 1_000_000_000, ..acceptance(vec![row]) };
                rows.body.sealed = bytes::Bytes::from(vec![7; 1500]);
                rows.entries[0].bytes = vec![5; 180];
                assert_eq!(one.accept(rows).await.unwrap(), AcceptOutcome::Done);
            })
        }),
    )
    .await;
    let one = Arc::clone(&two.one);
    run(
        "persons",
        Arc::new(move |n| {
            let one = Arc::clone(&one);
            Box::pin(async move {
                one.persons(vec![crate::conformance::rows::question(SHOP, (n % 250) as u8)]).await.unwrap();
            })
        }),
    )
    .await;
    let one = Arc::clone(&two.one);
    run(
        "start",
        Arc::new(move |n| {
            let one = Arc::clone(&one);
            Box::pin(async move {
                assert!(one.start(starting(base + n * 1024, 1, lease)).await.unwrap().begun);
            })
        }),
    )
    .await;
    let one = Arc::clone(&two.one);
    run(
        "settle",
        Arc::new(move |n| {
            let one = Arc::clone(&one);
            Box::pin(async move {
                let id = base + n * 1024;
                one.settle(vec![ended(id, id, 1, "delivered")]).await.unwrap();
            })
        }),
    )
    .await;
    assert_eq!((two.rows("queue").await, two.rows("body").await), (0, 0));
}

async fn pgcpu(two: &Two) -> f64 {
    let n = two.eye.count("SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()").await;
    let mut pids = vec![];
    for at in 0..n {
        if let Some(p) = two
            .eye
            .say(&format!(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() ORDER BY pid OFFSET {at} LIMIT 1"
            ))
            .await
        {
            pids.push(p.parse().unwrap());
        }
    }
    let bg = two.eye.say("SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE backend_type IN ('walwriter','background writer','checkpointer')").await.unwrap();
    pids.extend(bg.split(' ').map(|p| p.parse::<i64>().unwrap()));
    cpu(&pids)
}
