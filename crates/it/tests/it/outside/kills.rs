//! SIGKILL: at chance moments of a load, and at the one moment that nobody can know the end of.

use super::harness::campaign::{Campaign, uncertain};
use super::harness::{Arrivals, Demo, Load, Place};
use testkit::FakeMx;
use testkit::mx::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn killed_three_times_under_load_nothing_answered_is_lost_and_doubles_are_marked() {
    let folder = tempfile::tempdir().unwrap();
    let report = Campaign { messages: 2_000, kills: 3, sessions: 50, seed: 20_260_301 }.run(folder.path()).await;
    assert_eq!(report.kills, 3, "the load was over before the last kill: {report:?}");
    println!("{} came twice, and say so", report.doubles);
}

/// RFC 5321 §6.1: between the final dot and its reply it is not known who has the message.
#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_reply_to_the_final_dot_the_message_comes_twice_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let mx = FakeMx::start().await.unwrap();
    let mut demo = Demo::start(Place { sink: Some(mx.addr()), ..Place::below(folder.path()) }).await;
    let quiet = Load::send(demo.address("trusted"), 0..1, 1).await;
    demo.message_in_state(&quiet.answered[&0], "delivered").await;

    let hold = mx.hold(Stage::EndOfData);
    let unlucky = Load::send(demo.address("trusted"), 1..2, 1).await;
    hold.reached(1).await;
    demo.kill9();
    hold.release();
    mx.wait_for(2).await;
    demo.restart().await;
    let after = demo.message_in_state(&unlucky.answered[&1], "delivered").await;
    let before = demo.message(&quiet.answered[&0]).await;
    assert_eq!((uncertain(&after), uncertain(&before)), (1, 0), "{after} {before}");
    let arrivals = Arrivals::at(&mx).await;
    assert_eq!(arrivals.by_id[&unlucky.answered[&1]], 2);
    assert_eq!(arrivals.by_id[&quiet.answered[&0]], 1);
}

/// Before any content is on the way, nobody can have received it: it comes once.
#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_content_is_on_the_way_the_message_comes_once() {
    let folder = tempfile::tempdir().unwrap();
    let mx = FakeMx::start().await.unwrap();
    let mut demo = Demo::start(Place { sink: Some(mx.addr()), ..Place::below(folder.path()) }).await;
    let hold = mx.hold(Stage::Recipient);
    let books = Load::send(demo.address("trusted"), 0..1, 1).await;
    hold.reached(1).await;
    demo.kill9();
    hold.release();
    demo.restart().await;
    demo.message_in_state(&books.answered[&0], "delivered").await;
    assert_eq!(Arrivals::at(&mx).await.by_id, [(books.answered[&0].clone(), 1)].into());
}
