package kubelet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

const (
	testMap  = "127.94" // no other test uses it
	testPort = 18090
	patience = 10 * time.Second
)

// bench is a Kubelet over a fake API server.
type bench struct {
	*testing.T
	client *fake.Clientset
}

func newBench(t *testing.T, objects ...runtime.Object) *bench {
	t.Helper()
	b := &bench{T: t, client: fake.NewClientset(objects...)}
	b.client.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if action.GetSubresource() != "binding" {
			return false, nil, nil
		}
		create, _ := action.(clienttesting.CreateAction)
		binding, _ := create.GetObject().(*v1.Binding)
		resource := v1.SchemeGroupVersion.WithResource("pods") // the client itself is locked in here
		stored, err := b.client.Tracker().Get(resource, binding.Namespace, binding.Name)
		if err != nil {
			return true, nil, err
		}
		pod, _ := stored.DeepCopyObject().(*v1.Pod)
		pod.Spec.NodeName = binding.Target.Name
		return true, binding, b.client.Tracker().Update(resource, pod, pod.Namespace)
	})
	podMap, err := ParsePodMap(testMap)
	if err != nil {
		t.Fatal(err)
	}
	factory := informers.NewSharedInformerFactory(b.client, 0)
	k, err := New(b.client, factory.Core().V1().Pods(), Config{PodCIDR: netip.MustParsePrefix("10.0.0.0/20"), Nodes: 2, Map: podMap})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); factory.Shutdown() })
	factory.Start(ctx.Done())
	if err := k.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return b
}

func testPod(name, address string) *v1.Pod {
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns", UID: types.UID(name), Annotations: map[string]string{AnnotationIP: address}},
		Spec:       v1.PodSpec{Containers: []v1.Container{{Name: "c", Image: "i", Ports: []v1.ContainerPort{{ContainerPort: testPort}}}}},
	}
}

func (b *bench) create(pod *v1.Pod) {
	b.Helper()
	if _, err := b.client.CoreV1().Pods("ns").Create(b.Context(), pod, metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) pod(name string) *v1.Pod {
	b.Helper()
	pod, err := b.client.CoreV1().Pods("ns").Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return pod
}

// until waits for a condition and fails when it does not come.
func (b *bench) until(what string, done func() bool) {
	b.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func (b *bench) untilReady(name string) {
	b.Helper()
	b.until(name+" ready", func() bool { return conditionStatus(b.pod(name).Status.Conditions, v1.PodReady) == v1.ConditionTrue })
}

func (b *bench) untilGone(name string) {
	b.Helper()
	b.until(name+" gone", func() bool {
		_, err := b.client.CoreV1().Pods("ns").Get(b.Context(), name, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}

func answers(address string) bool {
	conn, err := net.Dial("tcp4", net.JoinHostPort(address, strconv.Itoa(testPort)))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// terminate does what the API server does with the deletion of a bound Pod.
func (b *bench) terminate(name string, grace int64) {
	b.Helper()
	pod := b.pod(name)
	now := metav1.Now()
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &now, &grace
	pod.Finalizers = []string{"test/keeps-the-object-in-the-fake"}
	if err := b.client.Tracker().Update(v1.SchemeGroupVersion.WithResource("pods"), pod, "ns"); err != nil {
		b.Fatal(err)
	}
}

func TestAPodIsReadyOnlyWhenItAnswersAndAnswersNoMoreWhenItIsGone(t *testing.T) {
	b := newBench(t)
	b.client.PrependReactor("update", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if action.GetSubresource() == "status" && !answers("127.94.0.9") {
			t.Error("the status was written before the listener was open")
		}
		return false, nil, nil
	})
	b.create(testPod("a", "10.0.0.9"))
	b.untilReady("a")
	pod := b.pod("a")
	if pod.Status.PodIP != "10.0.0.9" || pod.Spec.NodeName == "" || pod.Status.ContainerStatuses[0].State.Running == nil {
		t.Errorf("status %+v", pod.Status)
	}
	b.terminate("a", 30)
	b.untilGone("a")
	if answers("127.94.0.9") {
		t.Error("it still answers")
	}
}

func TestAPodWhosePortIsTakenSaysSoAndStartsWhenThePortIsFree(t *testing.T) {
	taken, err := net.Listen("tcp4", fmt.Sprintf("127.94.0.10:%d", testPort))
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	b.create(testPod("a", "10.0.0.10"))
	b.until("the reason", func() bool {
		status := b.pod("a").Status
		return len(status.ContainerStatuses) == 1 && status.ContainerStatuses[0].State.Waiting != nil
	})
	pod := b.pod("a")
	waiting := pod.Status.ContainerStatuses[0].State.Waiting
	if waiting.Reason != "RunContainerError" || waiting.Message != "container c: listen tcp4 127.94.0.10:18090: bind: address already in use" {
		t.Errorf("waiting %+v", waiting)
	}
	if pod.Status.Phase != v1.PodPending || conditionStatus(pod.Status.Conditions, v1.PodReady) != v1.ConditionFalse {
		t.Errorf("status %+v", pod.Status)
	}
	_ = taken.Close()
	b.untilReady("a")
}

func TestAPodThatIsGoneWithoutAGracePeriodIsCutOff(t *testing.T) {
	b := newBench(t)
	b.create(testPod("a", "10.0.0.13"))
	b.untilReady("a")
	if err := b.client.CoreV1().Pods("ns").Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	b.until("the listener closed", func() bool { return !answers("127.94.0.13") })
}

func TestARestartKeepsTheAddressesInStatusAndGivesThemToNobodyElse(t *testing.T) {
	old := testPod("old", "")
	old.Spec.NodeName, old.Status.PodIP, old.Status.Phase = "node-0", "10.0.0.1", v1.PodRunning
	b := newBench(t, old)
	fresh := testPod("fresh", "")
	b.create(fresh)
	b.untilReady("old")
	b.untilReady("fresh")
	if got := b.pod("old").Status.PodIP; got != "10.0.0.1" {
		t.Errorf("old has %s", got)
	}
	if got := b.pod("fresh").Status.PodIP; got != "10.0.0.2" {
		t.Errorf("fresh has %s", got)
	}
}

func TestAReadinessGateKeepsAPodUnreadyThoughItAnswers(t *testing.T) {
	pod := testPod("a", "10.0.0.14")
	pod.Spec.ReadinessGates = []v1.PodReadinessGate{{ConditionType: "example.com/gate"}}
	b := newBench(t)
	b.create(pod)
	b.until("containers ready", func() bool {
		return conditionStatus(b.pod("a").Status.Conditions, v1.ContainersReady) == v1.ConditionTrue
	})
	if got := conditionStatus(b.pod("a").Status.Conditions, v1.PodReady); got != v1.ConditionFalse {
		t.Errorf("Ready is %s", got)
	}
	open := b.pod("a")
	open.Status.Conditions = append(open.Status.Conditions, v1.PodCondition{Type: "example.com/gate", Status: v1.ConditionTrue})
	if _, err := b.client.CoreV1().Pods("ns").UpdateStatus(t.Context(), open, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	b.untilReady("a")
}
