package acceptance

import (
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

const (
	gatewayGroup = "gateway.networking.k8s.io"
	latticeGroup = "application-networking.k8s.aws"
	ownGroup     = "trellis.application-networking.k8s.aws"
)

func TestATokenThatTheWebhookKnowsReadsRoutesAndPatchesOnlyTheirStatus(t *testing.T) {
	ctx := t.Context()
	if err := one.applyFiles(ctx, examples+"/rate-route-path.yaml"); err != nil {
		t.Fatal(err)
	}
	config := rest.AnonymousClientConfig(one.config)
	config.BearerToken = goodToken
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	routes := client.Resource(schema.GroupVersionResource{Group: gatewayGroup, Version: "v1", Resource: "httproutes"}).Namespace(testNamespace)
	if _, err := routes.List(ctx, metav1.ListOptions{}); err != nil {
		t.Errorf("list: %v", err)
	}
	status := []byte(`{"status":{"parents":[]}}`)
	if _, err := routes.Patch(ctx, "rates", types.MergePatchType, status, metav1.PatchOptions{}, "status"); err != nil {
		t.Errorf("patch of status: %v", err)
	}
	spec := []byte(`{"spec":{"hostnames":["a.example"]}}`)
	if _, err := routes.Patch(ctx, "rates", types.MergePatchType, spec, metav1.PatchOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("patch of spec: want Forbidden, got %v", err)
	}
	config.BearerToken = "k8s-aws-v1.stranger"
	if client, err = dynamic.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	_, err = client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "services"}).List(ctx, metav1.ListOptions{})
	if !apierrors.IsUnauthorized(err) {
		t.Errorf("unknown token: want Unauthorized, got %v", err)
	}
}

