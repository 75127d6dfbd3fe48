package kubelet

import (
	"errors"
	"net/netip"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podStatus is what the kubelet reports of a bound Pod. startErr tells why its containers do not
// run (nil: they run); now is the time of what changes with this report.
func podStatus(pod *v1.Pod, addr netip.Addr, startErr error, now metav1.Time) v1.PodStatus {
	s := *pod.Status.DeepCopy()
	s.ObservedGeneration = pod.Generation
	s.PodIP, s.PodIPs = addr.String(), []v1.PodIP{{IP: addr.String()}}
	if s.StartTime == nil {
		s.StartTime = &now
	}
	running := startErr == nil
	if running {
		s.Phase = v1.PodRunning
	} else if s.Phase == "" {
		s.Phase = v1.PodPending
	}
	containersReady := running && pod.Annotations[AnnotationReady] != "false"
	ready := containersReady
	for _, gate := range pod.Spec.ReadinessGates {
		ready = ready && conditionStatus(pod.Status.Conditions, gate.ConditionType) == v1.ConditionTrue
	}
	s.ContainerStatuses = nil
	for i := range pod.Spec.Containers {
		s.ContainerStatuses = append(s.ContainerStatuses,
			containerStatus(&pod.Spec.Containers[i], containersReady, startErr, startedAt(&pod.Status, i, now)))
	}
	for _, c := range []struct {
		of v1.PodConditionType
		ok bool
	}{
		{v1.PodScheduled, true},
		{v1.PodInitialized, true},
		{v1.ContainersReady, containersReady},
		{v1.PodReady, ready},
	} {
		status := v1.ConditionFalse
		if c.ok {
			status = v1.ConditionTrue
		}
		setCondition(&s.Conditions, v1.PodCondition{Type: c.of, Status: status, ObservedGeneration: pod.Generation}, now)
	}
	return s
}

// startedAt keeps the time at which the i-th container was first reported to run.
func startedAt(s *v1.PodStatus, i int, now metav1.Time) metav1.Time {
	if i < len(s.ContainerStatuses) && s.ContainerStatuses[i].State.Running != nil {
		return s.ContainerStatuses[i].State.Running.StartedAt
	}
	return now
}

func containerStatus(c *v1.Container, ready bool, startErr error, started metav1.Time) v1.ContainerStatus {
	running := startErr == nil
	status := v1.ContainerStatus{Name: c.Name, Image: c.Image, ImageID: "testcluster://" + c.Image, Ready: ready, Started: &running}
	if running {
		status.State.Running = &v1.ContainerStateRunning{StartedAt: started}
		return status
	}
	status.State.Waiting = &v1.ContainerStateWaiting{
		Reason: "ContainerCreating", Message: "another container of the Pod cannot run",
	}
	var failed *containerError
	if errors.As(startErr, &failed) && failed.container == c.Name {
		status.State.Waiting = &v1.ContainerStateWaiting{Reason: failed.reason, Message: startErr.Error()}
	}
	return status
}

func conditionStatus(all []v1.PodCondition, of v1.PodConditionType) v1.ConditionStatus {
	for i := range all {
		if all[i].Type == of {
			return all[i].Status
		}
	}
	return v1.ConditionUnknown
}

// setCondition writes one condition; its time changes with its status only.
func setCondition(all *[]v1.PodCondition, want v1.PodCondition, now metav1.Time) {
	want.LastTransitionTime = now
	for i := range *all {
		if have := &(*all)[i]; have.Type == want.Type {
			if have.Status == want.Status {
				want.LastTransitionTime = have.LastTransitionTime
			}
			*have = want
			return
		}
	}
	*all = append(*all, want)
}
