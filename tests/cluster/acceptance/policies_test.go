package acceptance

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// Policies as the AWS Gateway API Controller takes them, with every field that it has, and with several targets.
func TestPoliciesOfTheAWSControllerAreTakenAndNoneOfTheirFieldsIsLost(t *testing.T) {
	client, err := dynamic.NewForConfig(one.config)
	if err != nil {
		t.Fatal(err)
	}
	target := map[string]any{"group": gatewayGroup, "kind": "HTTPRoute", "name": "inventory"}
	spelled := map[string]any{"group": gatewayGroup, "kind": "HTTPRoute", "name": "inventory", "namespace": "examplens"}
	document := "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": []\n}\n"
	logGroup := "arn:aws:logs:us-west-2:123456789012:log-group:myloggroup:*"
	hotel := map[string]any{"group": gatewayGroup, "kind": "Gateway", "name": "my-hotel"}
	groups := []any{"sg-1234567890", "sg-0987654321"}
	domains := map[string]any{"privateDnsPreference": "SPECIFIED_DOMAINS_ONLY", "privateDnsSpecifiedDomains": []any{"db.example.com"}}
	service := map[string]any{"group": "", "kind": "Service", "name": "my-parking-service"}
	check := func(member string, value any) map[string]any {
		return map[string]any{"targetRef": service, "healthCheck": map[string]any{member: value}}
	}
	for _, c := range []struct {
		kind, plural string
		spec         map[string]any
		taken        bool
	}{
		{"AccessLogPolicy", "accesslogpolicies", map[string]any{"destinationArn": "arn:aws:s3:::my-bucket", "targetRef": target}, true},
		{"AccessLogPolicy", "accesslogpolicies", map[string]any{"destinationArn": logGroup, "targetRef": spelled}, true},
		{"AccessLogPolicy", "accesslogpolicies", map[string]any{"destinationArn": logGroup, "targetRefs": []any{target}}, true},
		{"AccessLogPolicy", "accesslogpolicies", map[string]any{"destinationArn": logGroup}, false},
		{"AccessLogPolicy", "accesslogpolicies", map[string]any{"destinationArn": "logs", "targetRef": target}, false},
		{"IAMAuthPolicy", "iamauthpolicies", map[string]any{"policy": document, "targetRef": target}, true},
		{"IAMAuthPolicy", "iamauthpolicies", map[string]any{"policy": document, "targetRef": spelled}, true},
		{"IAMAuthPolicy", "iamauthpolicies", map[string]any{"policy": document, "targetRef": target, "targetRefs": []any{target}}, false},
		{"IAMAuthPolicy", "iamauthpolicies", map[string]any{"policy": document, "targetRef": target, "unknown": "field"}, false},
		{"VpcAssociationPolicy", "vpcassociationpolicies", map[string]any{"securityGroupIds": groups, "associateWithVpc": true, "targetRef": hotel}, true},
		{"VpcAssociationPolicy", "vpcassociationpolicies", map[string]any{"associateWithVpc": false, "targetRef": hotel}, true},
		{"VpcAssociationPolicy", "vpcassociationpolicies", map[string]any{"targetRefs": []any{hotel}, "privateDnsEnabled": true, "dnsOptions": domains}, true},
		{"VpcAssociationPolicy", "vpcassociationpolicies", map[string]any{"securityGroupIds": []any{"sg_1"}, "targetRef": hotel}, false},
		{"VpcAssociationPolicy", "vpcassociationpolicies", map[string]any{"privateDnsEnabled": "yes", "targetRef": hotel}, false},
		{"VpcAssociationPolicy", "vpcassociationpolicies", map[string]any{"associateWithVpc": true}, false},
		{"TargetGroupPolicy", "targetgrouppolicies", map[string]any{
			"targetRef": service, "protocol": "HTTPS", "protocolVersion": "HTTP1",
			"healthCheck": map[string]any{
				"enabled": true, "intervalSeconds": int64(5), "timeoutSeconds": int64(1), "healthyThresholdCount": int64(3),
				"unhealthyThresholdCount": int64(2), "path": "/healthcheck", "port": int64(80), "protocol": "HTTP",
				"protocolVersion": "HTTP1", "statusMatch": "200",
			},
		}, true},
		{"TargetGroupPolicy", "targetgrouppolicies", map[string]any{
			"targetRef": map[string]any{"group": latticeGroup, "kind": "ServiceExport", "name": "inventory-ver2"}, "protocol": "TCP",
		}, true},
		{"TargetGroupPolicy", "targetgrouppolicies", map[string]any{"targetRefs": []any{service}, "protocolVersion": "HTTP2"}, true},
		{"TargetGroupPolicy", "targetgrouppolicies", map[string]any{"protocol": "HTTP"}, false},
		{"TargetGroupPolicy", "targetgrouppolicies", map[string]any{"targetRef": service, "protocol": "UDP"}, false},
		{"TargetGroupPolicy", "targetgrouppolicies", check("intervalSeconds", int64(4)), false},
		{"TargetGroupPolicy", "targetgrouppolicies", check("timeoutSeconds", int64(121)), false},
		{"TargetGroupPolicy", "targetgrouppolicies", check("healthyThresholdCount", int64(1)), false},
		{"TargetGroupPolicy", "targetgrouppolicies", check("unhealthyThresholdCount", int64(11)), false},
		{"TargetGroupPolicy", "targetgrouppolicies", check("statusMatch", "2xx"), false},
		{"TargetGroupPolicy", "targetgrouppolicies", check("path", "healthz"), false},
		{"TargetGroupPolicy", "targetgrouppolicies", check("path", "/healthz?deep=1"), true},
	} {
		policy := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": latticeGroup + "/v1alpha1", "kind": c.kind, "spec": c.spec,
			"metadata": map[string]any{"generateName": "documented-", "namespace": testNamespace},
		}}
		policies := client.Resource(schema.GroupVersionResource{Group: latticeGroup, Version: "v1alpha1", Resource: c.plural}).Namespace(testNamespace)
		stored, err := policies.Create(t.Context(), policy, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
		if (err == nil) != c.taken {
			t.Errorf("%s %v: %v", c.kind, c.spec, err)
		}
		if err != nil {
			continue
		}
		conditions, _, _ := unstructured.NestedSlice(stored.Object, "status", "conditions")
		if len(conditions) != 1 {
			t.Errorf("%s: until it is looked at its status says so, got %v", c.kind, conditions)
		}
	}
}

