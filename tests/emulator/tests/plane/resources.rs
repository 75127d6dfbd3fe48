//! Resources behind a resource gateway, over plain TCP.

use std::io;
use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::site::{Site, VPC};

/// The VPC that the resource is in.
const ITS_VPC: &str = "vpc-0a1b2c3d4e5f60009";
const STRANGER: &str = "vpc-0a1b2c3d4e5f60005";
const CUSTOM: &str = "orders.example.com";

/// A resource with an association, and the address that it is behind.
struct Scene {
    site: Site,
    association: String,
    configuration: String,
    at: SocketAddr,
}

/// A server that answers each line with its own name.
async fn named(site: &Site, last: &str, name: &'static str) -> SocketAddr {
    let place = {
        let state = site.emulator.state();
        state.vpcs()[ITS_VPC].place(format!("10.0.3.{last}").parse::<IpAddr>().unwrap())
    };
    let listener = TcpListener::bind((place, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut byte = [0_u8; 1];
                while stream.read_exact(&mut byte).await.is_ok() {
                    let _: io::Result<()> = stream.write_all(name.as_bytes()).await;
                }
            });
        }
    });
    at
}

async fn scene(vpc_options: Value) -> Scene {
    let site = Site::new(json!({"names": {"db.internal": "10.0.3.7"}})).await;
    let gateway =
        json!({"name": "databases", "vpcIdentifier": ITS_VPC, "subnetIds": ["subnet-0a1b2c3d4e5f60001"]});
    let gateway = site.id("CreateResourceGateway", gateway).await;
    let at = named(&site, "7", "first").await;
    let configuration = json!({
        "name": "orders", "type": "SINGLE", "resourceGatewayIdentifier": gateway, "customDomainName": CUSTOM,
        "portRanges": [at.port().to_string()],
        "resourceConfigurationDefinition": {"dnsResource": {"domainName": "db.internal", "ipAddressType": "IPV4"}},
    });
    let configuration = site.id("CreateResourceConfiguration", configuration).await;
    let networks = site.call("ListServiceNetworks", json!({})).await;
    let network = networks["items"][0]["id"].as_str().unwrap().to_owned();
    let now = site.emulator.clock.now();
    let report = site.emulator.state().report(now);
    let inside = &report["serviceNetworkVpcAssociations"][0]["id"];
    let mut change = json!({"serviceNetworkVpcAssociationIdentifier": inside});
    change.as_object_mut().unwrap().extend(vpc_options.as_object().unwrap().clone());
    site.call("UpdateServiceNetworkVpcAssociation", change).await;
    let both = json!({"resourceConfigurationIdentifier": configuration, "serviceNetworkIdentifier": network,
                      "privateDnsEnabled": true});
    let association = site.id("CreateServiceNetworkResourceAssociation", both).await;
    site.ensure().await;
    Scene { site, association, configuration, at }
}

impl Scene {
    fn resolve(&self, vpc: &str, name: &str) -> Option<IpAddr> {
        let now = self.site.emulator.clock.now();
        self.site.emulator.state().resolve(now, vpc, name).first().map(|one| IpAddr::V4(*one))
    }

    /// What the resource says to a client of the VPC that asks for it by a name.
    async fn ask(&self, name: &str) -> io::Result<String> {
        let address = self.resolve(VPC, name).ok_or(io::ErrorKind::NotFound)?;
        let mut stream = TcpStream::connect((address, self.at.port())).await?;
        said(&mut stream).await
    }

    async fn generated(&self) -> String {
        let asked = json!({"serviceNetworkResourceAssociationIdentifier": self.association});
        let got = self.site.call("GetServiceNetworkResourceAssociation", asked).await;
        got["dnsEntry"]["domainName"].as_str().unwrap().to_owned()
    }
}

async fn said(stream: &mut TcpStream) -> io::Result<String> {
    stream.write_all(b"?").await?;
    let mut buffer = [0_u8; 16];
    let length = stream.read(&mut buffer).await?;
    if length == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

fn all_domains() -> Value {
    json!({"privateDnsEnabled": true, "dnsOptions": {"privateDnsPreference": "ALL_DOMAINS"}})
}

#[tokio::test]
async fn clients_of_the_networks_vpc_reach_a_resource_by_both_names_and_nobody_else_does() {
    let scene = scene(all_domains()).await;
    assert_eq!(scene.ask(CUSTOM).await.unwrap(), "first");
    let generated = scene.generated().await;
    assert!(generated.ends_with(".vpc-lattice-rsc.us-west-2.on.aws"), "{generated}");
    assert_eq!(scene.ask(&generated).await.unwrap(), "first");
    for (vpc, name) in
        [(STRANGER, CUSTOM), (ITS_VPC, CUSTOM), (STRANGER, generated.as_str()), (VPC, "other.example.com")]
    {
        assert_eq!(scene.resolve(vpc, name), None, "{vpc} {name}");
    }
}

#[tokio::test]
async fn a_vpc_takes_the_private_names_that_its_association_prefers() {
    let specified = |domain: &str| {
        json!({"privateDnsEnabled": true, "dnsOptions": {
            "privateDnsPreference": "SPECIFIED_DOMAINS_ONLY", "privateDnsSpecifiedDomains": [domain]}})
    };
    for (options, is_taken) in [
        (json!({"privateDnsEnabled": false}), false),
        (json!({"privateDnsEnabled": true}), false),
        (specified("example.com"), true),
        (specified("example.org"), false),
    ] {
        let scene = scene(options.clone()).await;
        assert_eq!(scene.resolve(VPC, CUSTOM).is_some(), is_taken, "{options}");
        assert_eq!(scene.ask(&scene.generated().await).await.unwrap(), "first");
    }
}

#[tokio::test]
async fn what_a_resource_is_may_change_and_its_end_cuts_connections() {
    let scene = scene(all_domains()).await;
    let address = scene.resolve(VPC, CUSTOM).unwrap();
    let mut long = TcpStream::connect((address, scene.at.port())).await.unwrap();
    assert_eq!(said(&mut long).await.unwrap(), "first");
    let elsewhere = json!({"resourceConfigurationIdentifier": scene.configuration,
        "resourceConfigurationDefinition": {"ipResource": {"ipAddress": "10.0.3.8"}}});
    scene.site.call("UpdateResourceConfiguration", elsewhere).await;
    let nobody = scene.ask(CUSTOM).await;
    assert!(nobody.is_err(), "nobody listens there: {nobody:?}");
    let delete = json!({"serviceNetworkResourceAssociationIdentifier": scene.association});
    scene.site.call("DeleteServiceNetworkResourceAssociation", delete).await;
    scene.site.ensure().await;
    assert_eq!(scene.resolve(VPC, CUSTOM), None);
    assert!(said(&mut long).await.is_err(), "the connection is cut");
    assert!(TcpStream::connect((address, scene.at.port())).await.is_err());
}
