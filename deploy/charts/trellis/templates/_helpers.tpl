{{/* The webhook's settings, as its environment. The Region is that of the cluster's ARN. */}}
{{- define "trellis.settings" -}}
{{- $cluster := required "cluster.arn is missing: the ARN of this EKS cluster, such as arn:aws:eks:us-west-2:123456789012:cluster/one" .Values.cluster.arn -}}
TRELLIS_CLUSTER: {{ $cluster | quote }}
TRELLIS_QUEUE_URL: {{ required "queueUrl is missing: the stack's output QueueUrl" .Values.queueUrl | quote }}
AWS_REGION: {{ .Values.region | default (index (splitList ":" $cluster) 3) | quote }}
{{- with .Values.logLevel }}
RUST_LOG: {{ . | quote }}
{{- end }}
{{- end }}

{{/* The webhook's image: by its digest if there is one, else by its tag, else by the chart's version. */}}
{{- define "trellis.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}
