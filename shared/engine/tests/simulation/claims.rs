//! A route that says it is programmed is believed only if its requests are answered as it asks: by the listeners of its
//! parents, in their networks, under its hostnames, for its paths, methods and headers.

use crate::answers::{Answer, Answers, Asked, Scheme};
use crate::objects::owner;
use crate::run::INSTALLATION;
use crate::sim::State;
use crate::specification::{Attached, Match, answer, attached, matches, winner};
use lattice_routing::PrefixMode;
use std::collections::{BTreeMap, BTreeSet};
use trellis_gateway::ObjectKey;
use trellis_hint::{Kind, UnitKey};
use trellis_lattice::Ownership;

/// Weights are whole numbers up to 999, so that shares may differ by so much, in percent.
const ROUNDING: f64 = 0.5;

/// Every claim holds. For a world at rest in which all clusters can be asked.
pub(crate) fn hold(state: &State) -> Result<usize, String> {
    hold_of(state, |_| true, &BTreeSet::new())
}

/// Every claim holds that is not a route's whose unit fails.
pub(crate) fn hold_but_of(
    state: &State,
    cluster: &str,
    key: &ObjectKey,
    unit: &UnitKey,
) -> Result<usize, String> {
    // What one that fails has left half given goes on listening where it did.
    let view = state.account.view(&owner(INSTALLATION, &unit.to_string()));
    let left = view.services.iter().filter(|one| one.ownership == Ownership::Ours);
    let left = left.flat_map(|one| one.listeners.iter().map(|listener| listener.port)).collect();
    hold_of(state, |one| (one.cluster, one.key) != (cluster, key), &left)
}

/// `left`: ports of services that nobody can end now.
fn hold_of(state: &State, counts: impl Fn(&Attached) -> bool, left: &BTreeSet<u16>) -> Result<usize, String> {
    let (all, answers) = (attached(state), Answers::of(&state.account));
    let mut asked = 0;
    for one in all.iter().filter(|one| one.is_programmed && counts(one)) {
        let of = |why: String| {
            format!("{} {} of {} in {}: {why}", one.key.kind, one.key.name, one.cluster, one.network)
        };
        asked += is_true(state, &all, one, &answers).map_err(of)?;
        has_no_other_port(&all, one, &answers, left).map_err(of)?;
    }
    Ok(asked)
}

/// One listener's part of a claim; how many requests were asked.
fn is_true(state: &State, all: &[Attached], one: &Attached, answers: &Answers) -> Result<usize, String> {
    let mut asked = 0;
    for (_, wanted) in matches(one.route) {
        for path in paths(one.key.kind, &wanted) {
            let usual = if one.key.kind == Kind::GRPCRoute { "POST" } else { "GET" };
            let method = wanted.method.clone().unwrap_or_else(|| usual.to_owned());
            for vpc in answers.vpcs_in(&one.network) {
                let request = |host: &str| Asked {
                    vpc: vpc.clone(),
                    host: host.to_owned(),
                    port: one.port,
                    scheme: one.scheme,
                    path: path.clone(),
                    method: method.clone(),
                    headers: wanted.headers.clone(),
                };
                for hostname in &one.hostnames {
                    let rivals =
                        all.iter().filter(|other| is_rival(one, other, hostname)).collect::<Vec<_>>();
                    is_answered(state, &rivals, &request(hostname), answers)?;
                    asked += 1;
                }
                if one.hostnames.is_empty() {
                    // Of a route's services, one for each set of listeners, one has this listener.
                    let tried = one.names.iter().map(|name| {
                        let rivals: Vec<_> =
                            all.iter().filter(|other| is_together(one, other, name)).collect();
                        is_answered(state, &rivals, &request(name), answers)
                    });
                    let refused: Vec<String> = tried.filter_map(Result::err).collect();
                    if refused.len() == one.names.len() {
                        return Err(format!("none of its names answers: {refused:?}"));
                    }
                    asked += one.names.len();
                }
            }
        }
    }
    Ok(asked)
}

/// Paths that a match takes.
fn paths(kind: Kind, wanted: &Match) -> Vec<String> {
    let path = wanted.path.trim_end_matches('/');
    match (kind, wanted.exact) {
        (_, true) => vec![wanted.path.clone()],
        // A call has a service and a method.
        (Kind::GRPCRoute, false) if path.is_empty() => vec!["/any.Service/Call".to_owned()],
        (Kind::GRPCRoute, false) => vec![format!("{path}/AnyMethod")],
        (_, false) => vec![wanted.path.clone(), format!("{path}/deeper")],
    }
}

/// Whether the other is in the service of that name too, for whatever hostname.
fn is_together(one: &Attached, other: &Attached, name: &String) -> bool {
    other.network == one.network
        && other.port == one.port
        && other.hostnames.is_empty()
        && other.names.contains(name)
}

/// Whether the other asks for the hostname too, where the same clients ask.
fn is_rival(one: &Attached, other: &Attached, hostname: &str) -> bool {
    other.network == one.network
        && other.port == one.port
        && other.hostnames.iter().any(|name| name == hostname)
}

fn is_answered(state: &State, rivals: &[&Attached], asked: &Asked, answers: &Answers) -> Result<(), String> {
    let winner = winner(rivals, &asked.path, &asked.method, &asked.headers);
    let Some((winner, rule, _)) = winner else { return Err(format!("nobody wants {asked:?}")) };
    // What a route without the claim answers of its rules is not known.
    if !winner.is_programmed {
        return Ok(());
    }
    let mut expected = answer(state, winner.cluster, winner.key, winner.route, rule);
    if winner.scheme == Scheme::Tls && expected == Answer::Fixed(500) {
        // What passes TLS through can answer nothing itself: nobody listens where no backend is.
        expected = Answer::NoListener;
    }
    for reading in [PrefixMode::String, PrefixMode::Element] {
        let seen = answers.of_request(asked, reading);
        if !is_same(&seen, &expected) {
            let of = format!("rule {rule} of {}", winner.key.name);
            return Err(format!("{asked:?} is answered by {seen:?}, and {of} asks for {expected:?}"));
        }
    }
    Ok(())
}

fn is_same(seen: &Answer, expected: &Answer) -> bool {
    let (Answer::From(seen), Answer::From(expected)) = (seen, expected) else { return seen == expected };
    let share = |all: &BTreeMap<BTreeSet<String>, f64>, of| all.get(of).copied().unwrap_or(0.0);
    seen.keys().chain(expected.keys()).all(|of| (share(seen, of) - share(expected, of)).abs() < ROUNDING)
}

/// A name of the route listens in the parent's network at no port that none of its routes has a listener for.
fn has_no_other_port(
    all: &[Attached],
    one: &Attached,
    answers: &Answers,
    left: &BTreeSet<u16>,
) -> Result<(), String> {
    for vpc in answers.vpcs_in(&one.network) {
        for host in one.hostnames.iter().chain(&one.names) {
            let sharing = all.iter().filter(|other| {
                let is_same_route = (other.cluster, other.key) == (one.cluster, one.key);
                other.network == one.network
                    && (is_same_route || other.hostnames.contains(host) || shares_a_name(one, other))
            });
            let wanted: BTreeSet<u16> = sharing.map(|other| other.port).chain(left.iter().copied()).collect();
            let ports = answers.ports(&vpc, host);
            if let Some(port) = ports.difference(&wanted).next() {
                return Err(format!("{host} listens at port {port}, which no parent has that takes it"));
            }
        }
    }
    Ok(())
}

fn shares_a_name(one: &Attached, other: &Attached) -> bool {
    one.names.iter().any(|name| other.names.contains(name))
}