func TestEachAccountMayDoWhatItNeedsAndNoMore(t *testing.T) {
	reconciler := authorizationv1.SubjectAccessReviewSpec{User: "reconciler", Groups: []string{reconcilers}}
	webhook := authorizationv1.SubjectAccessReviewSpec{User: "system:serviceaccount:trellis-system:trellis-webhook"}
	for _, c := range []struct {
		who     authorizationv1.SubjectAccessReviewSpec
		verbs   string // separated by blanks
		what    authorizationv1.ResourceAttributes
		allowed bool
	}{
		{reconciler, "get list", resource(gatewayGroup, "gatewayclasses"), true},
		{reconciler, "get list", resource(gatewayGroup, "gateways"), true},
		{reconciler, "get list", resource(gatewayGroup, "httproutes"), true},
		{reconciler, "get list", resource(gatewayGroup, "grpcroutes"), true},
		{reconciler, "get list", resource(gatewayGroup, "tlsroutes"), true},
		{reconciler, "get list", resource(gatewayGroup, "referencegrants"), true},
		{reconciler, "get list", resource(latticeGroup, "serviceexports"), true},
		{reconciler, "get list", resource(latticeGroup, "serviceimports"), true},
		{reconciler, "get list", resource(latticeGroup, "accesslogpolicies"), true},
		{reconciler, "get list", resource(latticeGroup, "iamauthpolicies"), true},
		{reconciler, "get list", resource(latticeGroup, "vpcassociationpolicies"), true},
		{reconciler, "get list", resource(latticeGroup, "servicenetworks"), true},
		{reconciler, "get list", resource(ownGroup, "backends"), true},
		{reconciler, "patch", resource(ownGroup, "backends/status"), true},
		{reconciler, "create update patch delete", resource(ownGroup, "backends"), false},
		{reconciler, "get list", resource(latticeGroup, "targetgrouppolicies"), true},
		{reconciler, "get list", resource("", "services"), true},
		{reconciler, "get list", resource("", "namespaces"), true},
		{reconciler, "get list", resource("discovery.k8s.io", "endpointslices"), true},
		{reconciler, "patch", resource(gatewayGroup, "gateways/status"), true},
		{reconciler, "patch", resource(gatewayGroup, "tlsroutes/status"), true},
		{reconciler, "patch", resource(latticeGroup, "serviceexports/status"), true},
		{reconciler, "patch", resource(latticeGroup, "accesslogpolicies/status"), true},
		{reconciler, "patch", resource(latticeGroup, "iamauthpolicies/status"), true},
		{reconciler, "patch", resource(latticeGroup, "vpcassociationpolicies/status"), true},
		{reconciler, "patch", resource(latticeGroup, "servicenetworks/status"), true},
		{reconciler, "update patch delete", resource(latticeGroup, "servicenetworks"), false},
		{reconciler, "patch", resource(latticeGroup, "targetgrouppolicies/status"), true},
		{reconciler, "create update patch delete", resource(gatewayGroup, "httproutes"), false},
		{reconciler, "create update patch delete", resource(latticeGroup, "serviceexports"), false},
		{reconciler, "create update patch delete", resource("", "services"), false},
		{reconciler, "create patch", resource("events.k8s.io", "events"), true},
		{reconciler, "get list delete", resource("events.k8s.io", "events"), false},
		{reconciler, "get create patch delete", resource("externaldns.k8s.io", "dnsendpoints"), false},
		{reconciler, "get list", resource("", "secrets"), false},
		{reconciler, "get list", resource("", "pods"), true},
		{reconciler, "patch", resource("", "pods/status"), true},
		{reconciler, "watch create update patch delete", resource("", "pods"), false},
		{reconciler, "create", resource("", "pods/eviction"), false},
		{reconciler, "get list", resource("", "configmaps"), false},

		{webhook, "get list watch", resource(gatewayGroup, "httproutes"), true},
		{webhook, "get list watch", resource(latticeGroup, "serviceexports"), true},
		{webhook, "get patch", named("admissionregistration.k8s.io", "validatingwebhookconfigurations", "", "trellis"), true},
		{webhook, "get patch", named("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "", "trellis"), true},
		{webhook, "list watch", resource("", "services"), true},
		{webhook, "list watch", resource(gatewayGroup, "referencegrants"), true},
		{webhook, "create", named("", "secrets", "trellis-system", ""), true},
		{webhook, "get update", named("", "secrets", "trellis-system", "trellis-webhook-tls"), true},
		{webhook, "get patch", named("admissionregistration.k8s.io", "validatingwebhookconfigurations", "", "other"), false},
		{webhook, "get patch", named("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "", "other"), false},
		{webhook, "get list watch create update patch", resource("", "pods"), false},
		{webhook, "get list", named("", "secrets", "trellis-system", "other"), false},
		{webhook, "create get", named("", "secrets", "default", "trellis-webhook-tls"), false},
		{webhook, "create update patch delete", resource(gatewayGroup, "httproutes"), false},
		{webhook, "patch", resource(gatewayGroup, "httproutes/status"), false},
	} {
		for verb := range strings.FieldsSeq(c.verbs) {
			spec, what := c.who, c.what
			what.Verb = verb
			spec.ResourceAttributes = &what
			review, err := one.client.AuthorizationV1().SubjectAccessReviews().Create(t.Context(),
				&authorizationv1.SubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if review.Status.Allowed != c.allowed {
				t.Errorf("%s %s %s/%s %s: allowed %v, want %v", spec.User, verb, what.Resource, what.Subresource, what.Name,
					review.Status.Allowed, c.allowed)
			}
		}
	}
}

// resource is a kind (with its subresource after a slash) in any namespace.
func resource(group, kind string) authorizationv1.ResourceAttributes {
	return named(group, kind, "", "")
}

func named(group, kind, namespace, name string) authorizationv1.ResourceAttributes {
	kind, sub, _ := strings.Cut(kind, "/")
	return authorizationv1.ResourceAttributes{Group: group, Resource: kind, Subresource: sub, Namespace: namespace, Name: name}
}
