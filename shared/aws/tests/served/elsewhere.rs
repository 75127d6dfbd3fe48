//! What EC2, Auto Scaling and Elastic Load Balancing tell of instances and load balancers.

use crate::server::{Answer, Asked, Server};
use std::collections::{BTreeMap, BTreeSet};
use trellis_aws::AwsLattice;
use trellis_gateway::{Balancer, BalancerFacts, Instance, InstanceFacts, Selector};
use trellis_lattice::LimitOverrides;
use trellis_ports::Facts;

const A: &str = "i-0a1b2c3d4e5f60001";
const B: &str = "i-0a1b2c3d4e5f60002";
const ARN: &str =
    "arn:aws:elasticloadbalancing:us-west-2:123456789012:loadbalancer/app/rates/50dc6c495c0c9188";

fn xml(status: u16, body: String) -> Answer {
    Answer { status, body: body.into_bytes(), missing: 0 }
}

fn instance(id: &str, state: &str) -> String {
    format!(
        "<item><reservationId>r-1</reservationId><instancesSet><item><instanceId>{id}</instanceId>\
         <instanceState><code>16</code><name>{state}</name></instanceState><vpcId>vpc-1</vpcId>\
         <tagSet><item><key>app</key><value>rates &amp; rooms</value></item></tagSet></item></instancesSet></item>"
    )
}

fn instances(all: &[(&str, &str)], next: Option<&str>) -> String {
    let all: String = all.iter().map(|(id, state)| instance(id, state)).collect();
    let next = next.map(|token| format!("<nextToken>{token}</nextToken>")).unwrap_or_default();
    format!(
        "<DescribeInstancesResponse><reservationSet>{all}</reservationSet>{next}</DescribeInstancesResponse>"
    )
}

fn group(members: &[(&str, &str)]) -> String {
    let member = |(id, state): &(&str, &str)| {
        format!("<member><InstanceId>{id}</InstanceId><LifecycleState>{state}</LifecycleState></member>")
    };
    let members: String = members.iter().map(member).collect();
    format!(
        "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups><member>\
         <AutoScalingGroupName>rates</AutoScalingGroupName><Instances>{members}</Instances></member></AutoScalingGroups>\
         </DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>"
    )
}

fn form(asked: &Asked) -> String {
    asked.body.as_str().unwrap_or_default().to_owned()
}

async fn told(server: &Server, selector: &Selector) -> InstanceFacts {
    let lattice = AwsLattice::new(&server.aws().await, LimitOverrides::default(), false);
    lattice.instances(&BTreeSet::from([selector.clone()])).await.remove(selector).unwrap()
}

fn tags() -> Selector {
    Selector::Tags([("app".to_owned(), "rates & rooms".to_owned())].into())
}

fn known(told: InstanceFacts) -> BTreeMap<String, Instance> {
    match told {
        InstanceFacts::Known(known) => known,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn instances_are_found_by_their_tags_page_by_page() {
    let server = Server::start(|asked| {
        let is_second = form(asked).contains("NextToken=more");
        let page = if is_second {
            instances(&[(B, "stopped")], None)
        } else {
            instances(&[(A, "running")], Some("more"))
        };
        xml(200, page)
    });
    let known = known(told(&server, &tags()).await);
    let states: Vec<(&str, &str)> = known.iter().map(|(id, one)| (id.as_str(), one.state.as_str())).collect();
    assert_eq!(states, [(A, "running"), (B, "stopped")]);
    assert_eq!((known[A].vpc.as_deref(), known[A].tags["app"].as_str()), (Some("vpc-1"), "rates & rooms"));
    let asked = form(&server.asked()[0]);
    assert!(asked.contains("Filter.1.Name=tag%3Aapp&Filter.1.Value.1=rates%20%26%20rooms"), "{asked}");
}

#[tokio::test]
async fn the_instances_of_a_group_have_their_place_in_it() {
    let server = Server::start(|asked| {
        let of_group = form(asked).starts_with("Action=DescribeAutoScalingGroups");
        let answer = if of_group {
            group(&[(A, "InService"), (B, "Standby")])
        } else {
            instances(&[(A, "running"), (B, "running")], None)
        };
        xml(200, answer)
    });
    let known = known(told(&server, &Selector::ScalingGroup("rates".into())).await);
    let places: Vec<Option<&str>> = known.values().map(|one| one.lifecycle.as_deref()).collect();
    assert_eq!(places, [Some("InService"), Some("Standby")]);
    let asked = form(&server.asked()[0]);
    assert!(asked.contains("AutoScalingGroupNames.member.1=rates"), "{asked}");
    let none = Server::start(|_| xml(200, group(&[]).replace("rates", "rooms")));
    assert_eq!(told(&none, &Selector::ScalingGroup("rates".into())).await, InstanceFacts::Missing);
}

#[tokio::test]
async fn what_is_no_answer_of_ec2_tells_nothing() {
    let denied = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>";
    let cut = instances(&[(A, "running")], None);
    let endless = instances(&[(A, "running")], Some("more"));
    for (status, body) in [
        (403, denied.to_owned()),
        (200, cut[..cut.len() - 40].to_owned()),
        (200, "<html/".to_owned()),
        (200, endless),
    ] {
        let answer = body.clone();
        let server = Server::start(move |_| xml(status, answer.clone()));
        assert!(matches!(told(&server, &tags()).await, InstanceFacts::Unknown(_)), "{body}");
    }
}

#[tokio::test]
async fn a_load_balancer_is_missing_only_where_its_service_says_so() {
    let answer = |body: String, status: u16| async move {
        let server = Server::start(move |_| xml(status, body.clone()));
        let lattice = AwsLattice::new(&server.aws().await, LimitOverrides::default(), false);
        lattice.load_balancers(&BTreeSet::from([ARN.to_owned()])).await.remove(ARN).unwrap()
    };
    let one = format!(
        "<DescribeLoadBalancersResponse><DescribeLoadBalancersResult><LoadBalancers><member><LoadBalancerArn>{ARN}</LoadBalancerArn>\
         <Scheme>internal</Scheme><Type>application</Type><VpcId>vpc-1</VpcId></member></LoadBalancers></DescribeLoadBalancersResult>\
         </DescribeLoadBalancersResponse>"
    );
    let balancer = Balancer { kind: "application".into(), scheme: "internal".into(), vpc: "vpc-1".into() };
    assert_eq!(answer(one.clone(), 200).await, BalancerFacts::Known(balancer));
    let error = |code: &str| {
        format!("<ErrorResponse><Error><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>")
    };
    assert_eq!(answer(error("LoadBalancerNotFound"), 400).await, BalancerFacts::Missing);
    for (body, status) in
        [(error("AccessDenied"), 403), (one.replace("rates/50", "rooms/50"), 200), ("{}".to_owned(), 200)]
    {
        assert!(matches!(answer(body.clone(), status).await, BalancerFacts::Unknown(_)), "{body}");
    }
}
