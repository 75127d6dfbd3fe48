package acceptance

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Every kind and every field of the manifests in the AWS Gateway API Controller's documentation (v2.1.3, docs and files/examples) that are
// of the Gateway API or its own, but for policies and ServiceNetworks, whose tests are beside this one.
const documented = `
kind: Gateway
metadata: {annotations: {application-networking.k8s.aws/standalone: "true", application-networking.k8s.aws/lattice-vpc-association: "true"}}
spec:
  gatewayClassName: amazon-vpc-lattice
  listeners:
  - {name: http, protocol: HTTP, port: 80}
  - name: https
    protocol: HTTPS
    port: 443
    tls:
      mode: Terminate
      certificateRefs: [{name: unused}]
      options: {application-networking.k8s.aws/certificate-arn: "arn:aws:acm:us-west-2:123456789012:certificate/4555204d-07e1-43f0-a533-d02750f41545"}
  - name: secret
    protocol: HTTPS
    port: 8443
    tls: {certificateRefs: [{kind: Secret, name: example-com-tls}]}
  - name: tls
    protocol: TLS
    port: 444
    tls: {mode: Passthrough}
---
kind: HTTPRoute
metadata:
  annotations:
    application-networking.k8s.aws/allow-takeover-from: 123456789012/old/vpc-0a1b2c3d
    application-networking.k8s.aws/lattice-assigned-domain-name: r-default-0a1b2c3d4e5f60001.7d67968.vpc-lattice-svcs.us-west-2.on.aws
    application-networking.k8s.aws/lattice-service-arn: arn:aws:vpc-lattice:us-west-2:123456789012:service/svc-0a1b2c3d4e5f60001
    application-networking.k8s.aws/rule-0-priority: "2"
    application-networking.k8s.aws/rule-1-priority: "1"
    application-networking.k8s.aws/service-name-override: shop
    application-networking.k8s.aws/standalone: "false"
    application-networking.k8s.aws/tags: Environment=Production,Team=Backend
spec:
  hostnames: [shop.example.com]
  parentRefs: [{name: my-hotel, sectionName: http}, {name: my-hotel, sectionName: https}]
  rules:
  - matches: [{path: {type: PathPrefix, value: /ver2}}]
    backendRefs: [{name: one, kind: Service, port: 80, weight: 10}, {name: two, kind: ServiceImport, weight: 90}]
  - matches: [{path: {type: PathPrefix, value: /ver1}}]
    backendRefs: [{name: two, kind: ServiceImport, port: 80}]
---
kind: GRPCRoute
metadata: {annotations: {application-networking.k8s.aws/service-name-override: greeter, application-networking.k8s.aws/standalone: "true"}}
spec:
  parentRefs: [{name: my-hotel, sectionName: https}]
  rules:
  - matches: [{method: {service: helloworld.Greeter, method: SayHello}, headers: [{name: test1, value: v1}]}]
    backendRefs: [{name: greeter, kind: Service, port: 50051, weight: 1}, {name: greeter, kind: ServiceImport, weight: 1}]
  - matches: [{headers: [{name: test2, value: v2}]}]
    backendRefs: [{name: greeter, kind: Service, port: 50051}]
---
kind: TLSRoute
metadata: {annotations: {application-networking.k8s.aws/service-name-override: nginx, application-networking.k8s.aws/standalone: "false"}}
spec:
  hostnames: [nginx.example.com]
  parentRefs: [{name: my-hotel, sectionName: tls}]
  rules:
  - backendRefs: [{name: one, kind: Service, port: 443, weight: 10}, {name: two, kind: ServiceImport, weight: 90}]
---
kind: ServiceExport
metadata: {annotations: {application-networking.k8s.aws/federation: amazon-vpc-lattice, application-networking.k8s.aws/port: "80,443"}}
---
kind: ServiceExport
metadata: {annotations: {application-networking.k8s.aws/federation: amazon-vpc-lattice, application-networking.k8s.aws/service-name: one, application-networking.k8s.aws/tags: Environment=Production}}
spec: {exportedPorts: [{port: 80, routeType: HTTP}, {port: 8081, routeType: GRPC}, {port: 443, routeType: TLS}]}
---
kind: ServiceImport
metadata: {annotations: {application-networking.k8s.aws/export-name: one, application-networking.k8s.aws/aws-eks-cluster-name: first, application-networking.k8s.aws/aws-vpc: vpc-0a1b2c3d}}
spec: {type: ClusterSetIP, ports: [{port: 80, protocol: TCP}]}
---
kind: ServiceImport
metadata: {annotations: {application-networking.k8s.aws/target-group-arn: "arn:aws:vpc-lattice:us-west-2:123456789012:targetgroup/tg-0abc123def4567890"}}
spec: {type: ClusterSetIP, ports: [{port: 80, protocol: TCP}]}
`

func TestWhatTheAWSControllersDocumentationAppliesIsTaken(t *testing.T) {
	objects, err := readAll(strings.NewReader(documented))
	if err != nil {
		t.Fatal(err)
	}
	for _, obj := range objects {
		group := gatewayGroup + "/v1"
		if kind := obj.GetKind(); kind == "ServiceExport" || kind == "ServiceImport" {
			group = latticeGroup + "/v1alpha1"
		}
		obj.SetAPIVersion(group)
		obj.SetName("documented")
		obj.SetNamespace(testNamespace)
		if _, err := one.apply(t.Context(), obj); err != nil {
			t.Errorf("%s: %v", obj.GetKind(), err)
			continue
		}
		client, err := one.resource(t.Context(), obj)
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Delete(t.Context(), obj.GetName(), metav1.DeleteOptions{}); err != nil {
			t.Errorf("%s: %v", obj.GetKind(), err)
		}
	}
	if len(objects) != 8 {
		t.Errorf("%d objects were read", len(objects))
	}
}