// A ServiceNetwork as the AWS Gateway API Controller documents it: without a spec, or with an empty one.
func TestServiceNetworksOfTheAWSControllerAreTaken(t *testing.T) {
	client, err := dynamic.NewForConfig(one.config)
	if err != nil {
		t.Fatal(err)
	}
	networks := client.Resource(schema.GroupVersionResource{Group: latticeGroup, Version: "v1alpha1", Resource: "servicenetworks"})
	for _, c := range []struct {
		object map[string]any
		taken  bool
	}{
		{map[string]any{}, true},
		{map[string]any{"spec": map[string]any{}}, true},
		{map[string]any{"spec": map[string]any{"unknown": "field"}}, false},
	} {
		object := map[string]any{
			"apiVersion": latticeGroup + "/v1alpha1", "kind": "ServiceNetwork",
			"metadata": map[string]any{
				"generateName": "documented-", "annotations": map[string]any{latticeGroup + "/tags": "Environment=Dev,Team=Platform"},
			},
		}
		for member, value := range c.object {
			object[member] = value
		}
		network := &unstructured.Unstructured{Object: object}
		stored, err := networks.Create(t.Context(), network, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
		if (err == nil) != c.taken {
			t.Errorf("%v: %v", c.object, err)
		}
		if err != nil {
			continue
		}
		reason, _, _ := unstructured.NestedSlice(stored.Object, "status", "conditions")
		if len(reason) != 1 {
			t.Errorf("until it is looked at its status says so, got %v", stored.Object["status"])
		}
		if err := networks.Delete(t.Context(), stored.GetName(), metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	}
}
