//! Lists and their pages.

use serde_json::json;

use super::{World, items, text};

fn page(world: &mut World, token: Option<&str>) -> (Vec<String>, Option<String>) {
    let mut input = json!({"maxResults": 1});
    if let Some(token) = token {
        input["nextToken"] = json!(token);
    }
    let answer = world.ok("ListServices", input);
    let names = items(&answer).iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect();
    let next = answer.get("nextToken").map(|token| token.as_str().unwrap().to_owned());
    (names, next)
}

#[test]
fn pages_of_one_item_give_every_item_once_and_the_last_page_has_no_token() {
    let mut world = World::quick();
    for name in ["one", "two", "three"] {
        world.service(name);
    }
    let (mut seen, mut next) = page(&mut world, None);
    while let Some(token) = next {
        let (names, following) = page(&mut world, Some(&token));
        seen.extend(names);
        next = following;
    }
    assert_eq!(seen, ["one", "two", "three"]);
}

#[test]
fn items_that_come_and_go_between_pages_hide_and_repeat_nothing() {
    let mut world = World::quick();
    let first = world.service("one");
    world.service("two");
    let (seen, next) = page(&mut world, None);
    assert_eq!(seen, ["one"]);
    world.ok("DeleteService", json!({"serviceIdentifier": first}));
    world.service("three");
    let (seen, next) = page(&mut world, next.as_deref());
    assert_eq!(seen, ["two"]);
    let (seen, next) = page(&mut world, next.as_deref());
    assert_eq!((seen, next), (vec!["three".to_owned()], None));
}

#[test]
fn a_token_is_good_for_its_own_list_only() {
    let mut world = World::quick();
    for name in ["one", "two"] {
        world.service(name);
        world.network(name);
    }
    let (_, token) = page(&mut world, None);
    for token in [token.as_deref().unwrap(), "nonsense", "zz.ää"] {
        let input = json!({"nextToken": token});
        assert_eq!(world.refused("ListServiceNetworks", input).0, "ValidationException", "{token}");
    }
}

#[test]
fn summaries_are_thinner_than_what_a_get_shows() {
    let mut world = World::quick();
    let service = world.service("svc");
    let listener = world.listener(&service, "http", 80);
    let rule = world.rule(&service, &listener, "one", 1);
    let path = json!({"serviceIdentifier": service, "listenerIdentifier": listener});
    let rules = items(&world.ok("ListRules", path));
    assert_eq!(rules.len(), 2, "the default rule is listed");
    assert!(rules.iter().all(|rule| rule.get("match").is_none() && rule.get("action").is_none()));
    let mut get = json!({"serviceIdentifier": service, "listenerIdentifier": listener});
    get["ruleIdentifier"] = json!(rule);
    let read = world.ok("GetRule", get);
    assert_eq!(read["match"]["httpMatch"]["headerMatches"], json!([]));
    let listeners = items(&world.ok("ListListeners", json!({"serviceIdentifier": service})));
    assert!(listeners[0].get("defaultAction").is_none());
    let services = items(&world.ok("ListServices", json!({})));
    assert!(services[0].get("authType").is_none() && services[0].get("status").is_some());
}

#[test]
fn association_lists_filter_by_id_and_by_arn() {
    let mut world = World::quick();
    let (service, network) = (world.service("svc"), world.ok("CreateServiceNetwork", json!({"name": "net"})));
    let other = world.network("other");
    let link = world.link(&service, &text(&network, "id"));
    for given in [&network["id"], &network["arn"]] {
        let listed =
            world.ok("ListServiceNetworkServiceAssociations", json!({"serviceNetworkIdentifier": given}));
        assert_eq!(items(&listed)[0]["id"], json!(link));
    }
    let none = world.ok("ListServiceNetworkServiceAssociations", json!({"serviceNetworkIdentifier": other}));
    assert!(items(&none).is_empty());
}
