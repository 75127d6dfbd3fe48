//! The service directory: who cannot be read is told, and hides nobody else.

use crate::fakes::{Mood, World, id};
use crate::world;
use serde_json::json;
use std::time::{Duration, SystemTime};
use trellis_directory::{ClusterState, Directory};
use trellis_engine::Engine;
use trellis_gateway::Settings;
use trellis_hint::Kind;
use trellis_ports::Budget;

async fn directory(world: &World, time: Duration) -> Directory {
    let settings =
        Settings { installation: "trellis".into(), leaving: [id("old")].into(), ..Settings::default() };
    let engine = Engine::new(world.clone(), world.clone(), world.clone(), settings);
    engine.directory(SystemTime::UNIX_EPOCH, Budget::lasting(time)).await.unwrap()
}

fn states(directory: &Directory) -> Vec<(&str, ClusterState, usize)> {
    directory.clusters.iter().map(|one| (one.name.as_str(), one.state, one.routes)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_hangs_is_unknown_and_the_others_are_shown() {
    let world = world();
    world.route("one", "a");
    // A route is ours by its Gateway's network.
    let arn = "aws-gateway-arn: arn:aws:vpc-lattice:us-west-2:000000000000:servicenetwork/sn-1";
    let status = json!({"conditions": [{"type": "Programmed", "status": "True", "message": arn}]});
    world.put("one", Kind::Gateway, "my-hotel", json!({"status": status}));
    world.state().moods.insert("two".into(), Mood::Hangs);
    let found = directory(&world, Duration::from_mins(5)).await;
    assert_eq!(
        (found.scope.as_str(), found.read.as_str()),
        ("000000000000/us-west-2", "1970-01-01T00:00:00Z")
    );
    let old = ("old", ClusterState::Leaving, 0);
    assert_eq!(
        states(&found),
        [old, ("one", ClusterState::Registered, 1), ("two", ClusterState::Unknown, 0)]
    );
    assert!(found.clusters[2].why.as_deref().is_some_and(|why| !why.is_empty()));
    assert!(found.routes.iter().all(|route| route.standing == "Untold" && route.cluster == "one"));
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_there_is_no_time_for_shows_what_is_known_without_asking() {
    let world = world();
    world.route("one", "a");
    for cluster in ["one", "two"] {
        world.state().moods.insert(cluster.into(), Mood::Hangs);
    }
    let found = directory(&world, Duration::ZERO).await;
    assert!(
        states(&found).iter().all(|(_, state, routes)| *state != ClusterState::Registered && *routes == 0)
    );
    assert!(found.clusters.iter().any(|one| one.why.as_deref() == Some("the time is over")));
}
